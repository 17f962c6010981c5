"""Files of the finetune stage, as ``docs/reference/outputs.md`` describes them."""

from workflow_scripts.common.stage import Column, Product

PRODUCTS = (
    Product(
        "finetune/RUN/epochNN.safetensors finetune/RUN/weights.digest finetune/RUN/digest",
        "`epoch00.safetensors` … : the whole classifier, float32, with Hugging Face's "
        "full names (`bert.encoder.layer.0.…`, `classifier.weight`), after each epoch; "
        "epoch 0 is the start, before the first step.",
    ),
    Product(
        "finetune/RUN/history.parquet",
        "`history.parquet`: one row per optimizer step.",
        (
            Column("step", "", "from 1"),
            Column("epoch", "", "from 1"),
            Column("learning_rate", "of this step"),
            Column("loss", "mean of the batch, with dropout, before the step", "nats"),
            Column("examples", "in the batch"),
            Column("tokens", "in the batch, without padding"),
            Column("gradient_norm", "Euclidean, of the whole gradient, before clipping"),
            Column(
                "gradient_norm_PART",
                "the same of a part: `embeddings`, `layer00` …, `pooler`, `other` (of the"
                " encoder, none of these), `head`; those that the model has",
            ),
        ),
    ),
    Product(
        "finetune/RUN/scores.parquet",
        "`scores.parquet`: one row per epoch, 0 included, on the whole dev set, float32, "
        "without dropout.",
        (
            Column("epoch", "", "from 0"),
            Column("step", "steps done", "from 0"),
            Column("train_loss", "mean of the epoch's steps; NaN where it has none", "nats"),
            Column("dev_loss", "", "nats"),
            Column("accuracy", "", "0 to 1"),
            Column(
                "majority",
                "accuracy of always answering with the most frequent label of the dev set",
                "0 to 1",
            ),
            Column(
                "f1", "two classes: of label 1; more: mean over the classes that occur", "0 to 1"
            ),
            Column("mcc", "Matthews correlation", "-1 to 1"),
            Column(
                "diverged",
                "a loss of this or an earlier epoch was not finite; later epochs repeat "
                "the weights",
                "true, false",
            ),
            Column(
                "failed",
                "diverged, or `accuracy` is no better than `majority`; a run is a failed one if "
                "its last epoch is",
                "true, false",
            ),
            Column(
                "predictions",
                "list: label id of each dev example; -1 where an output is not a number",
            ),
        ),
        notes="While a run is not complete, its folder also holds `state/`; see "
        "[resume](../howto/resume.md).\n\nOf a run that was [trained elsewhere]"
        "(../howto/own_run.md) RECIPE is its name in `runs`, and the seeds its place among those of "
        "its task; `epoch` counts its checkpoints, `step` has their steps. A row of its history is "
        "an entry of the Trainer's log, whose loss is the mean of the steps since the row before; "
        "what the log lacks is NaN.",
    ),
)
