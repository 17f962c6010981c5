"""The ledger of Hao et al. (2019) from invented files."""

import numpy as np
import pandas as pd
import pytest

from tests.report.conftest import LABELS, RUNS, SETTINGS, STARTS
from workflow_scripts.common.tables import write_table
from workflow_scripts.report.claims import CLAIMS
from workflow_scripts.report.evaluate_claims import evaluate_claims, read_plane, read_run


def ledger_of(files, folder, **more):
    paths = {
        name: folder / f"claims.{kind}"
        for name, kind in (("ledger", "parquet"), ("csv", "csv"), ("markdown", "md"))
    }
    evaluate_claims(**{**files, **paths, **SETTINGS, **more})
    ledger = pd.read_csv(paths["csv"], keep_default_na=False)
    assert ledger["claim"].tolist() == pd.read_parquet(paths["ledger"])["claim"].tolist()
    return ledger.set_index(["claim", "task"])


def test_the_ledger_has_every_claim_with_the_numbers_of_its_files(files, tmp_path):
    ledger = ledger_of(files, tmp_path)
    assert set(ledger.index.get_level_values("claim")) == {claim.name for claim in CLAIMS}
    assert ledger["synthetic"].all()
    wider = ledger.loc["wider_optimum"].query("claimed == 'above'")
    assert wider["value"].astype(float).tolist() == pytest.approx([2] * 4, rel=0.05)
    assert wider["runs"].tolist() == [1, 1, 2, 2]
    assert set(wider["verdict"]) == {"agrees"}
    area = ledger.loc[("easier_optimisation", "Nli")].iloc[0]
    assert "dropout 0.1 / 0.0" in area["measure"]
    # Trapezoids over two epochs of 24 examples: (.7 + .1) / 2 + (.1 + .05) / 2, and from scratch.
    expected = ((0.8 + 0.15) - (1.2 + 0.6)) / 4
    assert float(area["value"]) == pytest.approx(expected)
    assert area["conclusion"] == "inconclusive"
    lost = ledger.loc[("invariant_low_layers", "Sentiment")]
    assert lost["value"].astype(float).tolist() == pytest.approx([0, 100 * 19 / 30, 100 * 19 / 30])
    cosines = ledger.loc["nearly_orthogonal"].query("claimed == 'below'")
    assert cosines["value"].astype(float).tolist() == pytest.approx([0.2, 0.03])
    assert cosines["conclusion"].tolist() == ["disagrees", "agrees"]
    (error, loss) = ledger.loc[("robust_to_overfitting", "Nli")].itertuples()
    assert float(error.value) == pytest.approx(30)
    assert (error.conclusion, float(loss.value)) == ("disagrees", 0)


def test_without_rollbacks_their_claim_is_left_out(files, tmp_path):
    ledger = ledger_of(files, tmp_path, rollbacks=None, rolled_back=None)
    expected = {claim.name for claim in CLAIMS} - {"invariant_low_layers"}
    assert set(ledger.index.get_level_values("claim")) == expected


def test_without_runs_from_scratch_only_what_needs_none_is_evaluated(files, tmp_path):
    kept = [start == "pretrained" for _, start, _ in RUNS]
    per_run = ("trajectories", "paths", "rays", "radii", "histories", "scores", "scored")
    alone = {
        name: [one for one, keep in zip(files[name], kept, strict=True) if keep] for name in per_run
    } | {name: files[name][1::2] for name in ("geometries", "planes")}
    ledger = ledger_of(files, tmp_path, starts=["pretrained"], **alone)
    whole = ledger_of(files, tmp_path)
    compared = {"wider_optimum", "easier_optimisation", "first_epoch_direction"}
    compared |= {"scratch_ends_higher", "more_consistent_surfaces"}
    assert set(ledger.index.get_level_values("claim")) == {c.name for c in CLAIMS} - compared
    assert not ledger["measure"].str.contains("scratch").any()
    for claim in set(ledger.index.get_level_values("claim")) - {"nearly_orthogonal"}:
        same = whole.loc[[claim]]
        same = same[~same["measure"].str.contains("scratch")]
        assert ledger.loc[[claim], "value"].tolist() == same["value"].tolist()


@pytest.mark.parametrize("start", STARTS)
def test_what_rests_on_a_failed_run_has_no_verdict(files, tmp_path, start):
    failed = pd.read_parquet(files["scores"][0]).assign(failed=True)
    write_table(failed, tmp_path / "failed.parquet")
    scores = list(files["scores"])
    scores[RUNS.index(("nli", start, "init0_order0"))] = tmp_path / "failed.parquet"
    whole, ledger = ledger_of(files, tmp_path), ledger_of(files, tmp_path, scores=scores)
    assert ledger["measure"].tolist() == whole["measure"].tolist()
    of_run = ledger.index.get_level_values("task") == "Nli"
    names = ledger.index.get_level_values("claim")
    alone = names.isin(["no_loss_barrier", "consistent_surfaces", "wider_low_layers"])
    alone |= names.isin(["robust_to_overfitting", "invariant_low_layers"])
    rests = of_run & (~alone | (start == "pretrained"))
    assert set(ledger["conclusion"][rests]) == {"not applicable"}
    assert ledger["conclusion"][~rests].tolist() == whole["conclusion"][~rests].tolist()
    assert (tmp_path / "claims.md").read_text().count("| failed |") == 1


def test_a_continuation_to_a_failed_run_has_no_verdict(files, tmp_path):
    failed = pd.read_parquet(files["continued"][0]).assign(failed=True)
    write_table(failed, files["continued"][0])
    ledger = ledger_of(files, tmp_path)
    assert set(ledger.loc["robust_to_overfitting", "conclusion"]) == {"not applicable"}


def test_a_missing_file_is_refused(files, tmp_path):
    with pytest.raises(ValueError, match="zip"):
        ledger_of(files, tmp_path, paths=files["paths"][1:])


def test_a_run_has_the_examples_that_it_had_seen_at_each_checkpoint(files):
    names = ("trajectories", "paths", "rays", "radii", "histories")
    run = read_run("init0_order0", *(files[name][0] for name in names), failed=False)
    assert run.seen.tolist() == [0, 24, 48]
    assert run.path.shape == (41, 30)
    assert run.end_loss == 0.1


def test_a_plane_has_the_order_of_its_coordinates_and_no_other_points(files):
    plane = read_plane(files["planes"][0], LABELS)
    assert plane.losses.shape == plane.errors.shape == (9, 9, 30)
    assert plane.end == (4, 6)
    mean = plane.losses.mean(axis=2)
    assert np.unravel_index(mean.argmin(), mean.shape) == plane.end
    assert set(np.unique(plane.errors)) == {0, 1}
