"""Figures of learning dynamics from invented tables: numbers, marks, gaps, words, bad input."""

from importlib import import_module

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from tests.figures.dynamics import MEASURES, Dynamics, pair
from tests.figures.words import check_words, keep_figures, words_in
from workflow_scripts.common.errors import UserError
from workflow_scripts.figures import scales, style

SCRIPTS = [
    "attention_layers",
    "representation_layers",
    "layer_rollback",
    "attention_heads",
    "layer_matrices",
]
LN2 = np.log(2)


def script(name):
    return getattr(import_module(f"workflow_scripts.figures.draw_{name}"), f"draw_{name}")


def pairs_of(count, comparison="change", synthetic=True):
    return [pair(index, comparison, synthetic) for index in range(count)]


def tables_of(name, made, **more):
    return {
        "attention_layers": made.attention,
        "representation_layers": made.representations,
        "layer_rollback": made.rollbacks,
        "attention_heads": made.attention,
        "layer_matrices": made.matrices,
    }[name](**more)


def arguments(name, made):
    """What a script takes besides tables and outputs."""
    if name == "layer_rollback":
        keys = ("name", "title", "synthetic")
        return {"tasks": [{key: one[key] for key in keys} for one in made.pairs]}
    return {"pairs": made.pairs} | ({"measure": "svcca"} if name == "layer_matrices" else {})


def draw(name, made, tables=None, **more):
    outputs = {kind: made.folder / f"{name}.{kind}" for kind in ("pdf", "png", "csv")}
    script(name)(
        **{
            "tables": tables if tables is not None else tables_of(name, made),
            **outputs,
            **arguments(name, made),
            **more,
        }
    )
    return outputs


def rewrite(path, change):
    """Write a table again, changed in place or replaced by what ``change`` returns."""
    table = pd.read_parquet(path)
    changed = change(table)
    (table if changed is None else changed).to_parquet(path, index=False)


@pytest.fixture
def made(tmp_path):
    """Factory of invented tables in a folder of the test."""
    return lambda count=2, comparison="change", **more: Dynamics(
        tmp_path, pairs_of(count, comparison), **more
    )


@pytest.fixture
def drawn(monkeypatch):
    """Figures that scripts save, kept for the test."""
    return keep_figures(monkeypatch, [f"draw_{name}" for name in SCRIPTS])


def panels(figure):
    """Axes in the order of the sheet, without a colour bar."""
    return [axes for axes in figure.axes if axes.get_xlabel()]


def points(axes, index, hollow=None):
    """Marks of the curve of a pair: x -> y."""
    look = style.curve_look(index)
    found = {}
    for line in axes.lines:
        mine = line.get_marker() == look["marker"] and line.get_color() == look["color"]
        white = to_hex(line.get_markerfacecolor()) == "#ffffff"
        if mine and (hollow is None or hollow == white):
            found |= dict(zip(*(map(float, data) for data in line.get_data()), strict=True))
    return dict(sorted(found.items()))


def words(figure):
    return " ".join(text.get_text() for text, _ in words_in(figure)).replace("\n", " ")


# The figures

SHAPES = {
    "one pair, 3 layers": {"count": 1, "layers": 3, "heads": 4},
    "4 pairs, 6 layers": {"count": 4, "layers": 6},
    "6 pairs of tasks, 24 layers": {"count": 6, "comparison": "tasks", "layers": 24, "heads": 16},
    "3 pairs of seeds, 12 layers": {"count": 3, "comparison": "seeds", "layers": 12},
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", SCRIPTS)
def test_words_are_legible_inside_the_canvas_and_apart(name, shape, made, drawn):
    tables = made(**SHAPES[shape])
    draw(name, tables)
    check_words(drawn[0])


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("attention_layers", {"lost": True, "zero": True}),
        ("representation_layers", {"lost": True, "few": True}),
        ("attention_heads", {"lost": True, "zero": True}),
        ("layer_matrices", {"lost": True, "few": True}),
    ],
)
def test_words_of_gaps_and_warnings_are_legible_too(name, more, made, drawn):
    tables = made(6, "tasks", layers=24, heads=16)
    draw(name, tables, tables_of(name, tables, **more))
    check_words(drawn[0])
    shown = words(drawn[0])
    assert "finite" in shown
    assert ("Fewer than ten tokens" in shown) == ("few" in more)


