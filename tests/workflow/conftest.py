"""Runs the workflow as a user does, in a folder of its own."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


def run_snakemake(
    folder: Path, *arguments: str, config: dict | None = None, smoke: bool = True
) -> subprocess.CompletedProcess:
    """``snakemake results/figures/all`` for smoke, with ``config`` merged into its settings."""
    files = [str(ROOT / "experiments" / "smoke.yaml")] if smoke else []
    if config is not None:
        folder.mkdir(parents=True, exist_ok=True)
        overlay = folder / "overlay.yaml"
        overlay.write_text(yaml.safe_dump(config))
        files.append(str(overlay))
    command = ["snakemake", *(arguments or ["results/figures/all"]), "--cores", "2"]
    command += ["--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    command += ["--configfile", *files] if files else []
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )


@pytest.fixture
def snakemake(tmp_path) -> Callable[..., subprocess.CompletedProcess]:
    def call(*arguments: str, config: dict | None = None) -> subprocess.CompletedProcess:
        return run_snakemake(tmp_path, *arguments, config=config)

    return call
