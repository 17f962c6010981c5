"""Files of the data stage, as ``docs/reference/outputs.md`` describes them."""

from workflow_scripts.common.stage import Column, Product

PRODUCTS = (
    Product(
        "data/TASK/train.parquet data/TASK/dev.parquet",
        "`train.parquet`, `dev.parquet`: one row per example, in the order of the source.",
        (
            Column("sentence", "the text of a single-sentence task; or", "text"),
            Column("sentence1, sentence2", "the two texts of a pair task", "text"),
            Column(
                "label",
                "class; the same ids in both files, in the order of the label names, or "
                "of their numbers where all are numbers",
                "int64, 0 to K-1",
            ),
            Column(
                "sentence_id, start, stop",
                "where `unit` is `word` or `pair`, a row per label: number of the sentence, first "
                "character of the word in `sentence` and the one after its last",
                "from 0",
                optional=True,
            ),
            Column(
                "head_start, head_stop",
                "of pairs: the same of the second word",
                "from 0",
                optional=True,
            ),
        ),
    ),
    Product(
        "data/TASK/card.json data/TASK/digest",
        "`card.json`:",
        (
            Column("name, source", "as configured"),
            Column("synthetic", "whether the examples are generated"),
            Column("revision", "commit of a hub source, else null"),
            Column("files", "`dir:` sources only: SHA-256 of each file, by name"),
            Column(
                "available",
                "rows of the source, `train` and `dev`, before subsets; null for synthetic tasks",
            ),
            Column(
                "unlabeled",
                "rows without a label that were left out, `train` and `dev`; null for synthetic "
                "tasks",
            ),
            Column("labels", "names of the classes, in the order of their ids"),
            Column("pair", "whether an example has two sentences"),
            Column("train, dev", "examples"),
            Column("label_counts", "examples of each class, by split, in the order of `labels`"),
            Column(
                "unit, sentences, left_out, divided",
                "where labels belong to words: `word` or `pair`; sentences of each split; labels "
                "in the files that are none of the task's (roots, words without a label, targets "
                "of several words); whether one file was divided, four fifths for training",
                optional=True,
            ),
            Column("seed", "of the subset, or of the synthetic sentences"),
            Column("digest", "SHA-256 over label names, texts and labels"),
            Column("provenance", "see below"),
        ),
    ),
)
