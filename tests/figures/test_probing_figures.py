"""Figures of probing, drawn from invented tables: numbers, gaps, words in their place."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from tests.figures.words import RESULT, check_words
from workflow_scripts.common.titles import TaskTitle
from workflow_scripts.figures import probing
from workflow_scripts.figures.results import add_result
from workflow_scripts.figures.tables import drawn_table, markdown_table
from workflow_scripts.probing.paper import KEYS, MODELS, TASKS, table_7

TITLES = [
    TaskTitle(name="tags", title="Word classes", synthetic=True),
    TaskTitle(name="roles", title="Roles of prepositions in reviews"),
    TaskTitle(name="nli", title="NLI", synthetic=True),
]
LABELS = {
    "tags": [f"TAG{k}" for k in range(12)],
    "roles": [f"A role with a long name {k}" for k in range(46)],
    "nli": ["contradiction", "entailment"],
}
EPOCHS, LAYERS = range(4), range(-1, 3)


def distances(task: str) -> pd.DataFrame:
    rows = []
    for first, second in combinations(range(len(LABELS[task])), 2):
        for epoch in EPOCHS:
            for layer in LAYERS:
                for split in ("train", "dev"):
                    far = 0.1 + 0.05 * first + 0.1 * epoch * (first - 3) / 10 + 0.01 * second
                    overlaps = layer == -1 and first == 0
                    rows.append(
                        {
                            **{"epoch": epoch, "layer": layer, "split": split},
                            **{"first": first, "second": second},
                            "distance": 0.0 if overlaps else max(far, 0.0),
                            "lower": 0.0,
                            "state": "overlapping" if overlaps else "separated",
                        }
                    )
    return pd.DataFrame(rows)


def similarity() -> pd.DataFrame:
    rows = []
    for title in TITLES:
        for kind in ("train_dev", "before_during"):
            for epoch in EPOCHS:
                for layer in LAYERS:
                    known = title.name != "nli" and layer >= 0
                    if kind == "before_during" and epoch == 0:
                        continue
                    rows.append(
                        {
                            **{"kind": kind, "task": title.name, "tuned": title.name},
                            **{"seeds": "init0_order0", "epoch": epoch, "layer": layer},
                            "value": 0.9 - 0.1 * epoch if known else np.nan,
                            "reason": None if known else "2 labels in both, at least 3 are needed",
                            "labels": 2,
                        }
                    )
    return pd.DataFrame(rows)


def test_label_distances_are_the_smallest_of_each_label():
    names = [LABELS[title.name] for title in TITLES]
    tables = [distances(title.name) for title in TITLES]
    figure, numbers = probing.label_distances(tables, names, TITLES)
    check_words(figure)
    for title, table in zip(TITLES, tables, strict=True):
        last = table[(table["layer"] == 2) & (table["epoch"] == 3) & (table["split"] == "dev")]
        own = numbers[(numbers["task"] == title.name) & (numbers["epoch"] == 3)]
        for label, name in enumerate(LABELS[title.name]):
            expected = last[(last["first"] == label) | (last["second"] == label)]["distance"].min()
            assert own.set_index("label").loc[name, "dev"] == pytest.approx(expected)
    shown = numbers[numbers["shown"]].groupby("task")["label"].nunique().to_dict()
    assert shown == {"tags": 6, "roles": 6, "nli": 2}
    grown = numbers[numbers["task"] == "tags"].pivot(index="label", columns="epoch", values="train")
    growth = (grown[3] - grown[0]).sort_values()
    drawn = set(numbers[numbers["shown"] & (numbers["task"] == "tags")]["label"])
    assert growth.max() == growth[list(drawn)].max()
    assert growth.min() == growth[list(drawn)].min()


def test_similarities_leave_out_tasks_where_none_is_defined():
    figure, numbers = probing.geometry_similarity(similarity(), TITLES)
    check_words(figure)
    titles = {axes.get_title() for axes in figure.axes}
    assert not any("NLI" in title for title in titles)
    words = " ".join(text.get_text() for text in figure.texts)
    assert "NLI (2 labels in both, at least 3 are needed)" in words
    assert len(numbers) == len(similarity())


def test_similarities_that_are_nowhere_defined_are_drawn_as_gaps():
    figure, _ = probing.geometry_similarity(similarity(), TITLES[2:])
    check_words(figure)


def paths() -> pd.DataFrame:
    random, rows = np.random.default_rng(0), []
    for title in TITLES[:2]:
        for kind, epochs in (("training", EPOCHS), ("layers", [3])):
            for layer in LAYERS:
                for epoch in epochs:
                    for label, name in enumerate(LABELS[title.name]):
                        x, y = random.normal(size=2) + epoch * label
                        rows.append(
                            {
                                **{"kind": kind, "task": title.name, "seeds": "init0_order0"},
                                **{"layer": layer, "epoch": epoch, "label": label, "name": name},
                                **{"x": np.nan if label == 5 else x, "y": y},
                                **{"share_x": 0.5, "share_y": 0.2},
                            }
                        )
    return pd.DataFrame(rows)


def test_paths_show_the_labels_that_move_farthest():
    figure, numbers = probing.centroid_paths(paths(), TITLES[:2])
    check_words(figure)
    shown = set(numbers[numbers["shown"] & (numbers["task"] == "tags")]["name"])
    assert shown == {f"TAG{k}" for k in range(6, 12)}
    assert len(numbers) == len(paths())


def test_a_task_in_models_of_others_has_a_row_for_each():
    rows = [
        {
            **{"task": "tags", "tuned": title.name, "seeds": "init0_order0", "split": split},
            **{"label": name, "before": 1.0, "after": 1.0 + k / 10, "change": k / 10},
        }
        for title in TITLES
        for split in ("train", "dev")
        for k, name in enumerate(LABELS["tags"])
    ]
    cross = pd.DataFrame(rows)
    figure, numbers = probing.cross_tasks(cross, TITLES)
    check_words(figure)
    assert numbers["synthetic"].all()
    assert numbers["change"].tolist() == cross["change"].tolist()


def numbers_of(title: TaskTitle, paper=None) -> pd.DataFrame:
    about = {"layers": list(LAYERS), "epochs": list(EPOCHS), "labels": LABELS[title.name]}
    about |= {"width": 32, "cut": {"train": 3, "dev": 1}}
    pairs = list(combinations(range(len(about["labels"])), 2))
    clusters = pd.DataFrame(
        [
            {"epoch": epoch, "layer": 2, "label": k, "clusters": 1 + (epoch == 0), "undecided": 0}
            | {"accuracy": 0.75}
            for epoch in (0, 3)
            for k in range(len(about["labels"]))
        ]
    )
    controls = pd.DataFrame(
        [
            {"epoch": epoch, "layer": 2, "split": split, "first": a, "second": b}
            | {"shuffled": 0.5 * (split == "dev"), "vacuous": split == "dev", "smaller": 7}
            | {"n_per_d": 2.0}
            for epoch in (0, 3)
            for split in ("train", "dev")
            for a, b in pairs
        ]
    )
    probes = pd.DataFrame(
        [
            {"epoch": epoch, "layer": 2, "kind": kind, "train": 0.9, "dev": 0.6 + 0.1 * k}
            | {"majority_dev": 0.2, "unseen": 2}
            for epoch in (0, 3)
            for kind, count in (("mlp", 3), ("logistic", 1))
            for k in range(count)
        ]
    )
    return probing.table_rows(
        title, "init0_order0", about, clusters, controls, probes, distances(title.name),
        similarity(), paper,
    )  # fmt: skip


def test_the_table_has_both_states_controls_and_the_papers_values():
    paper = {**table_7()["tiny"]["POS"], "note": "A note"}
    numbers = pd.concat(
        [numbers_of(TITLES[0], paper), numbers_of(TITLES[1]), numbers_of(TITLES[2])],
        ignore_index=True,
    )
    first = numbers.iloc[0]
    assert (first["state"], first["epoch"], first["layer"]) == ("original", 0, 2)
    assert (first["mlp_dev"], first["mlp_dev_std"]) == pytest.approx((70.0, 10.0))
    assert (first["logistic_dev"], first["majority_dev"], first["cut"]) == (60.0, 20.0, 4)
    assert (first["clusters"], numbers.iloc[1]["clusters"]) == (24, 12)
    assert (first["train_pairs"], first["train_separated"], first["train_vacuous"]) == (66, 66, 0)
    assert (first["dev_shuffled"], first["dev_vacuous"], first["dev_smallest"]) == (0.5, 66, 7)
    assert first["similarity"] == pytest.approx(0.9)
    assert (first["paper_accuracy"], first["paper_clusters"]) == (90.76, 3936)
    assert numbers.iloc[4]["reason"] == "2 labels in both, at least 3 are needed"
    body, notes = probing.table_cells(numbers, TITLES)
    check_words(drawn_table(list(probing.HEADS), body, notes))
    page = markdown_table(list(probing.HEADS), body, notes)
    assert page.count("| paper |") == 2
    assert "A note." in page
    assert "tags 4, roles 4, nli 4" in page


def test_the_papers_table_is_whole_and_agrees_with_what_the_paper_says_of_it():
    table = table_7()
    assert set(table) == set(MODELS)
    cells = {(model, task): table[model][task] for model in MODELS for task in TASKS}
    assert all(set(state) == set(KEYS) for cell in cells.values() for state in cell.values())
    # "The only exception": accuracy falls for small and PS-fxn, where the similarity is lowest.
    falls = {k for k, c in cells.items() if c["fine_tuned"]["accuracy"] < c["original"]["accuracy"]}
    assert falls == {("small", "PS-fxn")}
    known = {k: c["fine_tuned"]["similarity"] for k, c in cells.items()}
    assert min((v, k) for k, v in known.items() if v is not None)[1] == ("small", "PS-fxn")
    linear = [state["linear"] for cell in cells.values() for state in cell.values()]
    assert linear.count(True) == 35


def test_rules_of_a_table_move_with_it_where_a_result_is_written_below():
    body, notes = probing.table_cells(numbers_of(TITLES[0]), TITLES[:1])
    figure = drawn_table(list(probing.HEADS), body, notes)

    def inches_from_the_top():
        height = figure.get_size_inches()[1]
        rules = [height * (1 - line.get_ydata()[0]) for line in figure.artists]
        return rules, [height * (1 - text.get_position()[1]) for text in figure.texts]

    before = inches_from_the_top()
    add_result(figure, RESULT)
    after = inches_from_the_top()
    assert after[0] == pytest.approx(before[0])
    assert after[1][: len(before[1])] == pytest.approx(before[1])
    check_words(figure)
