"""Files of the stability stage, as ``docs/reference/outputs.md`` describes them."""

from workflow_scripts.common.stage import Column, Product

_SEEDS = (Column("init, order", "the run's seeds"),)

PRODUCTS = (
    Product(
        "stability/MODEL/TASK/SWEEP/histories/SEEDS.parquet "
        "stability/MODEL/TASK/SWEEP/scores/SEEDS.parquet",
        "`histories/initI_orderO.parquet`, `scores/initI_orderO.parquet`: of one run, with the "
        "columns of `history.parquet` and `scores.parquet` of the finetune stage. SWEEP is a "
        "recipe, with `_same_epochs` or `_same_steps` added where the training set is small.",
    ),
    Product(
        "stability/MODEL/TASK/SWEEP/predictions/SEEDS.parquet",
        "`predictions/initI_orderO.parquet`: a row per dev example.",
        (Column("prediction", "label id at the end of training; -1 for none"),),
    ),
    Product(
        "stability/MODEL/TASK/SWEEP/runs.parquet",
        "`runs.parquet`: a row per run of the sweep.",
        (
            *_SEEDS,
            Column("failed", "diverged, or no better than the majority class at the end"),
            Column("diverged", "a loss was not finite"),
            Column("accuracy, f1, mcc", "on the dev set at the end of training"),
            Column("score", "the task's metric at the end (stability.metrics)"),
            Column("best_score, best_epoch", "the best epoch's score, and that epoch"),
            Column("train_loss", "mean of the last epoch with steps", "nats"),
            Column("epochs, steps", "of the run"),
            Column("majority", "accuracy of the majority class", "0 to 1"),
            Column(
                "early_norm",
                "gradient norm of the lowest third of the layers at 10 % of the steps",
            ),
            Column("late_norm", "its geometric mean over the second half of the steps"),
        ),
    ),
    Product(
        "stability/MODEL/TASK/SWEEP/epochs.parquet stability/MODEL/TASK/SWEEP/history.parquet",
        "`epochs.parquet`, `history.parquet`: `scores` and `histories` of all runs, with the seeds "
        "`init` and `order`.",
    ),
    Product(
        "stability/MODEL/TASK/SWEEP/predictions.parquet",
        "`predictions.parquet`: a row per run and dev example.",
        (
            *_SEEDS,
            Column("example", "of the dev set", "from 0"),
            Column("prediction", "label id at the end of training; -1 for none"),
            Column("correct", "whether it is right"),
        ),
    ),
    Product(
        "stability/MODEL/TASK/spread.parquet",
        "`spread.parquet`: a row per sweep of a task. `_low` and `_high` are the limits of a number.",
        (
            Column("sweep", "its name"),
            Column("runs, failures, diverged", "numbers of runs"),
            Column("failure_rate, failure_rate_low, failure_rate_high", "Wilson", "0 to 1"),
            Column(
                "std, std_low, std_high",
                "standard deviation of the score (n - 1); chi-square, exact for normal scores and "
                "conservative for bimodal ones",
            ),
            Column("std_population", "the same with the denominator n"),
            Column(
                "std_successful, std_successful_low, std_successful_high",
                "of the runs that did not fail",
            ),
            Column("mean, mean_low, mean_high", "mean score; Student's t"),
            Column("median, largest, smallest", "of the scores"),
            Column("majority", "accuracy of the majority class", "0 to 1"),
            Column(
                "agreement, agreement_low, agreement_high",
                "share of the dev examples on which two runs agree",
                "0 to 1",
            ),
            Column("kappa, kappa_low, kappa_high", "the same, corrected for chance (Fleiss)"),
            Column(
                "early_sign, early_sign_low, early_sign_high",
                "how well a small `early_norm` announces a failed run: area under the ROC curve; "
                "NaN where no run or every run failed",
                "0 to 1",
            ),
            Column(
                "init_share, init_share_low, init_share_high, order_share, order_share_low, "
                "order_share_high, rest_share, rest_share_low, rest_share_high",
                "shares of the variance in a crossed design, else NaN",
                "0 to 1",
            ),
        ),
    ),
    Product(
        "stability/MODEL/TASK/tests.parquet",
        "`tests.parquet`: a row per sweep but the first, which it is compared with.",
        (
            Column("first, second", "the two sweeps"),
            Column(
                "std_difference, std_difference_low, std_difference_high",
                "difference of the standard deviations, first minus second",
                optional=True,
            ),
            Column("brown_forsythe, levene", "p values of equal spread", optional=True),
            Column(
                "failure_difference, failure_difference_low, failure_difference_high",
                "difference of the failure rates, first minus second; Newcombe, paired",
                "-1 to 1",
                optional=True,
            ),
            Column("boschloo, fisher", "p values of equal failure rates", optional=True),
        ),
    ),
    Product(
        "stability/MODEL/TASK/best.parquet",
        "`best.parquet`: the expected largest score of some runs.",
        (
            Column("sweep", ""),
            Column("scores", "`end` of training, or of the `best epoch` on the dev set"),
            Column("best_of", "number of runs", "from 1"),
            Column("value, value_low, value_high", "Student's t of the jackknife"),
        ),
    ),
    Product(
        "stability/MODEL/TASK/consistency.parquet",
        "`consistency.parquet`: a row per sweep and dev example.",
        (
            Column("sweep", ""),
            Column("example", "of the dev set", "from 0"),
            Column("correct", "share of the runs that are right", "0 to 1"),
            Column("flips", "share of the pairs of runs that disagree", "0 to 1"),
        ),
    ),
    Product(
        "stability/MODEL/TASK/weights/failedN.safetensors "
        "stability/MODEL/TASK/weights/successfulN.safetensors",
        "`failed1.safetensors` …, `successful1.safetensors` …: classifiers at the end of the first "
        "failed and of the first successful runs of the first sweep, trained again. Files for which "
        "there is no run hold no tensors.",
    ),
    Product(
        "stability/MODEL/TASK/weights/chosen.parquet",
        "`chosen.parquet`: a row per run that was trained again, in the order of the files.",
        (
            Column("outcome", "`failed` or `successful`"),
            *_SEEDS,
            Column("repeated", "accuracy and training loss are those of the sweep to the bit"),
        ),
    ),
    Product(
        "stability/MODEL/masked_lm/head.safetensors stability/MODEL/masked_lm/text.parquet",
        "`head.safetensors`: the model's own masked-LM head, or the masked-LM probe, without its "
        "decoder, which is tied to the word embeddings; `own` is 1 or 0, `words` are the tokens among "
        "which it chooses. `text.parquet`: masked sentences, a row each, as token ids.",
    ),
    Product(
        "stability/MODEL/TASK/forgetting.parquet",
        "`forgetting.parquet`: a row per run and number of layers reset.",
        (
            Column("outcome", "`failed`, `successful`, or `pretrained` (the pre-trained encoder)"),
            *_SEEDS,
            Column("layers_reset", "from the top; all of them: the embeddings, too"),
            Column("loss", "mean over the masked tokens", "nats"),
            Column("perplexity", "its exponential"),
            Column("tokens", "masked tokens"),
            Column("own_head", "whether the head is the model's own, not a probe"),
        ),
    ),
    Product(
        "stability/MODEL/TASK/plane.parquet",
        "`plane.parquet`: a row per point and head.",
        (
            Column(
                "head", "whose head is used everywhere: that of the `failed` or `successful` run"
            ),
            Column("line", "the line of the point, or empty for the grid"),
            Column("t", "along the line", "0 to 1"),
            Column("alpha, beta", "in units of the directions to the failed and successful run"),
            Column("corner", "`pretrained`, `failed` or `successful`: the exact weights; or empty"),
            Column("train_loss", "on the training examples of the task's surfaces", "nats"),
        ),
    ),
    Product(
        "stability/MODEL/TASK/barriers.parquet",
        "`barriers.parquet`: a row per line and head, of the training loss.",
        (
            Column("head", "as in `plane.parquet`"),
            Column("line", "its corners, the first one first"),
            Column("rise", "largest rise on the way from the first corner to the last", "nats"),
            Column("rise_back", "the same on the way back", "nats"),
            Column("excess", "largest height above the straight line between the ends", "nats"),
            Column("first_loss, last_loss", "at the corners", "nats"),
            Column("points", "of the line"),
        ),
    ),
)
