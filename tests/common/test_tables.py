import json

import numpy as np
import pandas as pd
import pytest
import torch

from workflow_scripts.common.tables import (
    atomic,
    read_json,
    read_record,
    read_table,
    set_record,
    write_json,
    write_table,
)


@pytest.fixture
def provenance():
    record = {"rule": "test", "digests": {"data/x": "abc"}}
    set_record(record)
    yield record
    set_record({})


def test_a_failed_write_leaves_the_old_file_and_no_draft(tmp_path):
    path = tmp_path / "table.parquet"
    path.write_text("old")

    def write_half():
        with atomic(path) as draft:
            draft.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_readers_never_see_a_draft(tmp_path):
    path = tmp_path / "deep" / "table.json"
    with atomic(path) as draft:
        draft.write_text("{}")
        assert not path.exists()
        assert draft.suffix == ".json"
    assert path.read_text() == "{}"


def test_tables_keep_lists_nan_and_provenance(tmp_path, provenance):
    table = pd.DataFrame({"a": [1.0, np.nan], "b": [np.arange(3.0), np.arange(2.0)]})
    write_table(table, tmp_path / "t.parquet")
    back = read_table(tmp_path / "t.parquet")
    assert back["a"].isna().tolist() == [False, True]
    assert back["b"][0].tolist() == [0, 1, 2]
    assert read_record(tmp_path / "t.parquet") == provenance


def test_json_and_safetensors_carry_provenance_too(tmp_path, provenance):
    from workflow_scripts.model.encoder import write_weights

    write_json({"x": 1}, tmp_path / "card.json")
    assert read_json(tmp_path / "card.json")["x"] == 1
    assert read_record(tmp_path / "card.json") == provenance
    write_weights({"w": torch.ones(2)}, tmp_path / "w.safetensors")
    assert read_record(tmp_path / "w.safetensors") == provenance
    assert json.loads((tmp_path / "card.json").read_text())["provenance"] == provenance
