"""Every figure drawn from invented tables: files, numbers, gaps, sizes, words in their place."""

import json
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.figures.words import check_words, keep_figures, words_in
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.titles import TaskTitle, checkpoint_words
from workflow_scripts.figures.curves import learning_curves
from workflow_scripts.figures.inputs import Surface, interpolation_note, precision_note
from workflow_scripts.figures.maps import ERROR, LOSS
from workflow_scripts.figures.outcomes import outcome_note, point_word
from workflow_scripts.finetune.trainer_log import history_of
from workflow_scripts.landscape.grid import surface_points

STARTS = ["scratch", "pretrained"]
GROUPS = ["low", "middle", "high"]
SCRIPTS = {
    "figure1": "draw_surfaces",
    "figure2": "draw_loss_curves",
    "figure3": "draw_trajectories",
    "figure4": "draw_overfitting",
    "figure5": "draw_lines",
    "figure6": "draw_surfaces",
    "figure7": "draw_group_surfaces",
    "radii": "draw_radii",
    "table1": "draw_rollback_table",
}


RUN = {"start": "pretrained", "seeds": "init0_order0"}


def script(name):
    module = import_module(f"workflow_scripts.figures.{SCRIPTS[name]}")
    return getattr(module, SCRIPTS[name])


def arguments(name, tables):
    """Inputs and spec of a figure's script."""
    tasks = tables.tasks
    if name in ("figure1", "figure6"):
        quantity = {"figure1": "loss", "figure6": "error"}[name]
        return {**tables.planes(), "quantity": quantity, "tasks": tasks, "starts": STARTS}
    if name == "figure2":
        return {**tables.histories(), "tasks": tasks, "starts": STARTS}
    if name == "figure3":
        return {**tables.trajectories(tasks[:2]), "tasks": tasks[:2], "starts": STARTS}
    if name == "figure4":
        found = tables.trajectories(tasks[:1], more=20)
        return {
            "surface": found["surfaces"][1],
            "geometry": found["geometries"][1],
            "trajectories": [found["trajectories"][1]],
            "task": tasks[0],
            "scores": [tables.scores("first", 5), tables.scores("continued", 20)],
            "scored": [{"name": tasks[0]["name"], "task": tasks[0]["name"]} | RUN] * 2,
            "note": "20 more epochs with a fresh linear schedule",
        }
    if name == "figure5":
        return {**tables.lines(), "tasks": tasks, "starts": STARTS}
    if name == "radii":
        return {**tables.radii(), "tasks": tasks}
    if name == "figure7":
        return {**tables.groups(tasks[:2]), "tasks": tasks[:2], "groups": GROUPS}
    return {**tables.rollbacks(), "tasks": tasks, "groups": GROUPS}


def outputs(name, tables):
    return tables.outputs(name, *(["md"] if name == "table1" else []))


def draw(name, tables, **more):
    paths = outputs(name, tables)
    script(name)(**{**arguments(name, tables), **paths, **more})
    return paths


@pytest.fixture
def drawn(monkeypatch):
    """Figures that scripts save, kept for the test."""
    return keep_figures(monkeypatch, SCRIPTS.values())


@pytest.mark.parametrize(
    ("name", "count"),
    # Figures 3, 4 and 7 show two tasks at most.
    [(name, count) for name in SCRIPTS for count in ((2,) if name[-1] in "347" else (1, 8))],
)
def test_words_are_legible_inside_the_canvas_and_apart(name, count, tables, drawn):
    draw(name, tables(count, points=9))
    (figure,) = drawn
    check_words(figure)