@pytest.mark.parametrize("name", ["attention_heads", "layer_matrices"])
def test_before_and_after_comes_first_and_tasks_begin_a_row(name, tmp_path, drawn):
    mixed = [*pairs_of(3, "tasks"), *pairs_of(4, "change")]
    draw(name, Dynamics(tmp_path, mixed, layers=12))
    check_words(drawn[0])
    maps = panels(drawn[0])
    titles = [" ".join(text.get_text() for text in axes.texts[::-1]) for axes in maps]
    assert [("–" in title) for title in titles] == [False] * 4 + [True] * 3
    heights = [round(axes.get_position().y0, 6) for axes in maps]
    assert len(set(heights[:4])) == 1
    assert len(set(heights[4:])) == 1
    assert heights[0] > heights[4]


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_same_numbers_give_the_same_bytes(name, made):
    first = {kind: path.read_bytes() for kind, path in draw(name, made()).items()}
    again = {kind: path.read_bytes() for kind, path in draw(name, made()).items()}
    assert {kind for kind in first if first[kind] != again[kind]} == set()
    assert first["pdf"].startswith(b"%PDF")
    assert b"/FontFile2" in first["pdf"]  # TrueType fonts, embedded


@pytest.mark.parametrize("name", SCRIPTS)
def test_synthetic_tasks_are_named_so(name, tmp_path, drawn):
    for synthetic in (True, False):
        made = Dynamics(tmp_path, pairs_of(2, synthetic=synthetic))
        numbers = pd.read_csv(draw(name, made)["csv"])
        assert (numbers["synthetic"] == synthetic).all()
    assert ["(synthetic)" in words(figure) for figure in drawn] == [True, False]


def test_curves_are_distinct_without_colour():
    looks = [style.curve_look(index) for index in range(32)]
    assert len({look["marker"] for look in looks[:8]}) == 8
    assert len({(look["marker"], str(look["linestyle"])) for look in looks}) == 32


# dynamics1, 4, 6


def test_js_of_a_layer_is_the_mean_over_examples_and_its_interval_holds_it(made, drawn):
    tables = made(3, examples=300)
    paths = tables.attention()
    numbers = pd.read_csv(draw("attention_layers", tables, paths)["csv"])
    for index, one in enumerate(tables.pairs):
        here = numbers[numbers["pair"] == one["name"]].set_index("layer")
        by_layer = pd.read_parquet(paths[index]).groupby("layer")
        np.testing.assert_allclose(here["js"], by_layer["js"].mean(), rtol=1e-13)
        for column in ("cls", "sep", "other"):
            np.testing.assert_allclose(here[column], by_layer[column].mean(), rtol=1e-13)
        assert (here["low"] < here["js"]).all()
        assert (here["js"] < here["high"]).all()
        # The percentile bootstrap of a mean of 300 comes near the normal interval.
        half = 1.96 * by_layer["js"].sem()
        np.testing.assert_allclose(here["js"] - here["low"], half, rtol=0.2)
        np.testing.assert_allclose(here["high"] - here["js"], half, rtol=0.2)
        assert set(here["examples"]) == {300}
        for axes in panels(drawn[0]):
            assert points(axes, index) == pytest.approx(dict(here["js"]), rel=1e-13)


def test_resamples_change_the_interval_alone(made):
    tables = made(1)
    paths = tables.attention()
    few = pd.read_csv(draw("attention_layers", tables, paths, resamples=50)["csv"])
    many = pd.read_csv(draw("attention_layers", tables, paths, resamples=2000)["csv"])
    np.testing.assert_array_equal(few["js"], many["js"])
    assert (few["low"] != many["low"]).all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_layer_with_a_value_that_is_not_finite_is_a_cross_and_no_mark(value, made, drawn):
    tables = made(2)
    paths = tables.attention(lost=True)
    for path in paths:
        rewrite(path, lambda table: table.fillna({"js": value}))
    numbers = pd.read_csv(draw("attention_layers", tables, paths)["csv"])
    last = numbers[numbers["layer"] == 5]
    assert last[["js", "low", "high"]].isna().all(axis=None)
    assert numbers.loc[numbers["layer"] < 5, ["js", "low", "high"]].notna().all(axis=None)
    assert "not finite" in words(drawn[0])
    for axes in panels(drawn[0]):
        assert set(points(axes, 0)) == {0, 1, 2, 3, 4}
        crosses = [line.get_xdata() for line in axes.lines if line.get_marker() == "x"]
        np.testing.assert_array_equal(crosses, [[5], [5]])
        highest = [line.get_ydata().min() for line in axes.lines if line.get_marker() == "x"]
        place = axes.transData.transform((0, numbers["high"].max()))
        top = axes.transAxes.inverted().transform(place)[1]
        assert min(highest) > top, "a cross lies among the curves"


