"""The real data sets, where the environment variable TUNESCAPE_DATA names their folder."""

import os

import pytest

from workflow_scripts.data.checks import check_task
from workflow_scripts.data.tasks import read_task

pytestmark = pytest.mark.skipif(
    "TUNESCAPE_DATA" not in os.environ, reason="TUNESCAPE_DATA names no folder of real data sets"
)

# rows of training and dev set, label names (None: too many to list), whether it has pairs
REAL = {
    "MNLI": (29_495, 9_815, ["contradiction", "entailment", "neutral"], True),
    "RTE": (2_490, 277, ["entailment", "not_entailment"], True),
    "SST-2": (67_349, 872, ["0", "1"], False),
    "MRPC": (3_668, 408, ["0", "1"], True),
    "CoLA": (8_551, 1_043, ["0", "1"], False),
    "TREC": (5_452, 500, None, False),
}


@pytest.mark.parametrize("name", REAL)
def test_all_rows_are_read(name):
    train, dev, labels, pair = REAL[name]
    source = f"dir:$TUNESCAPE_DATA/{name}"
    files = check_task(name, {"source": source, "train": train, "dev": dev})
    assert [path.name for path in files] == ["train.tsv", "dev.tsv"]
    card = read_task(source, files=files).card
    assert (card["train"], card["dev"], card["pair"]) == (train, dev, pair)
    assert card["labels"] == labels or (labels is None and len(card["labels"]) == 50)
    assert sum(card["label_counts"]["train"]) == train
    assert min(card["label_counts"]["train"]) > 0