@pytest.mark.parametrize("count", [3, 8])
@pytest.mark.parametrize("name", ["figure3", "figure7"])
def test_figures_of_chosen_tasks_have_room_for_all(name, count, tables, drawn):
    made = tables(count, points=9)
    found = made.trajectories(made.tasks) if name == "figure3" else made.groups(made.tasks)
    more = {"starts": STARTS} if name == "figure3" else {"groups": GROUPS}
    script(name)(**found, **outputs(name, made), tasks=made.tasks, **more)
    (figure,) = drawn
    assert all(t["title"] in words_of(figure) for t in made.tasks[:7])
    check_words(figure)


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_same_numbers_give_the_same_bytes(name, tables):
    first = {kind: path.read_bytes() for kind, path in draw(name, tables(points=9)).items()}
    again = {kind: path.read_bytes() for kind, path in draw(name, tables(points=9)).items()}
    assert {kind for kind in first if first[kind] != again[kind]} == set()
    assert first["pdf"].startswith(b"%PDF")
    assert first["png"].startswith(b"\x89PNG")
    assert b"/FontFile2" in first["pdf"]  # TrueType fonts, embedded
    assert b"CreationDate" not in first["pdf"]


def outcome(tables, name: str, failed: bool) -> Path:
    return tables.scores(name, 1, 0.34 if failed else 0.9, failed)


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_failed_run_is_marked_and_its_numbers_stay(name, tables, drawn):
    made = tables(2, points=9)
    shown = made.tasks[:1] if name == "figure4" else made.tasks
    scored = [
        {"name": t["name"], "task": t["name"], "start": start, "seeds": "init0_order0"}
        for t in shown
        for start in STARTS
    ]
    if name == "radii":
        scored = made.radii()["scored"]
    learned, failed = outcome(made, "learned", False), outcome(made, "failed", True)
    scores = [failed] + [learned] * (len(scored) - 1)
    before = pd.read_csv(draw(name, tables(2, points=9))["csv"])
    again = tables(2, points=9)
    after = pd.read_csv(draw(name, again, scores=scores, scored=scored)["csv"])
    dropped = ["majority"] if name == "table1" else []
    if name == "figure4":  # its errors over epochs are those of the scores
        before, after = (table[table["rows"] != "error"] for table in (before, after))
    pd.testing.assert_frame_equal(before.drop(columns=dropped), after.drop(columns=dropped))
    plain, marked = (" ".join(words_of(figure).split()) for figure in drawn)
    note = f"{shown[0]['title']} from scratch (34.0 %, majority 34.0 %)"
    assert note not in plain
    assert note in marked
    assert marked.count("failed run") == (0 if name == "table1" else 1)
    check_words(drawn[1])


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize("datasets", [["s2orc", "snli", "multi_nli"], ["s2orc", "eli5"], []])
def test_a_head_start_by_nli_pairs_is_said_of_tasks_of_pairs(name, datasets, tables, drawn):
    made = tables(2, points=9)
    shown = made.tasks[:1] if name == "figure4" else made.tasks
    scored = [
        {"name": t["name"], "task": t["name"], "start": start, "seeds": "init0_order0"}
        for t in shown
        for start in STARTS
    ]
    if name == "radii":
        scored = made.radii()["scored"]
    cards = [{"name": "minilm", "datasets": datasets, "architecture": "bert"}]
    # Only the first task is one of pairs.
    cards += [{"name": t["name"], "pair": t is shown[0]} for t in shown]
    paths = [made.folder / f"card{i}.json" for i in range(len(cards))]
    for card, path in zip(cards, paths, strict=True):
        path.write_text(json.dumps(card))
    scores = [outcome(made, "learned", False)] * len(scored) + paths
    draw(name, made, scores=scores, scored=scored)
    words = " ".join(words_of(drawn[0]).split())
    note = (
        "The pre-trained model had been trained on NLI pairs (snli and multi_nli) before: it has a "
        f"head start on {shown[0]['title']}."
    )
    assert (note in words) == ("snli" in datasets)
    assert ("head start" in words) == ("snli" in datasets)
    check_words(drawn[0])


def words_of(figure) -> str:
    from matplotlib.text import Text

    return " ".join(text.get_text() for text in figure.findobj(Text))


def test_figures_do_not_depend_on_the_users_matplotlib_settings(tables):
    import matplotlib

    first = draw("figure5", tables())["png"].read_bytes()
    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "red", "savefig.dpi": 10}):
        assert draw("figure5", tables())["png"].read_bytes() == first


