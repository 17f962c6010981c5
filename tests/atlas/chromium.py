"""A real browser for tests and benchmarks: Debian's Chromium, driven by playwright-core."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

BROWSER = Path(__file__).parent / "browser"
# Beside the environment's libraries, not in the checkout; one for all workers and sessions.
FOLDER = Path(sys.prefix) / "atlas-browser"
NAMES = ("chromium", "chromium-browser", "google-chrome")
LEAST_NODE = 20  # of playwright-core
PACKAGES = {"node": ["nodejs"], "npm": ["npm"], "chromium": ["chromium"]}


class NoBrowser(Exception):
    """Why there is no browser here."""


def _run(*command: str, **how: Any) -> subprocess.CompletedProcess:
    return subprocess.run(
        command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, **how
    )


def _chromium() -> str | None:
    return next(filter(None, map(shutil.which, NAMES)), None)


def _install(missing: list[str]) -> None:
    """Install Debian's packages as root; NoBrowser says why that is not possible."""
    words = " and ".join(missing)
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise NoBrowser(f"no {words} here, and no apt-get as root to install it with")
    packages = [package for name in missing for package in PACKAGES[name]]
    for command in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
        done = _run(
            "apt-get", "-q", *command, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        )
        if done.returncode:
            raise NoBrowser(f"apt-get {command[0]} failed: {done.stderr.strip()[-200:]}")


def ready() -> dict[str, str]:
    """Environment of a script of ``browser``: where the browser and its modules are.

    Raises
    ------
    NoBrowser
        If they are not here and cannot be installed.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = {"node": shutil.which("node"), "npm": shutil.which("npm"), "chromium": _chromium()}
        if missing := [name for name, path in found.items() if path is None]:
            _install(missing)
        version = _run("node", "--version").stdout.strip()
        if int(version.lstrip("v").partition(".")[0] or 0) < LEAST_NODE:
            raise NoBrowser(f"playwright-core needs node {LEAST_NODE}, here is {version}")
        locked = (BROWSER / "package-lock.json").read_text(encoding="utf-8")
        installed = FOLDER / "package-lock.json"
        if not installed.is_file() or installed.read_text(encoding="utf-8") != locked:
            shutil.copy(BROWSER / "package.json", FOLDER)
            (FOLDER / "npm").mkdir(exist_ok=True)
            installed.write_text(locked, encoding="utf-8")
            done = _run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=FOLDER)
            if done.returncode:
                installed.unlink()
                raise NoBrowser(f"npm ci failed: {done.stderr.strip()[-200:]}")
    return {"CHROMIUM": str(_chromium()), "MODULES": str(FOLDER / "node_modules")}


def visited(script: str, given: dict[str, Any], timeout: float = 600) -> dict[str, Any]:
    """What a script of ``browser`` says, as JSON, of the page that ``given`` names.

    Raises
    ------
    NoBrowser
        See ``ready``.
    AssertionError
        If the script fails.
    """
    environment = {**os.environ, **ready()}
    done = _run("node", str(BROWSER / script), json.dumps(given), env=environment, timeout=timeout)
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return json.loads(done.stdout)
