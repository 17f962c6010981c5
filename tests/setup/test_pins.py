"""pyproject.toml, constraints.txt and the environment agree."""

import re
import sys
import tomllib
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from envs import bootstrap_pip, setup_venv
from envs.setup_venv import canonical

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PINS = setup_venv.pins(ROOT / "constraints.txt")
EXTRAS = PROJECT["project"]["optional-dependencies"]


def test_every_line_is_an_exact_version():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    for line in pins:
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9A-Za-z.]*", line), line
    names = [canonical(line.split("==")[0]) for line in pins]
    assert len(names) == len(set(names)), "a package is pinned twice"


@pytest.mark.parametrize(
    "requirement",
    [*PROJECT["project"]["dependencies"], *(one for extra in EXTRAS.values() for one in extra)],
)
def test_every_requirement_is_pinned_to_a_version_it_allows(requirement):
    requirement = Requirement(requirement)
    assert requirement.specifier.contains(PINS[canonical(requirement.name)])


def test_what_setup_installs_is_known():
    settings = PROJECT["tool"]["tunescape"]["setup"]
    assert set(settings["extras"]) <= set(EXTRAS)
    assert {canonical(name) for name in settings["without-dependencies"]} <= set(PINS)


def test_the_pip_that_is_fetched_is_the_pinned_one():
    assert PINS["pip"] == bootstrap_pip.VERSION
    assert re.fullmatch("[0-9a-f]{64}", bootstrap_pip.SHA256)


@pytest.mark.skipif(
    not (Path(sys.prefix) / setup_venv.STAMP).exists(),
    reason="this environment was not made by `make setup`",
)
def test_the_environment_holds_the_pinned_versions_and_nothing_else():
    """A package that is installed but not pinned would change from one day to the next."""
    installed = {canonical(one.name): Version(one.version).public for one in distributions()}
    differing = {name: v for name, v in installed.items() if PINS.get(name) != v}
    assert differing == {}