@pytest.mark.parametrize(("name", "column"), [("figure1", "train_loss"), ("figure6", "dev_error")])
def test_numbers_of_a_surface_are_the_tables_and_keep_what_is_missing(name, column, tables):
    made = tables()
    numbers = pd.read_csv(draw(name, made)["csv"])
    for t in made.tasks:
        for start in STARTS:
            there = pd.read_parquet(made.folder / f"{t['name']}_{start}" / "surface.parquet")
            here = numbers[(numbers["task"] == t["name"]) & (numbers["start"] == start)]
            assert here["synthetic"].all()
            for name in ("alpha", "beta", column, f"{column}_se"):
                np.testing.assert_array_equal(here[name], there[name])
    assert numbers[column].isna().any()


def test_numbers_of_the_layer_groups_are_the_tables(tables):
    made = tables()
    numbers = pd.read_csv(draw("figure7", made)["csv"])
    t = made.tasks[1]["name"]
    there = pd.read_parquet(made.folder / f"{t}_pretrained_high" / "surface.parquet")
    here = numbers[(numbers["task"] == t) & (numbers["group"] == "high")]
    np.testing.assert_array_equal(here["train_loss"], there["train_loss"])
    assert set(here["anchor"].dropna()) == {"fine_tuned", "rollback"}


def test_numbers_of_the_trajectories_are_the_tables(tables):
    made = tables()
    numbers = pd.read_csv(draw("figure3", made)["csv"])
    t = made.tasks[0]["name"]
    there = pd.read_parquet(made.folder / f"{t}_scratch" / "trajectory.parquet")
    rows = numbers[(numbers["task"] == t) & (numbers["start"] == "scratch")]
    here = rows[rows["rows"] == "trajectory"]
    for column in there.columns.drop("run"):
        np.testing.assert_array_equal(here[column], there[column])
    assert (rows["rows"] == "surface").sum() == 17 * 17


def test_figure4_has_both_runs(tables):
    numbers = pd.read_csv(draw("figure4", tables())["csv"])
    runs = numbers[numbers["rows"] == "trajectory"].groupby("run")["epoch"].max()
    assert dict(runs) == {"target": 5, "continued": 20}
    errors = numbers[numbers["rows"] == "error"]
    assert errors["epoch"].tolist() == list(range(26))
    assert errors["continued"].sum() == 20
    assert errors["all_dev_error"].iloc[-1] == pytest.approx(0.2)
    low, high = errors[["low", "high"]].iloc[-1]
    assert low < 0.2 < high


def test_figure4_without_a_continuing_run_is_refused(tables):
    made = tables()
    given = arguments("figure4", made)
    made.trajectories(made.tasks[:1], more=0)
    with pytest.raises(UserError, match="needs one run that continues it, got none"):
        script("figure4")(**given, **made.outputs("figure4"))


def test_numbers_of_the_learning_curves_keep_every_step(tables):
    made = tables()
    numbers = pd.read_csv(draw("figure2", made)["csv"])
    t = made.tasks[1]["name"]
    there = pd.read_parquet(made.folder / t / "scratch" / "history.parquet")
    here = numbers[(numbers["task"] == t) & (numbers["start"] == "scratch")]
    np.testing.assert_array_equal(here["loss"], there["loss"])
    lost = here["loss"].isna()
    assert lost.sum() == 10
    assert here.loc[lost, "smoothed"].isna().all()
    assert here.loc[~lost, "smoothed"].notna().all()


def test_smoothing_is_a_centred_mean():
    from workflow_scripts.figures.curves import smooth

    history = pd.DataFrame({"step": np.arange(1, 13), "epoch": 1, "loss": np.arange(12.0)})
    smoothed = smooth(history, 0.25)["smoothed"]  # 3 of 12 steps
    np.testing.assert_allclose(smoothed[1:-1], history["loss"][1:-1])
    assert smoothed.iloc[0] == pytest.approx(0.5)


