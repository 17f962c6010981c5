"""The scripts of the stage, one after the other, on a tiny random model and words it cuts."""

import numpy as np
import pandas as pd
import pytest
import torch

from tests.finetune.test_words import letters_of, word_table
from tests.finetune.toy import CONTEXT, write_model
from workflow_scripts.common.tables import read_json, read_table, write_json, write_table
from workflow_scripts.model.encoder import (
    build_word_classifier,
    read_weights,
    start_weights,
    write_weights,
)
from workflow_scripts.probing.clustering import clustering
from workflow_scripts.probing.compare_geometry import compare_geometry
from workflow_scripts.probing.direct_probe import hull_distance, label_distances
from workflow_scripts.probing.extract_vectors import extract_vectors, some_sentences
from workflow_scripts.probing.measure_geometry import measure_geometry
from workflow_scripts.probing.tables import distances_of
from workflow_scripts.probing.train_probes import train_probes

KINDS = {"vectors": "npy", "rows": "parquet", "about": "json"}
MEASURED = ("distances", "centroids", "clusters", "controls")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Folder of a random encoder whose tokenizer cuts words into letters, and two checkpoints."""
    from tokenizers import Tokenizer, pre_tokenizers

    folder = tmp_path_factory.mktemp("probing")
    write_model(folder)
    core = Tokenizer.from_file(str(folder / "tokenizer.json"))
    letters = pre_tokenizers.Split("", "isolated")
    core.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), letters])
    core.save(str(folder / "tokenizer.json"))
    module = build_word_classifier(folder, 5, 1)
    encoder = read_weights(folder / "model.safetensors")
    generator = torch.Generator().manual_seed(0)
    for epoch in (0, 1):
        write_weights(start_weights(module, encoder, 0), folder / f"epoch{epoch}.safetensors")
        encoder = {
            name: tensor + 0.05 * torch.randn(tensor.shape, generator=generator)
            for name, tensor in encoder.items()
        }
    return folder


def extract(model, folder, tables, unit="word", last_only=False, max_length=32, examples=None):
    """Files of ``extract_vectors``."""
    folder.mkdir(parents=True, exist_ok=True)
    for split, table in tables.items():
        write_table(table, folder / f"{split}.parquet")
    write_json({"name": "letters", "labels": list("abcde"), "unit": unit}, folder / "card.json")
    paths = {name: folder / f"{name}.{kind}" for name, kind in KINDS.items()}
    extract_vectors(
        config=model / "config.json",
        tokenizer=model / "tokenizer.json",
        tokenizer_config=model / "tokenizer_config.json",
        card=folder / "card.json",
        train=folder / "train.parquet",
        dev=folder / "dev.parquet",
        checkpoints=[model / f"epoch{epoch}.safetensors" for epoch in (0, 1)],
        **paths,
        epochs=[0, 1],
        examples=examples,
        seed=0,
        last_only=last_only,
        max_length=max_length,
        context=CONTEXT,
    )
    return paths


@pytest.fixture(scope="module")
def tables():
    return {"train": word_table(60, 0, "word"), "dev": word_table(25, 1, "word")}


@pytest.fixture(scope="module")
def extracted(model, tables, tmp_path_factory):
    return extract(model, tmp_path_factory.mktemp("words"), tables)


def measure(paths, folder, **changes):
    """Tables of ``measure_geometry``."""
    usual = {"seed": 0, "shuffles": 2, "clusters_too": True, "predicted": 10}
    found = {name: folder / f"{name}.parquet" for name in MEASURED}
    measure_geometry(**paths, **found, **usual | changes)
    return {name: read_table(path) for name, path in found.items()}


@pytest.mark.parametrize("unit", ["word", "pair"])
def test_vectors_are_means_of_transformers_hidden_states(model, tmp_path, unit):
    from transformers import AutoModel

    tables = {"train": word_table(6, 0, unit), "dev": word_table(3, 1, unit)}
    paths = extract(model, tmp_path, tables, unit)
    vectors, rows = np.load(paths["vectors"]), read_table(paths["rows"])
    about = read_json(paths["about"])
    assert (about["layers"], about["epochs"], about["unit"]) == ([-1, 0, 1], [0, 1], unit)
    width = 32 * (2 if unit == "pair" else 1)
    assert vectors.shape == (2, 3, sum(map(len, tables.values())), width)
    assert about["width"] == width
    plain = AutoModel.from_pretrained(model, dtype=torch.float64).eval()
    label_of = letters_of(model)
    for epoch in (0, 1):
        weights = read_weights(model / f"epoch{epoch}.safetensors")
        inner = {n.removeprefix("bert."): t.double() for n, t in weights.items() if "bert." in n}
        plain.load_state_dict(inner, strict=False)
        for place, row in rows.iterrows():
            example = tables[row["split"]].iloc[row["row"]]
            assert example["label"] == row["label"]
            letters = [k for k, letter in enumerate(example["sentence"]) if letter != " "]
            ids = [2, *(label_of[example["sentence"][k]] for k in letters), 3]
            with torch.no_grad():
                states = plain(torch.tensor([ids]), output_hidden_states=True).hidden_states
            for layer in range(3):
                expected = []
                for prefix in ("", "head_") if unit == "pair" else ("",):
                    own = range(example[f"{prefix}start"], example[f"{prefix}stop"])
                    pieces = [1 + k for k, at in enumerate(letters) if at in own]
                    expected.append(states[layer][0][pieces].mean(dim=0).numpy())
                assert vectors[epoch, layer, place] == pytest.approx(
                    np.concatenate(expected), abs=2e-5
                )


def test_first_tokens_are_the_vectors_of_sentences(model, tmp_path):
    tables = {
        split: word_table(size, k, "word").drop_duplicates("sentence_id")[["sentence", "label"]]
        .reset_index(drop=True)
        for k, (split, size) in enumerate((("train", 9), ("dev", 4)))
    }  # fmt: skip
    paths = extract(model, tmp_path, tables, "sentence", last_only=True)
    vectors, about = np.load(paths["vectors"]), read_json(paths["about"])
    assert (vectors.shape, about["layers"]) == ((2, 1, 13, 32), [1])
    assert about["cut"] == {"train": 0, "dev": 0}
    assert read_table(paths["rows"])["row"].tolist() == [*range(9), *range(4)]


def test_words_beyond_the_longest_input_are_counted(model, tables, tmp_path):
    paths = extract(model, tmp_path, tables, max_length=6)
    about, rows = read_json(paths["about"]), read_table(paths["rows"])
    for split, table in tables.items():
        kept = (rows["split"] == split).sum()
        assert about["cut"][split] == len(table) - kept > 0
        own = table.iloc[rows["row"][rows["split"] == split]]
        assert own["label"].tolist() == rows["label"][rows["split"] == split].tolist()


def test_a_subset_has_whole_sentences(model, tables, tmp_path):
    some = some_sentences(tables["train"], 12, 0, "train")
    assert some["sentence_id"].nunique() == 12
    chosen = tables["train"]["sentence_id"].isin(some["sentence_id"])
    pd.testing.assert_frame_equal(some, tables["train"][chosen])
    rows = read_table(extract(model, tmp_path, tables, examples=12)["rows"])
    own = rows[rows["split"] == "train"]
    assert sorted(own["row"]) == some.index.tolist()
    assert own["label"].tolist() == tables["train"]["label"].iloc[own["row"]].tolist()
    pd.testing.assert_frame_equal(some_sentences(tables["dev"], None, 0, "dev"), tables["dev"])


def test_the_geometry_of_each_layer_is_that_of_its_vectors(extracted, tmp_path):
    found = measure(extracted, tmp_path)
    vectors, rows = np.load(extracted["vectors"]), read_table(extracted["rows"])
    train = (rows["split"] == "train").to_numpy()
    labels = rows["label"].to_numpy()
    assert len(found["distances"]) == 2 * 3 * 2 * 10
    for (epoch, layer, split), table in found["distances"].groupby(["epoch", "layer", "split"]):
        own = train if split == "train" else ~train
        x = vectors[epoch, layer + 1][own]
        expected = label_distances(x, labels[own])
        again = distances_of(table)
        assert again.labels.tolist() == expected.labels.tolist()
        assert again.distance == pytest.approx(expected.distance)
        assert again.state.tolist() == expected.state.tolist()
    last = found["distances"].query("epoch == 1 and layer == 1 and split == 'train'").iloc[0]
    sides = (vectors[1, 2][train & (labels == last[side])] for side in ("first", "second"))
    assert last["distance"] == pytest.approx(hull_distance(*sides), rel=1e-6)
    means = found["centroids"].query("epoch == 1 and layer == 0 and label == 3").iloc[0]
    assert means["count"] == (train & (labels == 3)).sum()
    assert means["centroid"] == pytest.approx(
        vectors[1, 1][train & (labels == 3)].mean(axis=0), abs=1e-6
    )
    divided = clustering(vectors[1, 2][train], labels[train])
    clusters = found["clusters"].query("epoch == 1")
    assert clusters["clusters"].sum() == len(divided.labels)
    assert clusters["points"].tolist() == np.bincount(labels[train]).tolist()
    assert set(found["controls"]["split"]) == {"train", "dev"}
    assert set(found["controls"]["epoch"]) == {0, 1}
    one = found["controls"].query("epoch == 0 and split == 'train'").iloc[0]
    counts = np.bincount(labels[train])
    assert (one["n"], one["smaller"]) == (counts[:2].sum(), counts[:2].min())
    assert one["n_per_d"] == pytest.approx(counts[:2].sum() / 32)


def with_vectors(extracted, folder, change):
    """The extracted files with other vectors: those that ``change`` makes of them and the rows."""
    vectors, rows = np.load(extracted["vectors"]), read_table(extracted["rows"])
    vectors, rows = change(vectors, rows)
    paths = {**extracted, "vectors": folder / "changed.npy", "rows": folder / "changed.parquet"}
    np.save(paths["vectors"], vectors)
    write_table(rows.reset_index(drop=True), paths["rows"])
    return paths


def test_equal_vectors_of_two_labels_overlap_and_stay_clusters_of_their_own(extracted, tmp_path):
    def change(vectors, rows):
        train = rows["split"] == "train"
        first, second = (rows.index[train & (rows["label"] == k)][0] for k in (0, 1))
        vectors[:, :, first] = vectors[:, :, second]
        return vectors, rows

    found = measure(with_vectors(extracted, tmp_path, change), tmp_path)
    pair = found["distances"].query("split == 'train' and first == 0 and second == 1")
    assert set(pair["state"]) == {"overlapping"}
    assert (pair["distance"] == 0).all()
    assert (found["clusters"]["duplicates"] == 2).all()
    assert (found["clusters"].query("label in (0, 1)")["clusters"] >= 2).all()


def test_labels_of_one_example_absent_from_dev_and_constant_features_are_measured(
    extracted, tmp_path
):
    def change(vectors, rows):
        vectors[..., :3] = 1.0
        train, lone = rows["split"] == "train", rows["label"] == 4
        kept = ~lone
        kept[rows.index[train & lone][0]] = True
        return vectors[:, :, kept.to_numpy()], rows[kept]

    paths = with_vectors(extracted, tmp_path, change)
    found = measure(paths, tmp_path)
    dev = found["distances"].query("split == 'dev'")
    assert 4 not in set(dev["second"])
    assert len(found["distances"].query("split == 'train' and second == 4")) == 2 * 3 * 4
    assert (found["clusters"].query("label == 4")["points"] == 1).all()
    assert found["clusters"].query("label == 4")["mean"].isna().all()
    train_probes(**paths, probes=tmp_path / "probes.parquet", grid="small", initialisations=2,
                 seed=0)  # fmt: skip
    probes = read_table(tmp_path / "probes.parquet")
    assert np.isfinite(probes[["train", "dev"]].to_numpy()).all()
    assert (probes["unseen"] == 0).all()


def test_probes_are_of_both_ends_and_their_initialisations(extracted, tmp_path):
    path = tmp_path / "probes.parquet"
    train_probes(**extracted, probes=path, grid="logistic", initialisations=3, seed=0)
    assert read_table(path)["kind"].tolist() == ["logistic"] * 2
    train_probes(**extracted, probes=path, grid="small", initialisations=3, seed=0)
    probes = read_table(path)
    assert probes.groupby(["epoch", "kind"]).size().to_dict() == {
        (0, "logistic"): 1, (0, "mlp"): 3, (1, "logistic"): 1, (1, "mlp"): 3
    }  # fmt: skip
    rows = read_table(extracted["rows"])
    dev = rows[rows["split"] == "dev"]["label"]
    most = rows[rows["split"] == "train"]["label"].mode()[0]
    assert probes["majority_dev"].iloc[0] == pytest.approx((dev == most).mean())


def test_comparisons_follow_from_distances_and_centroids(extracted, tmp_path):
    found = measure(extracted, tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    measure(extracted, other, shuffles=0, clusters_too=False)
    out = {name: tmp_path / f"{name}.out.parquet" for name in ("similarity", "paths", "cross")}
    compare_geometry(
        distances=[tmp_path / "distances.parquet", other / "distances.parquet"],
        centroids=[tmp_path / "centroids.parquet", other / "centroids.parquet"],
        abouts=[extracted["about"]] * 2,
        **out,
        probed=[
            {"task": "letters", "tuned": "letters", "seeds": "init0_order0"},
            {"task": "letters", "tuned": "others", "seeds": "init0_order0"},
        ],
    )
    similar = read_table(out["similarity"])
    assert set(similar["tuned"]) == {"letters"}
    assert similar.groupby("kind").size().to_dict() == {"before_during": 3, "train_dev": 6}
    by_place = dict(list(found["distances"].groupby(["epoch", "layer", "split"])))
    for row in similar.itertuples():
        pair = (
            ((0, row.layer, "train"), (row.epoch, row.layer, "train"))
            if row.kind == "before_during"
            else ((row.epoch, row.layer, "train"), (row.epoch, row.layer, "dev"))
        )
        a, b = (by_place[key] for key in pair)
        if (a["state"] == "separated").all() and (b["state"] == "separated").all():
            expected = np.corrcoef(a["distance"], b["distance"])[0, 1]
            assert row.value == pytest.approx(expected)
            assert row.reason is None
        else:
            assert np.isnan(row.value)
            assert "overlapping" in row.reason
    assert similar["value"].notna().any()
    paths = read_table(out["paths"])
    plane = paths[(paths["kind"] == "training") & (paths["layer"] == 1)]
    moved = plane.pivot(index="label", columns="epoch", values="x")
    centroids = found["centroids"].query("layer == 1")
    points = np.stack(centroids.sort_values(["epoch", "label"])["centroid"]).reshape(2, 5, 32)
    spread = np.linalg.norm(points[1] - points[0], axis=1)
    assert (np.abs(moved[1] - moved[0]) <= spread + 1e-6).all()
    assert len(paths[paths["kind"] == "layers"]) == 3 * 5
    cross = read_table(out["cross"]).query("tuned == 'others' and split == 'train'")
    last = by_place[1, 1, "train"]
    for row in cross.itertuples():
        label = "abcde".index(row.label)
        own = last[(last["first"] == label) | (last["second"] == label)]
        assert row.after == pytest.approx(own["distance"].min())
        assert row.change == pytest.approx(row.after - row.before)