def test_a_divergence_of_zero_is_drawn_at_the_foot_of_the_log_axis(made, drawn):
    tables = made(2)
    draw("attention_layers", tables, tables.attention(zero=True))
    linear, logarithmic = panels(drawn[0])
    assert (linear.get_yscale(), logarithmic.get_yscale()) == ("linear", "log")
    assert points(linear, 1, hollow=True) == {}
    assert points(logarithmic, 1, hollow=True) == {0.0: logarithmic.get_ylim()[0]}
    assert min(points(logarithmic, 1, hollow=False).values()) > 2 * logarithmic.get_ylim()[0]
    assert "exactly 0" in words(drawn[0])


def test_ln_2_is_drawn_only_where_curves_come_near(made, drawn):
    tables = made(1)
    paths = tables.attention()
    draw("attention_layers", tables, paths)
    assert "ln 2" not in words(drawn[0])
    rewrite(paths[0], lambda table: table.assign(js=0.69 * table["js"] / table["js"].max()))
    draw("attention_layers", tables, paths)
    assert "largest possible, ln 2" in words(drawn[1])
    assert panels(drawn[1])[0].get_ylim()[1] > LN2


def test_two_models_with_the_same_attention_are_still_drawn(made, drawn):
    tables = made(1)
    paths = tables.attention()
    for path in paths:
        rewrite(
            path,
            lambda table: table.assign(js=0.0, heads=[np.zeros(tables.heads)] * len(table)),
        )
    for name in ("attention_layers", "attention_heads"):
        numbers = pd.read_csv(draw(name, tables, paths)["csv"])
        assert (numbers["js"] == 0).all()
    for figure in drawn:
        check_words(figure)


# dynamics2, 3, 5, 7


@pytest.mark.parametrize("name", ["representation_layers", "layer_rollback"])
def test_distances_are_the_tables(name, made, drawn):
    tables = made(3, "change" if name == "layer_rollback" else "tasks")
    paths = tables_of(name, tables)
    numbers = pd.read_csv(draw(name, tables, paths)["csv"])
    own = "task" if name == "layer_rollback" else "pair"
    first = 0 if name == "layer_rollback" else -1
    for index, one in enumerate(tables.pairs):
        there = pd.read_parquet(paths[index]).set_index(["measure", "layer"])
        here = numbers[numbers[own] == one["name"]].set_index(["measure", "layer"])
        assert set(here.index) == {
            (measure, layer)
            for measure in ("svcca", "cka_unbiased_distance")
            for layer in range(first, 6)
        }
        for column in there:
            np.testing.assert_array_equal(here[column], there.loc[here.index, column])
        for axes, measure in zip(panels(drawn[0]), ("svcca", "cka_unbiased_distance"), strict=True):
            assert points(axes, index) == dict(here.loc[measure, "value"])


def test_every_measure_has_a_panel(made, drawn):
    tables = made(2, layers=12)
    numbers = pd.read_csv(draw("representation_layers", tables, measures=MEASURES)["csv"])
    assert list(dict.fromkeys(numbers["measure"])) == MEASURES
    labels = [axes.get_ylabel() for axes in panels(drawn[0])]
    assert len(set(labels)) == len(MEASURES)
    check_words(drawn[0])


def test_one_measure_alone(made, drawn):
    tables = made(2)
    draw("layer_rollback", tables, measures=["svcca"])
    (axes,) = panels(drawn[0])
    assert axes.get_ylabel() == "SVCCA distance\nof the last layer"
    check_words(drawn[0])


def test_vacuous_points_are_hollow(made, drawn):
    tables = made(2)
    draw("representation_layers", tables, tables.representations(few=True))
    svcca, cka = panels(drawn[0])
    for index in range(2):
        assert set(points(svcca, index, hollow=True)) == {4, 5}
        assert set(points(svcca, index, hollow=False)) == {-1, 0, 1, 2, 3}
        assert points(cka, index, hollow=True) == {}
    assert "vacuous" in words(drawn[0])


