"""Commands and paths that the pages name exist."""

import re
import subprocess
import sys
from functools import cache

import pytest

from tests.docs.pages import ROOT, tracked_files

PAGES = {path.relative_to(ROOT).as_posix(): path.read_text() for path in tracked_files("*.md")}
FOLDERS = "benchmarks|docs|envs|experiments|profiles|rules|tests|workflow_scripts"


def named(pattern: str, *but: str) -> list[tuple[str, ...]]:
    """What a pattern finds on all pages but some: the groups, each once."""
    texts = [text for name, text in PAGES.items() if name not in but]
    return sorted({m.groups() for text in texts for m in re.finditer(pattern, text)})


@cache
def help_of(*command: str) -> str:
    """What a command prints with ``--help``; the test fails if there is no such command."""
    done = subprocess.run([*command, "--help"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr[-300:]}"
    return done.stdout


def is_option(option: str, text: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", text) is not None


# The changelog names commands as they once were; a generated page names its generator.
OTHERS = "CHANGELOG.md", "docs/reference/config.md"
MODULES = named(r"python -m (workflow_scripts[\w.]*)((?:[^`\n]|\\\n)*)", *OTHERS)


@pytest.mark.parametrize(("module", "rest"), MODULES, ids=lambda part: part.strip()[:50])
def test_a_module_that_is_run_exists_and_has_the_options(module, rest):
    words = rest.split()
    command = [sys.executable, "-m", module]
    if words and re.fullmatch(r"[a-z]+", words[0]):
        command.append(words[0])
    text = help_of(*command)
    for option in re.findall(r"(?<!\S)--[a-z][a-z0-9-]*", rest):
        assert is_option(option, text), f"{module}: no option {option}"


def test_the_modules_of_the_command_line_are_on_the_pages():
    assert {module for module, _ in MODULES} >= {
        "workflow_scripts.plan",
        "workflow_scripts.rebuilds",
        "workflow_scripts.rebuilds.recover",
    }


def test_options_of_snakemake_exist():
    text = help_of(sys.executable, "-m", "snakemake")
    commands = named(r"(?m)snakemake ((?:[^`\n]|\\\n)*--(?:[^`\n]|\\\n)*)")
    options = {o for (rest,) in commands for o in re.findall(r"(?<!\S)--[a-z][a-z-]*", rest)}
    assert len(options) > 5
    assert {option for option in options if not is_option(option, text)} == set()


@pytest.mark.parametrize("target", [target for (target,) in named(r"(?:`|    )make ([a-z]+)")])
def test_a_target_of_make_exists(target):
    assert re.search(rf"(?m)^{target}:", (ROOT / "Makefile").read_text())


@pytest.mark.parametrize("name", [n for (n,) in named(r"make bench BENCH=([a-z_]+)")])
def test_a_benchmark_exists(name):
    assert name == "name" or (ROOT / "benchmarks" / f"{name}.py").is_file()


# Files that a reader makes.
MADE = {f"experiments/{name}.yaml" for name in ("mine", "reviews", "NAME")} | {"profiles/mine"}


@pytest.mark.parametrize(
    "path",
    # The examples of extend.md add files: test_extend.py carries them out.
    [
        p
        for (p,) in named(
            rf"(?<![\w/.-])((?:{FOLDERS})/[\w./-]*\w)(?![\w*{{…])", "docs/howto/extend.md"
        )
    ],
)
def test_a_path_in_the_repository_exists(path):
    if path in MADE or re.search(r"[A-Z]{4,}", path.replace("README", "")):
        return
    assert (ROOT / path).exists()
