"""Figures of the stability stage from invented sweeps: some, none and all of the runs failed."""

import numpy as np
import pandas as pd
import pytest

from tests.figures.words import check_words, words_in
from workflow_scripts.common.titles import TaskTitle
from workflow_scripts.figures import sweeps as drawing
from workflow_scripts.figures.results import add_result
from workflow_scripts.figures.sweeps import SweepTable
from workflow_scripts.figures.tables import drawn_table, markdown_table
from workflow_scripts.stability.measure_plane import barrier_row, plane_points

RTE = TaskTitle(name="rte", title="RTE")
MADE = TaskTitle(name="made", title="Entailment", synthetic=True)
PARTS = ("layer00", "layer01", "layer02", "pooler", "head")


def runs(failures: int, diverged: int = 0, count: int = 10, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    failed = np.arange(count) < failures
    scores = np.where(failed, 0.5, rng.uniform(0.7, 0.9, count))
    scores[:diverged] = np.nan
    return pd.DataFrame(
        {
            "init": range(count),
            "order": range(count),
            "failed": failed,
            "score": scores,
            "train_loss": np.where(np.isnan(scores), np.nan, np.where(failed, 0.69, 0.05)),
            "epochs": 3,
            "majority": 0.5,
        }
    )


def history(table: pd.DataFrame, steps: int = 12) -> pd.DataFrame:
    rows = []
    for run in table.itertuples():
        norms = {
            f"gradient_norm_{part}": (1e-4 if run.failed else 1.0)
            * np.linspace(1, 2, steps)
            * (place + 1)
            for place, part in enumerate(PARTS)
        }
        rows.append(
            pd.DataFrame(
                {"init": run.init, "order": run.order, "step": range(1, steps + 1), **norms}
            )
        )
    return pd.concat(rows, ignore_index=True)


def epochs(table: pd.DataFrame) -> pd.DataFrame:
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "init": run.init,
                    "order": run.order,
                    "epoch": range(4),
                    "accuracy": np.linspace(0.5, run.score, 4),
                }
            )
            for run in table.itertuples()
        ],
        ignore_index=True,
    )


def of(table: pd.DataFrame, task: TaskTitle = RTE, sweep: str = "devlin") -> SweepTable:
    return SweepTable(task, sweep, "accuracy", table)


@pytest.mark.parametrize("failures", [0, 4, 10])
def test_scores_show_every_run_and_count_the_failed_ones(failures):
    sweeps = [
        of(runs(failures, diverged=min(1, failures)), task, name)
        for task in (RTE, MADE)
        for name in ("devlin", "strong_with_a_long_name")
    ]
    figure, numbers = drawing.seed_scores(sweeps, "Each recipe with 10 seeds.")
    check_words(figure)
    said = {text.get_text() for text, _ in words_in(figure)}
    assert f"{failures} of 10 failed" in said
    assert "Entailment (synthetic)" in said
    assert len(numbers) == 4 * 10
    assert numbers["failed"].sum() == 4 * failures


def test_the_majority_class_of_f1_is_not_drawn():
    table = runs(3)
    assert drawing.majority_score(table, "accuracy") == 0.5
    assert drawing.majority_score(table, "mcc") == 0
    assert np.isnan(drawing.majority_score(table, "f1"))


@pytest.mark.parametrize("failures", [0, 4, 10])
def test_gradient_norms_are_geometric_means_over_failed_and_successful_runs(failures):
    table = runs(failures)
    figure, numbers = drawing.gradient_norms([of(table)], [of(history(table))])
    check_words(figure)
    said = {text.get_text() for text, _ in words_in(figure)}
    assert ("no run of devlin failed" in said) == (failures == 0)
    assert ("no run of devlin succeeded" in said) == (failures == 10)
    assert f"RTE: {failures} failed runs" in said
    for outcome, scale in (("failed", 1e-4), ("successful", 1.0)):
        rows = numbers[(numbers["outcome"] == outcome) & (numbers["part"] == "layer01")]
        if rows["runs"].iloc[0]:
            assert rows["gradient_norm"].tolist() == pytest.approx(
                (2 * scale * np.linspace(1, 2, 12)).tolist()
            )
        else:
            assert rows["gradient_norm"].isna().all()


def test_generalisation_has_every_run_once_at_its_end():
    pairs = [(of(table, RTE, name), table) for name, table in
             (("devlin", runs(4)), ("strong", runs(0, seed=1)))]  # fmt: skip
    figure, numbers = drawing.generalisation(
        [one for one, _ in pairs], [of(epochs(table), RTE, one.sweep) for one, table in pairs]
    )
    check_words(figure)
    ends = numbers[numbers["train_loss"].notna()]
    assert len(ends) == 20
    assert (ends["epoch"] == 3).all()
    expected = pd.concat([table["score"] for _, table in pairs])
    assert ends["score"].tolist() == pytest.approx(expected.tolist())


def spread(name: str) -> dict:
    names = ("failure_rate", "std", "mean")
    row = {f"{name}{end}": 0.25 for name in names for end in ("", "_low", "_high")}
    return {
        "sweep": name,
        "runs": 10,
        "failures": 4,
        **row,
        "median": 0.7,
        "largest": 0.8,
        "smallest": 0.5,
    }


