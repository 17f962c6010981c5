"""The claims of Zhou and Srikumar (2022), on distances whose verdicts are known beforehand."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from workflow_scripts.common.titles import TaskTitle
from workflow_scripts.probing.direct_probe import LabelDistances
from workflow_scripts.report.ledger import ledger_table
from workflow_scripts.report.probing_claims import CLAIMS, ProbingEvidence, RunGeometry

LAYERS, LABELS = range(-1, 6), 8
TITLE = TaskTitle(name="tags", title="Word classes", synthetic=True)


def distances(values: np.ndarray, state: str = "separated") -> LabelDistances:
    states = np.full(len(values), "separated", dtype="<U11")
    states[0] = state
    return LabelDistances(np.arange(LABELS), values, values, states)


def geometry(seed: int = 0, growth: float = 0.5, noise: float = 0.05, clusters=(3, 1)):
    """A run whose distances grow by a share, upper layers more, with noise between the splits."""
    random = np.random.default_rng(seed)
    count = LABELS * (LABELS - 1) // 2
    start = 1 + np.random.default_rng(99).random(count)
    found = {}
    for layer in LAYERS:
        moved = random.normal(size=count)
        for epoch in (0, 1):
            change = epoch * (layer + 2) / 7
            for split, factor in (("train", 1), ("dev", 3)):
                values = start * (1 + growth * change) + noise * change * factor * moved
                found[epoch, layer, split] = distances(np.maximum(values, 0.01))
    rows = [{"epoch": e, "clusters": clusters[e]} for e in (0, 1) for _ in range(LABELS)]
    probes = [
        {"epoch": epoch, "kind": kind, "dev": 0.6 + 0.1 * epoch + 0.01 * k}
        for epoch in (0, 1)
        for kind in ("logistic", "mlp")
        for k in range(2)
    ]
    return RunGeometry(
        f"init{seed}_order{seed}", False, found, pd.DataFrame(rows), pd.DataFrame(probes)
    )


def conclusions(*runs: RunGeometry) -> dict[str, str]:
    table = ledger_table(CLAIMS, [ProbingEvidence(TITLE, list(runs))])
    return table.groupby("claim")["conclusion"].first().to_dict()


def rows_of(claim: str, *runs: RunGeometry) -> pd.DataFrame:
    table = ledger_table(CLAIMS, [ProbingEvidence(TITLE, list(runs))])
    return table[table["claim"] == claim].reset_index(drop=True)


def test_three_runs_support_or_contradict_and_one_only_agrees():
    three = [geometry(seed) for seed in range(3)]
    assert conclusions(*three) == {
        "distances_increase": "supported",
        "labels_join": "supported",
        "upper_layers_change_more": "supported",
        "positions_preserved": "supported",
        "splits_diverge": "supported",
    }
    one = conclusions(three[0])
    assert set(one.values()) == {"agrees"}
    shrinking = [geometry(seed, growth=-0.5, clusters=(1, 3)) for seed in range(3)]
    found = conclusions(*shrinking)
    assert found["distances_increase"] == "contradicted"
    assert found["labels_join"] == "not applicable"  # each label is one cluster before


def test_a_number_of_one_run_has_an_interval_over_labels_and_of_three_over_runs():
    runs = [geometry(seed) for seed in range(3)]
    of_one = rows_of("distances_increase", runs[0]).iloc[0]
    of_three = rows_of("distances_increase", *runs).iloc[0]
    assert (of_one["runs"], of_three["runs"]) == (1, 3)
    train = [
        (
            run.at(0, "train").nearest,
            run.at(1, "train").nearest,
        )
        for run in runs
    ]
    shares = [np.mean(after - before) / np.mean(before) for before, after in train]
    assert of_one["value"] == pytest.approx(shares[0])
    assert of_three["value"] == pytest.approx(np.mean(shares))
    half = 4.302653 * np.std(shares, ddof=1) / np.sqrt(3)  # Student's t of two degrees of freedom
    assert of_three["high"] - of_three["value"] == pytest.approx(half, rel=1e-5)
    left_out = []
    for label in range(LABELS):
        kept = np.delete(np.arange(LABELS), label)
        before, after = (runs[0].at(end, "train").among(kept).nearest for end in (0, 1))
        left_out.append(np.mean(after - before) / np.mean(before))
    error = np.sqrt((LABELS - 1) * np.var(left_out))
    assert of_one["high"] - of_one["value"] == pytest.approx(2.364624 * error, rel=1e-5)


def test_pearson_is_numpys_and_is_not_applicable_where_labels_overlap():
    run = geometry()
    row = rows_of("positions_preserved", run).iloc[0]
    pair = [run.at(end, "train").distance for end in (0, 1)]
    assert row["value"] == pytest.approx(np.corrcoef(*pair)[0, 1])
    assert row["high"] <= 1
    overlapping = dict(run.distances)
    overlapping[1, 5, "train"] = distances(run.at(1, "train").distance, "overlapping")
    found = conclusions(replace(run, distances=overlapping))
    assert found["positions_preserved"] == "not applicable"
    assert found["distances_increase"] == "agrees"  # needs no separation


def test_measures_of_one_claim_must_agree():
    run = geometry()
    changed = {
        key: distances(0.9 * run.distances[0, key[1], "dev"].distance)
        if key[0] == 1 and key[2] == "dev"
        else value
        for key, value in run.distances.items()
    }
    rows = rows_of("distances_increase", replace(run, distances=changed))
    assert rows["verdict"].tolist() == ["agrees", "disagrees"]
    assert set(rows["conclusion"]) == {"inconclusive"}


def test_failed_runs_and_two_labels_give_no_verdict():
    assert set(conclusions(replace(geometry(), failed=True)).values()) == {"not applicable"}
    few = {
        key: LabelDistances(np.arange(2), v.distance[:1], v.lower[:1], v.state[:1])
        for key, v in geometry().distances.items()
    }
    found = conclusions(replace(geometry(), distances=few))
    assert found["positions_preserved"] == found["splits_diverge"] == "not applicable"
    assert found["distances_increase"] == "inconclusive"  # no interval over two labels


def test_accuracies_of_probes_are_reported_beside():
    rows = rows_of("splits_diverge", geometry())
    assert rows["verdict"].tolist() == ["agrees", "reported only", "reported only"]
    assert rows["value"].tolist()[1:] == pytest.approx([10, 10])


def test_without_clusters_their_claim_is_left_out():
    run = replace(geometry(), clusters=pd.DataFrame())
    assert set(conclusions(run)) == {claim.name for claim in CLAIMS} - {"labels_join"}


def test_the_methods_describe_every_claim_and_no_other():
    page = (Path(__file__).parents[2] / "docs/explanation/methods.md").read_text(encoding="utf-8")
    section = page.split("### Claims of Zhou and Srikumar (2022)")[1].split("\n## ")[0]
    described = re.findall(r"^\| `(\w+)` \(", section, re.MULTILINE)
    assert described == [claim.name for claim in CLAIMS]