def test_pairs_with_few_tokens_are_named(made, drawn):
    tables = made(2)
    paths = tables.representations()
    rewrite(paths[1], lambda table: table.assign(few=True))
    draw("representation_layers", tables, paths)
    assert "so that values are biased: Entailment." in words(drawn[0])


def test_a_null_is_drawn_where_it_is_near_and_written_where_it_is_far(made, drawn):
    tables = made(2)
    near = tables.representations(scale=0.6)
    draw("representation_layers", tables, near)
    svcca, _ = panels(drawn[0])
    null = pd.read_parquet(near[0]).query("measure == 'svcca'")["null"]
    assert svcca.get_ylim()[1] > null.max()
    drawn_nulls = [line.get_ydata() for line in svcca.lines if len(line.get_ydata()) == len(null)]
    assert any(np.array_equal(values, null) for values in drawn_nulls)
    assert "null): 0" not in words(drawn[0])
    draw("representation_layers", tables, tables.representations(scale=0.1))
    svcca, _ = panels(drawn[1])
    assert svcca.get_ylim()[1] < null.min()
    assert "unrelated tokens (null): 0.53–0.66 ↑" in words(drawn[1])


def test_measures_without_intervals_have_no_band(made, drawn):
    tables = made(2)
    draw("representation_layers", tables, measures=["relative_l2"])
    assert "interval" not in words(drawn[0])
    assert "null" not in words(drawn[0])


def test_a_distance_that_is_not_finite_leaves_a_gap(made, drawn):
    tables = made(3)
    draw("representation_layers", tables, tables.representations(lost=True))
    assert "not finite" in words(drawn[0])
    for axes in panels(drawn[0]):
        assert [2 in points(axes, index) for index in range(3)] == [False, False, True]


# Maps


def cells(axes):
    """Values of a map, [rows, columns]; NaN where there is no colour."""
    (mesh,) = [c for c in axes.collections if hasattr(c, "get_coordinates")]
    return np.ma.filled(mesh.get_array(), np.nan)


def hatched(axes, hatch):
    """Cells that are in patches with this hatch, [rows, columns]."""
    rows, columns = (axis.get_view_interval() for axis in (axes.yaxis, axes.xaxis))
    places = [
        (x, y)
        for y in np.arange(rows[0] + 0.5, rows[1])
        for x in np.arange(columns[0] + 0.5, columns[1])
    ]
    inside = np.zeros(len(places), bool)
    for patch in axes.patches:
        if patch.get_hatch() == hatch:
            path = patch.get_path()
            for box in path.to_polygons():
                low, high = box.min(axis=0), box.max(axis=0)
                inside |= [bool((low < place).all() and (place < high).all()) for place in places]
    return inside.reshape(cells(axes).shape)


def test_heads_are_means_over_examples_with_the_last_layer_on_top(made, drawn):
    tables = made(2, layers=6, heads=4)
    paths = tables.attention()
    numbers = pd.read_csv(draw("attention_heads", tables, paths)["csv"])
    for index, (one, axes) in enumerate(zip(tables.pairs, panels(drawn[0]), strict=True)):
        table = pd.read_parquet(paths[index])
        expected = np.stack(
            [
                np.mean(table.loc[table["layer"] == layer, "heads"].tolist(), axis=0)
                for layer in range(6)
            ]
        )
        here = numbers[numbers["pair"] == one["name"]]
        found = here.pivot(index="layer", columns="head", values="js").to_numpy()
        np.testing.assert_allclose(found, expected, rtol=1e-13)
        (mesh,) = [c for c in axes.collections if hasattr(c, "get_coordinates")]
        shown = np.maximum(expected, mesh.norm.vmin)
        np.testing.assert_allclose(cells(axes), shown, rtol=1e-13)
        assert axes.get_ylim() == (-0.5, 5.5)


def test_a_head_without_change_has_the_lowest_colour_and_one_that_is_lost_none(made, drawn):
    tables = made(1)
    draw("attention_heads", tables, tables.attention(lost=True, zero=True))
    (axes,) = panels(drawn[0])
    shown = cells(axes)
    (mesh,) = [c for c in axes.collections if hasattr(c, "get_coordinates")]
    assert (shown[0] == mesh.norm.vmin).all()
    assert np.isnan(shown[-1]).all()
    assert hatched(axes, "/////").sum() == 12
    assert hatched(axes, "/////")[-1].all()


