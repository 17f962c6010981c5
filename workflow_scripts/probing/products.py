"""Files of the probing stage, as ``docs/reference/outputs.md`` describes them."""

from workflow_scripts.common.stage import Column, Product

_LAYER = Column("layer", "-1 is the embeddings", "from -1")
_EPOCH = Column("epoch", "of the checkpoint; 0 is the pre-trained model", "from 0")
_SPLIT = Column("split", "`train` or `dev`")
_WHOSE = Column(
    "task, tuned, seeds", "whose examples, the task of the models' run, and the run's seeds"
)

PRODUCTS = (
    Product(
        "probing/MODEL/TASK/TUNED/SEEDS/vectors.npy probing/MODEL/TASK/TUNED/SEEDS/rows.parquet "
        "probing/MODEL/TASK/TUNED/SEEDS/about.json",
        "Vectors of the examples of TASK in the models of the run on TUNED: `vectors.npy`, float32 "
        "of shape (checkpoints, layers, examples, width), may be large: `probing.checkpoints` and "
        "`probing.layers`. "
        "`rows.parquet`: a row per vector.",
        (
            _SPLIT,
            Column("row", "in the task's table of that split", "from 0"),
            Column("label", "", "from 0"),
        ),
        notes="`about.json`: `task`, `labels` (names), `unit`, `epochs`, `layers`, `width`; by split "
        "the labelled words left out, `cut` (beyond the longest input) and `empty` (the tokenizer "
        "makes no token of them).",
    ),
    Product(
        "probing/MODEL/TASK/TUNED/SEEDS/distances.parquet",
        "`distances.parquet`: a row per checkpoint, layer, split and pair of labels.",
        (
            _EPOCH,
            _LAYER,
            _SPLIT,
            Column("first, second", "labels"),
            Column("distance", "of the convex hulls; 0 if they overlap, NaN if undecided"),
            Column("lower", "its lower bound; `distance` is the upper one"),
            Column("state", "`separated`, `overlapping` or `undecided`"),
        ),
    ),
    Product(
        "probing/MODEL/TASK/TUNED/SEEDS/centroids.parquet",
        "`centroids.parquet`: a row per checkpoint, layer and label, of training examples.",
        (
            _EPOCH,
            _LAYER,
            Column("label", "", "from 0"),
            Column("count", "examples"),
            Column("centroid", "their mean; NaN without any", "list of float32"),
        ),
    ),
    Product(
        "probing/MODEL/TASK/TUNED/SEEDS/clusters.parquet",
        "`clusters.parquet`: the clusters of DirectProbe, a row per checkpoint and label; last "
        "layer, first and last checkpoint, training examples.",
        (
            _EPOCH,
            _LAYER,
            Column("label", "", "from 0"),
            Column("points, clusters, largest", "examples, clusters, examples of the largest one"),
            Column("mean, widest", "distances of two examples of one cluster"),
            Column(
                "overlaps, undecided, duplicates",
                "of all labels: overlaps that kept clusters apart, decisions that could not be "
                "taken, vectors that an example of another label has, too",
            ),
            Column(
                "predicted, accuracy, certified",
                "dev examples whose nearest cluster was looked for; share with that cluster's label; "
                "share that no other label can be nearer to",
            ),
        ),
    ),
    Product(
        "probing/MODEL/TASK/TUNED/SEEDS/controls.parquet",
        "`controls.parquet`: what chance would give, a row per checkpoint, split and pair of labels; "
        "last layer, first and last checkpoint.",
        (
            _EPOCH,
            _LAYER,
            _SPLIT,
            Column("first, second", "labels"),
            Column("state", "of the labels as they are"),
            Column("shuffled", "share of the shuffles that a hyperplane separates", "0 to 1"),
            Column("undecided", "shuffles that could not be decided"),
            Column("n, smaller", "examples of both labels, and of the one that has fewer"),
            Column("n_per_d", "n divided by the width of a vector"),
            Column("vacuous", "whether half of the shuffles or more are separated"),
        ),
    ),
    Product(
        "probing/MODEL/TASK/TUNED/SEEDS/probes.parquet",
        "`probes.parquet`: a row per checkpoint, kind of probe and initialisation; last layer, first "
        "and last checkpoint.",
        (
            _EPOCH,
            _LAYER,
            Column("kind", "`logistic` or `mlp`"),
            Column("initialisation", "", "from 0"),
            Column("train, dev", "accuracies", "0 to 1"),
            Column("hidden, alpha", "widths of the hidden layers and L2 penalty chosen"),
            Column("selection", "accuracy on the training examples that chose them", "0 to 1"),
            Column("unfinished", "trainings that reached their most iterations"),
            Column("unseen", "dev examples whose label no training example has"),
            Column("majority_train, majority_dev", "of the most frequent training label", "0 to 1"),
        ),
    ),
    Product(
        "probing/MODEL/similarity.parquet",
        "`similarity.parquet`: how similar the relative positions of labels are, of all tasks in "
        "their own models.",
        (
            Column(
                "kind",
                "`train_dev` (of both splits) or `before_during` (training examples at the first "
                "checkpoint and at this one)",
            ),
            _WHOSE,
            _EPOCH,
            _LAYER,
            Column(
                "value", "Pearson correlation of the distances of labels", "-1 to 1, or missing"
            ),
            Column("reason", "why it is missing: it is defined where all labels are separated"),
            Column("labels", "that both have"),
        ),
    ),
    Product(
        "probing/MODEL/paths.parquet",
        "`paths.parquet`: centroids of labels in planes of their largest variance, of each task's "
        "first run.",
        (
            Column(
                "kind",
                "`training` (a plane per layer, all checkpoints) or `layers` (one plane of what "
                "fine-tuning adds to each layer's centroids)",
            ),
            Column("task, seeds", "whose"),
            _LAYER,
            _EPOCH,
            Column("label, name", "of the label"),
            Column("x, y", "coordinates; NaN without examples"),
            Column("share_x, share_y", "of the variance along the axes", "0 to 1"),
        ),
    ),
    Product(
        "probing/MODEL/cross.parquet",
        "`cross.parquet`: distances of labels to their nearest other label, in models of other "
        "tasks; last layer, a row per label.",
        (
            _WHOSE,
            _SPLIT,
            Column("label", "its name"),
            Column("before, after, change", "in the pre-trained and the fine-tuned model"),
        ),
    ),
)