def test_distance_of_figure5_is_measured_from_the_end(tables):
    numbers = pd.read_csv(draw("figure5", tables())["csv"])
    ends = numbers[numbers["anchor"] == "end"]
    starts = numbers[numbers["anchor"] == "start"]
    assert (ends["distance"] == 0).all()
    np.testing.assert_allclose(starts["distance"], -starts["filter_distance"])
    np.testing.assert_allclose(
        numbers["high"] - numbers["train_loss"], 1.96 * numbers["train_loss_se"]
    )


def test_a_missing_surface_is_named(tables):
    made = tables()
    found = made.planes()
    with pytest.raises(UserError, match="no surface was given for task 'nli', start 'scratch'"):
        draw("figure1", made, surfaces=found["surfaces"][1:], geometries=found["geometries"][1:])


def test_surfaces_without_any_finite_value_are_still_drawn(tables, monkeypatch):
    made = tables(1)
    found = made.planes()
    for path in found["surfaces"]:
        table = pd.read_parquet(path)
        table[["train_loss", "train_loss_se"]] = np.nan
        table.to_parquet(path, index=False)
    paths = made.outputs("figure1")
    script("figure1")(**found, **paths, quantity="loss", tasks=made.tasks, starts=STARTS)
    assert pd.read_csv(paths["csv"])["train_loss"].isna().all()


def test_a_run_that_diverged_is_still_drawn(tables):
    made = tables(1)
    given = arguments("figure3", made)
    table = pd.read_parquet(given["trajectories"][0])
    table.loc[3:5, table.columns[2:]] = np.nan
    table.to_parquet(given["trajectories"][0], index=False)
    script("figure3")(**given, **made.outputs("figure3"))


@pytest.mark.parametrize("name", [f"figure{i}" for i in (1, 3, 4, 5, 6, 7)])
def test_a_lower_precision_is_stated_with_its_error(name, tables, drawn, monkeypatch):
    made = tables()
    points = made._points
    rough = {"precision": "bfloat16", "precision_error": 4.2e-4}
    monkeypatch.setattr(made, "_points", lambda *a, **more: points(*a, **more).assign(**rough))
    draw(name, made)
    draw(name, tables())
    shown = [" ".join(text.get_text() for text, _ in words_in(figure)) for figure in drawn]
    assert "Computed in bfloat16: mean losses within 4.2e-04 nats of float32." in shown[0]
    assert "float32" not in shown[1]


def test_precision_is_that_of_all_surfaces():
    def surface(precision: str, error: float) -> Surface:
        return Surface({}, pd.DataFrame({"precision": [precision], "precision_error": [error]}))

    exact, near, far = surface("float32", 0), surface("bfloat16", 1e-4), surface("bfloat16", 2e-4)
    assert precision_note([exact, exact]) == ""
    assert "bfloat16: mean losses within 2.0e-04 nats" in precision_note([near, far])
    assert "bfloat16 on 2 of 3 surfaces: mean losses within 2.0e" in precision_note(
        [near, exact, far]
    )
    assert "are not finite" in precision_note([near, surface("bfloat16", np.nan)])


def test_the_interpolation_note_gives_the_known_errors_of_a_bowl():
    # Bilinear interpolation of a² + b² is h²/2 too high at the centre of a cell of side h.
    points = surface_points("plane", -2.5, 2.5, 11)
    points["train_loss"] = points["alpha"] ** 2 + points["beta"] ** 2
    points["dev_error"] = 0.25
    bowl = Surface({}, points)
    centres = points.index[~points["on_grid"]]
    assert bowl.interpolation_errors("train_loss") == pytest.approx(np.full(12, 0.125))
    note = interpolation_note([bowl, bowl], LOSS)
    assert "off by 0.12 nats on average and 0.12 nats at most at 24 other points" in note
    assert "0.0 percentage points at most" in interpolation_note([bowl], ERROR)
    points.loc[centres[0], "train_loss"] = np.nan
    assert len(bowl.interpolation_errors("train_loss")) == 11
    assert interpolation_note([Surface({}, points[points["on_grid"]])], LOSS) == ""