@pytest.mark.parametrize("measure", ["svcca", "cka", "cka_unbiased"])
def test_rows_of_a_matrix_are_the_first_models_layers(measure, made, drawn):
    tables = made(2, layers=4)
    paths = tables.matrices()
    for path in paths:  # not symmetric, and not sorted
        rewrite(
            path,
            lambda table: table.assign(
                **{measure: 0.05 * (table["first"] + 1) + 0.01 * (table["second"] + 1)}
            ).sample(frac=1, random_state=0),
        )
    numbers = pd.read_csv(draw("layer_matrices", tables, paths, measure=measure)["csv"])
    there = pd.read_parquet(paths[1])
    here = numbers[numbers["pair"] == tables.pairs[1]["name"]]
    for column in there:
        np.testing.assert_array_equal(here[column], there[column])
    expected = 0.05 * np.arange(5)[:, None] + 0.01 * np.arange(5)
    axes = panels(drawn[0])[0]
    (mesh,) = [c for c in axes.collections if hasattr(c, "get_coordinates")]
    np.testing.assert_allclose(cells(axes), np.clip(expected, mesh.norm.vmin, None), atol=1e-12)
    assert axes.get_ylabel() == "layer (pre-trained)"
    assert axes.get_xlabel() == "layer (fine-tuned)"


def test_vacuous_cells_are_hatched_for_svcca_and_lost_ones_for_all(made, drawn):
    tables = made(1, layers=6)
    paths = tables.matrices(few=True, lost=True)
    table = pd.read_parquet(paths[0])
    vacuous = table.pivot(index="first", columns="second", values="underdetermined").to_numpy()
    lost = table.pivot(index="first", columns="second", values="svcca").isna().to_numpy()
    assert vacuous.any()
    for measure, marked in (("svcca", vacuous), ("cka", np.zeros_like(vacuous))):
        draw("layer_matrices", tables, paths, measure=measure)
        (axes,) = panels(drawn[-1])
        np.testing.assert_array_equal(hatched(axes, "\\\\\\\\\\"), marked & ~lost)
        np.testing.assert_array_equal(hatched(axes, "/////"), lost)
        assert ("vacuous" in words(drawn[-1])) == (measure == "svcca")


def test_darker_is_more_similar_in_distances_and_similarities(made, drawn):
    tables = made(1)
    for measure in ("svcca", "cka"):
        draw("layer_matrices", tables, measure=measure)
        (mesh,) = [c for c in panels(drawn[-1])[0].collections if hasattr(c, "get_coordinates")]
        same, other = mesh.to_rgba([{"svcca": 0.0, "cka": 1.0}[measure], 0.6])[:, :3].sum(axis=1)
        assert same < other


# Bad input


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_pair_without_a_table_is_refused(name, made):
    tables = made(2)
    with pytest.raises(UserError, match="2 pairs need a table each, got 1 tables"):
        draw(name, tables, tables_of(name, tables)[:1])


@pytest.mark.parametrize("name", SCRIPTS)
def test_no_pair_at_all_is_refused(name, made):
    with pytest.raises(UserError, match="nothing to draw: no pair was given"):
        draw(name, made(0), [])


@pytest.mark.parametrize("name", SCRIPTS)
def test_pairs_of_different_depth_are_refused(name, made):
    tables = made(2)
    paths = tables_of(name, tables)
    column = "first" if name == "layer_matrices" else "layer"
    rewrite(paths[1], lambda table: table[table[column] < 4])
    with pytest.raises(UserError, match=r"need the same layers, got .* to 5 for .* to 3 for"):
        draw(name, tables, paths)