def test_the_table_has_the_tests_and_the_papers_numbers_beside():
    spreads = pd.DataFrame([spread("devlin"), spread("strong")])
    tests = pd.DataFrame(
        [{"first": "devlin", "second": "strong", "brown_forsythe": 0.0004, "levene": 0.02,
          "boschloo": 0.03}]
    )  # fmt: skip
    paper = {"rte": {"devlin": [7.2, 52.3, 47.3, 71.1]}}
    numbers = drawing.stability_table([(RTE, "accuracy", spreads)], [tests], paper)
    assert numbers["mean"].tolist() == [25, 25]
    assert numbers["failure_rate"].tolist() == [0.25, 0.25]
    assert numbers["paper_mean"].tolist()[0] == 52.3
    page = markdown_table(*drawing.table_cells(numbers))
    assert "| RTE | strong | 4 of 10 [0.25, 0.25] | 25.0 [25.0, 25.0] | 25.0 |" in page
    assert "| <.001 | 0.020 | 0.030 |" in page
    assert "| paper |  |  | 7.2 | 52.3 | 47.3 | 71.1 |" in page
    check_words(drawn_table(*drawing.table_cells(numbers)))


def test_the_rules_of_a_table_keep_their_places_above_a_result():
    spreads = pd.DataFrame([spread("devlin")])
    tests = pd.DataFrame(columns=["first", "second"], dtype=str)
    numbers = drawing.stability_table([(RTE, "accuracy", spreads)], [tests])
    figure = drawn_table(*drawing.table_cells(numbers))

    def from_top(figure):
        high = figure.get_size_inches()[1]
        rules = [high * (1 - line.get_ydata()[0]) for line in figure.artists]
        words = [high * (1 - text.get_position()[1]) for text in figure.texts]
        return [*rules, *words]

    before = from_top(figure)
    add_result(figure, "A claim: supported.")
    assert len(figure.artists) == 3
    assert from_top(figure)[: len(before)] == pytest.approx(before)
    check_words(figure)


def test_a_table_of_one_recipe_has_no_tests():
    tests = pd.DataFrame(columns=["first", "second"], dtype=str)
    spreads = pd.DataFrame([spread("devlin")])
    numbers = drawing.stability_table([(MADE, "mcc", spreads)], [tests])
    cells = drawing.table_cells(numbers)[1]
    assert [cell[0] for cell in cells[0][-3:]] == ["–", "–", "–"]
    check_words(drawn_table(*drawing.table_cells(numbers)))


def forgotten(outcomes: list[str]) -> pd.DataFrame:
    rows = [{"outcome": "pretrained", "loss": 2.0}] if outcomes else []
    for place, outcome in enumerate(outcomes):
        for layers in range(7):
            loss = 2.0 + (6 - layers) * (2.0 if outcome == "failed" else 0.1)
            rows.append({"outcome": outcome, "init": place, "order": place,
                         "layers_reset": layers, "loss": loss})  # fmt: skip
    columns = ["outcome", "init", "order", "layers_reset", "loss"]
    table = pd.DataFrame(rows, columns=columns)
    table["perplexity"] = np.exp(table["loss"].astype(float))
    return table.assign(own_head=False)


@pytest.mark.parametrize("outcomes", [["failed", "successful"], ["successful"], ["failed"], []])
def test_forgetting_is_drawn_for_the_runs_that_there_are(outcomes):
    tables = [(task, forgotten(outcomes)) for task in (RTE, MADE)]
    figure, numbers = drawing.forgetting_curves(tables, "devlin")
    check_words(figure)
    said = " ".join(text.get_text() for text, _ in words_in(figure))
    if len(outcomes) == 1:
        missing = {"failed", "successful"} - set(outcomes)
        assert f"no {missing.pop()} run" in said
    if not outcomes:
        assert "no run of devlin ended with finite weights" in said.replace("\n", " ")
    assert "masked-LM probe" in said
    assert len(numbers) == 2 * max(1, 7 * len(outcomes) + bool(outcomes))


def planes(present: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    points = plane_points(present, -1.5, 1.5, 7, 41)
    parts = [
        points.assign(
            head=head,
            train_loss=0.01 + (points["alpha"].astype(float) - place) ** 2
            + points["beta"].astype(float) ** 2,
        )
        for place, head in enumerate(present)
    ]  # fmt: skip
    whole = pd.concat(parts) if parts else points.assign(head="", train_loss=np.nan)
    lines = [line for _, line in whole[whole["line"] != ""].groupby(["head", "line"])]
    columns = ["head", "line", "rise", "rise_back", "excess", "first_loss", "last_loss", "points"]
    return whole, pd.DataFrame([barrier_row(line) for line in lines], columns=columns)


@pytest.mark.parametrize(
    ("present", "said"),
    [
        (["failed", "successful"], ""),
        (["successful"], "no plane: no run of devlin failed"),
        (["failed"], "no plane: no run of devlin succeeded"),
        ([], "no run of devlin ended with finite weights"),
    ],
)
def test_a_plane_without_failed_runs_says_so_and_still_comes(present, said):
    figure, numbers = drawing.loss_planes([(MADE, *planes(present))], "devlin")
    check_words(figure)
    words = " ".join(text.get_text().replace("\n", " ") for text, _ in words_in(figure))
    assert said in words
    assert len(numbers)
    if present:
        assert numbers["rise"].notna().any()