def test_synthetic_tasks_are_named_so(tables, drawn):
    draw("figure2", tables(1))
    draw("figure2", tables(1, synthetic=False))
    shown = [{text.get_text() for text, _ in words_in(figure)} for figure in drawn]
    assert "(synthetic)" in shown[0]
    assert "(synthetic)" not in shown[1]


PAPER = {
    "nli": {"none": 86.54, "low": 86.73, "middle": 84.71, "high": 32.85, "note": "Misprint"},
}


def test_table1_shows_the_papers_values_next_to_its_own(tables):
    made = tables(synthetic=False)
    paths = draw("table1", made, paper=PAPER)
    numbers = pd.read_csv(paths["csv"]).set_index(["task", "group"])
    high = numbers.loc[("nli", "high")]
    assert high["accuracy"] == pytest.approx(56.8)
    assert high["paper_difference"] == pytest.approx(-53.69)
    assert high["from_paper"] == pytest.approx(56.8 - 32.85)
    assert np.isnan(numbers.loc[("entailment", "high"), "paper_accuracy"])
    text = paths["md"].read_text(encoding="utf-8")
    assert "32.85 (−53.69)" in text
    assert "| 56.8 −35.2 [−37.3, −33.3] |" in text
    assert "* Misprint." in text


def test_table1_without_the_papers_values_does_not_mention_them(tables):
    text = draw("table1", tables())["md"].read_text(encoding="utf-8")
    assert "aper" not in text.replace("Paraphrase", "")
    assert "NLI (synthetic)" in text


def test_a_contour_along_a_plateau_is_left_out():
    from workflow_scripts.figures.scales import readable_lines

    values = np.full((10, 10), 0.5)
    values[4:6, 4:6] = 0.1
    values += 0.001 * np.cos(np.arange(100)).reshape(10, 10)
    assert readable_lines(values, [0.2, 0.5], margin=0.01) == [0.2]


def test_a_loss_scale_ends_at_a_round_value_and_no_higher_than_20():
    from workflow_scripts.figures.scales import loss_scale

    assert loss_scale([np.array([0.1, 3.2, np.nan])]).vmax == 5
    assert loss_scale([np.array([0.1, 400.0])]).vmax == 20


def test_the_number_of_examples_is_the_tables_own(tables):
    from workflow_scripts.figures.inputs import read_surfaces

    found = tables(1).planes()
    for surface in read_surfaces(found["surfaces"], found["geometries"]):
        assert surface.examples("dev") == 64


def test_captions_say_which_runs_are_imported_and_count_their_checkpoints():
    words = checkpoint_words([0, 50, 1000], own_start=False)
    title = TaskTitle(name="reviews", title="Reviews", imported=words)
    other = TaskTitle(name="nli", title="NLI")
    assert outcome_note([title, other]) == (
        " Reviews is an imported run: checkpoints from 1 are at steps 50, 1,000; θ₀ is the base "
        "model with the last head."
    )
    assert "θ₀ is its own step 0" in checkpoint_words([0, 50], own_start=True)
    assert checkpoint_words(range(0, 200, 10), True).count(",") == 7
    found = [point_word(titles) for titles in ([other], [title], [title, other])]
    assert found == ["epoch", "checkpoint", "epoch or checkpoint"]
    assert "imported" not in other.as_spec()
    assert TaskTitle(**title.as_spec()).imported == words


def test_a_run_without_logged_losses_has_marks_at_its_checkpoints():
    history = history_of([], [0, 5, 10], train_examples=40)
    title = TaskTitle(name="reviews", title="Reviews", imported=checkpoint_words([0, 5, 10], False))
    figure, numbers = learning_curves(
        {("reviews", "pretrained"): history}, {"reviews": 2}, [title], ["pretrained"]
    )
    assert numbers["step"].tolist() == [5, 10]
    texts = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    assert {"checkpoint", "loss not finite, or not logged"} <= set(texts)