@pytest.mark.parametrize("name", SCRIPTS)
def test_an_empty_table_is_refused(name, made):
    tables = made(2)
    paths = tables_of(name, tables)
    rewrite(paths[1], lambda table: table.iloc[:0])
    with pytest.raises(UserError, match="the table of 'change_1' is empty"):
        draw(name, tables, paths)


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_layer_that_lacks_or_comes_twice_is_refused(name, made):
    tables = made(1)
    paths = tables_of(name, tables)
    whole = pd.read_parquet(paths[0])
    columns = ["first"] if name == "layer_matrices" else ["layer"]
    whole[whole[columns[0]] != 2].to_parquet(paths[0], index=False)
    with pytest.raises(UserError, match="the table of 'change_0' lacks layer 2"):
        draw(name, tables, paths)
    pd.concat([whole, whole.iloc[:1]]).to_parquet(paths[0], index=False)
    with pytest.raises(UserError, match=r"the table of 'change_0' has .* twice"):
        draw(name, tables, paths)
    whole.iloc[1:].to_parquet(paths[0], index=False)
    with pytest.raises(UserError, match=r"the table of 'change_0' (lacks|has)"):
        draw(name, tables, paths)


def test_a_table_without_a_column_is_refused(made):
    tables = made(1)
    for name, column in (("representation_layers", "null"), ("layer_matrices", "svcca")):
        paths = tables_of(name, tables)
        rewrite(paths[0], lambda table, column=column: table.drop(columns=column))
        with pytest.raises(UserError, match=f"the table of 'change_0' has no column '{column}'"):
            draw(name, tables, paths)


def test_an_unknown_measure_is_refused(made):
    tables = made(1)
    with pytest.raises(UserError, match=r"got measure 'svca', .* did you mean 'svcca'\?"):
        draw("representation_layers", tables, measures=["svca"])
    with pytest.raises(UserError, match="got measure 'cca', allowed are svcca, cka, cka_unbiased"):
        draw("layer_matrices", tables, measure="cca")
    paths = tables.representations()
    rewrite(paths[0], lambda table: table[table["measure"].isin(["svcca", "procrustes"])])
    with pytest.raises(UserError, match="has no 'cka_distance', only svcca, procrustes"):
        draw("representation_layers", tables, paths, measures=["cka_distance"])


def test_an_unknown_comparison_and_a_name_given_twice_are_refused(tmp_path):
    wrong = [{**pair(0), "comparison": "task"}]
    with pytest.raises(UserError, match=r"got 'task', allowed are .* did you mean 'tasks'\?"):
        draw("attention_layers", Dynamics(tmp_path, wrong))
    with pytest.raises(UserError, match="the pair 'change_0' was given twice"):
        draw("attention_layers", Dynamics(tmp_path, [pair(0), pair(0)]))


def test_different_numbers_of_heads_are_refused(made):
    tables = made(2)
    paths = tables.attention()
    rewrite(paths[1], lambda table: table.assign(heads=[h[:8] for h in table["heads"]]))
    with pytest.raises(UserError, match="got 12 for 'change_0', 8 for 'change_1'"):
        draw("attention_heads", tables, paths)


# Scales


def test_a_logarithmic_scale_ends_at_round_values_around_all():
    assert scales.log_ends(np.array([3e-5, 0.03, np.nan, 0.0])) == (2e-5, 0.05)
    assert scales.log_ends(np.array([1e-9, 0.03]), most=5) == (5e-7, 0.05)
    assert scales.log_ends(np.array([0.0, np.nan])) == (1e-3, 1.0)
    assert scales.log_ends(np.array([0.02])) == (0.02, 0.05)
    many = np.array([1e-8, *np.full(99, 0.02)])
    assert scales.log_ends(many, ignored=0.02) == (0.02, 0.05)


def test_logarithmic_ticks_are_few_and_readable():
    assert scales.log_ticks(2e-5, 0.05) == [1e-4, 1e-3, 1e-2]
    assert scales.log_ticks(0.02, 0.5) == [0.02, 0.05, 0.1, 0.2, 0.5]
    assert len(scales.log_ticks(1e-12, 1.0)) <= 7
    assert [scales.log_text(v) for v in (1.0, 0.05, 1e-3, 1e-4, 2e-11)] == [
        "1",
        "0.05",
        "0.001",
        "10⁻⁴",
        "2·10⁻¹¹",
    ]


def test_scales_of_distances_and_similarities_hold_all_values():
    distance = scales.tenths(np.array([0.01, 0.42, np.nan]), same=0)
    assert (distance.vmin, distance.vmax) == (0.0, 0.5)
    similarity = scales.tenths(np.array([0.37, 0.99]), same=1)
    assert (similarity.vmin, similarity.vmax) == pytest.approx((0.3, 1.0))
    assert scales.tenth_ticks(similarity)[-1] == 1.0
    assert scales.tenth_ticks(distance)[0] == 0.0
