"""The repository's prose keeps to plain English and to the field's terms.

The first drafts read like a translation: ``dear`` for expensive, ``told`` for stated. The words
below have no other use here, so a test can find them; the rest is left to readers.
"""

import re

import pytest

from tests.docs.pages import ROOT, tracked_files, without_code

# Folders and files that are checked, and word lists in them that are data.
CHECKED = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs", "profiles", "Makefile"]
CHECKED += ["Snakefile", "config.yaml", "experiments", "rules", "envs", "workflow_scripts"]
CHECKED += ["tests", "benchmarks"]
DATA = ("workflow_scripts/data/grammars/", "workflow_scripts/model/random_model.py", "tests/docs/")

# Words and phrases (regular expressions, whole words, any case) and what to write instead.
INSTEAD = {
    r"likeness(es)?": "similarity",
    r"put(s|ting)? back": "rolled back, reset, restored",
    r"dear(er|est)?": "expensive",
    r"told|tells?": "say, show, report, determine",
    r"wanted": "expected, requested",
    r"stands?(?! (for|in for|out))": "is, are",
    r"shown beside": "reported only",
    r"undecided": "inconclusive",
    r"weigh(s|ed)?": "evaluate, compare",
    r"adopt(s|ed|ing)?": "import",
    r"mend(s|ed|ing)?": "fix, repair, correct",
    r"anew": "again",
    r"an own": "your own, a separate",
    r"of itself": "automatically, directly",
    r"(lie|lies|lay) apart": "differ",
    r"bars? the way": "there is a loss barrier",
    r"(lay|lays|laid) over": "merge into",
    r"from where|wherefrom": "the source of",
    r"seldom(ly)?": "rarely",
    r"whereof|thereof|wherein|therein": "of which, in which",
}

# The third state of a pair of labels: neither a proof that they are separable nor one that they
# are not.
STATES = dict.fromkeys(
    (
        "workflow_scripts/probing/",
        "workflow_scripts/figures/probing.py",
        "tests/probing/",
        "tests/figures/test_probing_figures.py",
        "benchmarks/probing.py",
        "docs/reference/outputs.md",
        "docs/explanation/methods.md",
    ),
    "undecided",
)


def faults(text: str) -> list[str]:
    """Words of ``INSTEAD`` in a text, each with its line and what to write instead."""
    found = []
    for words, instead in INSTEAD.items():
        # A phrase may be broken over two lines.
        pattern = rf"(?<![\w-])(?:{words})(?![\w-])".replace(" ", r"\s+")
        for match in re.finditer(pattern, text, re.IGNORECASE):
            line = text.count("\n", 0, match.start()) + 1
            found.append(f"line {line}: {' '.join(match[0].split())!r}, write: {instead}")
    return found


def prose(path) -> str:
    """What a person wrote to be read: a page without its code, or a whole file of another kind."""
    text = path.read_text()
    for folder, state in STATES.items():
        if path.relative_to(ROOT).as_posix().startswith(folder):
            text = text.replace(state, "")
    return without_code(text) if path.suffix == ".md" else text


TEXTS = [
    path
    for path in tracked_files(*CHECKED)
    if path.suffix in {".md", ".py", ".smk", ".yaml", ".yml", ".rst", ".cff", ".json", ".sh", ""}
    and not path.relative_to(ROOT).as_posix().startswith(DATA)
]


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_text_has_none_of_the_words_that_were_replaced(path):
    assert faults(prose(path)) == []


def test_pages_of_all_kinds_are_checked():
    names = {path.relative_to(ROOT).as_posix() for path in TEXTS}
    assert {"README.md", "docs/tutorial.md", "docs/howto/slurm.md"} <= names


@pytest.mark.parametrize(
    "sentence",
    [
        "Layers are put back.",
        "Layers are put\nback.",
        "A dear step.",
        "The file stands there.",
        "Told apart by colour.",
        "How to bring an own task.",
        "The verdict is Undecided.",
    ],
)
def test_a_replaced_word_is_found(sentence):
    assert len(faults(f"A line.\n{sentence}")) == 1
    assert faults(f"A line.\n{sentence}")[0].startswith("line 2: ")


@pytest.mark.parametrize(
    "sentence",
    [
        "Weighted means; weights; the standard error.",
        "K stands for the number of classes.",
        "An amendment. An owner. Unwanted output is deleted.",
        "A stand-in for nvidia-smi.",
        "It stands in for pip. One dimension stands out.",
    ],
)
def test_an_ordinary_word_is_not(sentence):
    assert faults(sentence) == []


def test_code_on_a_page_is_not_prose(tmp_path):
    page = "A `dear` word.\n\n    a dear command\n\n```sh\ndear\n```\n\n- an item\n\n    - dear\n"
    assert faults(without_code(page)) == ["line 11: 'dear', write: expensive"]
