"""The recipes of images: what they install is what `make setup` installs. No image is built."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from envs.setup_venv import pins

ROOT = Path(__file__).parents[2]
PINS = pins(ROOT / "constraints.txt")
DOCKER, APPTAINER = ROOT / "envs/Dockerfile", ROOT / "envs/tunescape.def"
RECIPES = [DOCKER, APPTAINER]
BASE = r"(?m)^from:? (\S+)$"


def commands(recipe: Path) -> str:
    """A recipe without its comments."""
    return re.sub(r"(?m)^\s*#.*\n", "", recipe.read_text())


def copied(recipe: Path) -> list[tuple[str, str]]:
    """Sources in the repository, and their places in the image."""
    text = commands(recipe)
    if recipe == APPTAINER:
        lines = text.split("%files\n")[1].split("%post")[0].split("\n")
        return [tuple(line.split()) for line in lines if line.strip()]
    found = []
    for line in re.findall(r"(?m)^COPY (.+)$", text):
        *sources, target = line.split()
        found += [(s, target + s if target.endswith("/") else target) for s in sources]
    return found


def test_the_base_is_one_exact_version_of_a_tested_python():
    (docker,), (apptainer,) = (re.findall(BASE, commands(r), re.IGNORECASE) for r in RECIPES)
    assert docker == apptainer
    version = re.fullmatch(r"python:(\d+\.\d+)\.\d+-[a-z]+", docker)
    assert version, f"{docker} is not an exact version"
    conda = yaml.safe_load((ROOT / "envs/torch.yaml").read_text())["dependencies"]
    assert f"python ={version[1]}" in conda
    assert f"python{version[1]}" in (ROOT / "envs/find_python.sh").read_text()


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.name)
def test_nothing_is_installed_but_by_the_script_of_make_setup(recipe):
    text = commands(recipe)
    assert "latest" not in text
    for word in ("pip", "apt", "apt-get", "conda", "mamba", "curl", "wget", "git"):
        assert not re.search(rf"(?<![\w/.-]){word}(?![\w-])", text), f"{recipe.name}: {word}"
    assert re.findall(r"python (\S+)", text) == ["/opt/tunescape/envs/setup_venv.py"]
    versions = re.findall(r"([\w-]+)==([\w.]+)", text)
    assert all(PINS[name] == version for name, version in versions)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.name)
def test_the_script_has_all_that_it_reads(recipe, tmp_path):
    files = copied(recipe)
    assert ("constraints.txt", "/opt/tunescape/constraints.txt") in files
    for source, target in files:
        place = tmp_path / target.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy2
        copy(ROOT / source, place)
    root = tmp_path / "opt/tunescape"
    # Enough to come to what is to be installed; an extra that does not exist ends it there.
    command = [sys.executable, root / "envs/setup_venv.py", "--extra", "nothing"]
    done = subprocess.run(command, cwd="/", capture_output=True, text=True)
    assert done.stderr.startswith("setup: extra 'nothing' is none of ")
    assert pins(root / "constraints.txt") == PINS


def test_both_recipes_start_snakemake_of_that_environment():
    assert copied(DOCKER) == copied(APPTAINER)
    for recipe in RECIPES:
        assert "PATH=/opt/tunescape/.venv/bin:$PATH" in commands(recipe)
        assert re.search(r'(ENTRYPOINT \["snakemake"\]|exec snakemake "\$@")', commands(recipe))


def test_docker_is_sent_what_the_recipe_copies_and_no_results():
    lines = Path(f"{DOCKER}.dockerignore").read_text().splitlines()
    kept = [line for line in lines if not line.startswith("#")]
    assert kept == ["*", *(f"!{source}" for source, _ in copied(DOCKER))]
