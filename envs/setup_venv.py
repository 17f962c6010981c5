"""Make .venv with all that the project needs, or bring it up to date. `make setup` runs this.

The packages are those that pyproject.toml names, in the versions of constraints.txt. The project
itself is not installed: the workflow runs from its checkout (Snakemake and pytest put the checkout
on the import path), so that no build backend is needed and no second copy of the code can be
imported by mistake.

The file tunescape-setup inside the environment is written last, and says what is installed. While
packages come and go the file tunescape-setup-unfinished is there instead; an environment with that
one is rebuilt. Standard library only, since it runs before anything is installed.
"""

import argparse
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STAMP = "tunescape-setup"
UNFINISHED = "tunescape-setup-unfinished"
LOG = "tunescape-setup.log"


class SetupError(Exception):
    """One line for the user."""


def canonical(name: str) -> str:
    """A package's name in the one spelling that the index uses."""
    return re.sub(r"[-_.]+", "-", name).lower()


def required(pyproject: Path, extras: list[str]) -> tuple[list[str], list[str]]:
    """Requirements to install with what they need, and names to install without."""
    table = tomllib.loads(pyproject.read_text(encoding="utf-8"))
    optional = table["project"].get("optional-dependencies", {})
    requirements = list(table["project"]["dependencies"])
    for extra in extras:
        if extra not in optional:
            raise SetupError(f"extra '{extra}' is none of {', '.join(sorted(optional))}")
        requirements += optional[extra]
    return requirements, table["tool"]["tunescape"]["setup"]["without-dependencies"]


def pins(constraints: Path) -> dict[str, str]:
    """Versions by canonical name."""
    lines = constraints.read_text(encoding="utf-8").splitlines()
    pairs = (line.partition("#")[0].strip().split("==") for line in lines)
    return {canonical(pair[0]): pair[1] for pair in pairs if len(pair) == 2}


def fingerprint(requirements: list[str], alone: list[str], versions: dict[str, str]) -> str:
    """What an environment must hold, as a hash; comments and order do not count."""
    parts = [sorted(requirements), sorted(alone), sorted(versions.items())]
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def read_stamp(venv: Path) -> dict[str, str]:
    """What the stamp says: `path`, `fingerprint`, `extras`; empty without one."""
    try:
        lines = (venv / STAMP).read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    return dict(zip(("path", "fingerprint", "extras"), lines, strict=False))


def write_stamp(venv: Path, print_: str, extras: list[str]) -> None:
    draft = venv / f"{STAMP}.draft"
    draft.write_text(f"{venv}\n{print_}\n{','.join(extras)}\n", encoding="utf-8")
    draft.replace(venv / STAMP)
    (venv / UNFINISHED).unlink(missing_ok=True)


def python_of(venv: Path) -> Path:
    return venv / "bin" / "python"


def works(venv: Path) -> bool:
    """Whether the environment's Python runs and is new enough."""
    check = "import sys; sys.exit(sys.version_info < (3, 11))"
    try:
        return subprocess.run([python_of(venv), "-c", check], capture_output=True).returncode == 0
    except OSError:
        return False


class Progress:
    """Steps on the terminal, one line each, and in the log all that pip says.

    While pip works, its current package is shown: on a terminal in place, elsewhere as a line
    every ten seconds.
    """

    def __init__(self, log: Path):
        self.log = log
        self.live = sys.stdout.isatty()

    def say(self, text: str) -> None:
        print(f"setup: {text}", flush=True)

    def run(self, command: list, label: str) -> None:
        """Run a command to its end.

        Raises
        ------
        SetupError : it failed; with pip's own reason and where to read more.
        """
        self.say(label)
        shown, packages, said = time.monotonic(), 0, []
        with (
            self.log.open("a", encoding="utf-8") as log,
            subprocess.Popen(
                [str(part) for part in command],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            ) as process,
        ):
            log.write(f"$ {' '.join(str(part) for part in command)}\n")
            for line in process.stdout:
                log.write(line)
                log.flush()
                said.append(line.rstrip())
                packages += line.startswith("Collecting ")
                note = None
                if line.startswith("Installing collected packages"):
                    count = line.count(",") + 1
                    note = f"installing {count} package{'s' * (count > 1)}"
                elif line.lstrip().startswith(("Collecting ", "Downloading ")) and (
                    self.live or time.monotonic() - shown > 10
                ):
                    note = f"{packages} packages found, {line.strip()}"
                if note:
                    shown = time.monotonic()
                    end = "\r" if self.live else "\n"
                    start = "\x1b[2K" if self.live else ""
                    width = shutil.get_terminal_size().columns - 1
                    print(f"{start}{f'       {note}'[:width]}", end=end, flush=True)
        if self.live:
            print("\x1b[2K", end="", flush=True)
        if process.returncode:
            why = reason(said)
            if process.returncode < 0:
                why = f"stopped by signal {-process.returncode}"
            raise SetupError(f"{label}: failed; {why} (log: {shorten(self.log)})")


def reason(said: list[str]) -> str:
    """The cause of pip's failure in one line."""
    unreachable = [line for line in said if "Retrying (" in line or "SSLError" in line]
    if unreachable:
        # `... broken by 'NewConnectionError("<an object>: no route")': /simple/numpy/`
        detail = unreachable[-1].rpartition("broken by ")[2].partition("': ")[0]
        detail = re.sub(r"<[^>]*>:? *", "", detail).strip("'\" ")[:200]
        return (
            f"the package index could not be reached: {detail}; check the network, or name an "
            "index with PIP_INDEX_URL and its certificates with PIP_CERT"
        )
    errors = [line.strip() for line in said if line.lstrip().lower().startswith("error")]
    full = [line for line in said if "No space left" in line]
    return (full or errors or said or ["it said nothing"])[-1][:300]


def shorten(path: Path) -> str:
    """A path as the user would type it from here."""
    return os.path.relpath(path)


def clear(venv: Path) -> None:
    """Delete an environment, and nothing that is not one."""
    known = ("pyvenv.cfg", STAMP, UNFINISHED)
    if any(venv.iterdir()) and not any((venv / name).exists() for name in known):
        raise SetupError(f"{shorten(venv)} exists and is no Python environment; move it away")
    shutil.rmtree(venv)


def install(
    venv: Path, requirements: list[str], alone: list[str], constraints: Path, torch: str | None
) -> None:
    """Fill the environment; the unfinished mark is there until the stamp is written."""
    versions = pins(constraints)
    lacking = [name for name in alone if canonical(name) not in versions]
    if lacking:
        raise SetupError(f"{constraints.name} has no version for {', '.join(lacking)}")
    python = python_of(venv)
    (venv / LOG).unlink(missing_ok=True)
    progress = Progress(venv / LOG)
    pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--progress-bar=off"]

    def quietly(*command) -> bool:
        return subprocess.run(command, capture_output=True).returncode == 0

    if not quietly(python, "-m", "pip", "--version") and not quietly(
        python, "-m", "ensurepip", "--upgrade"
    ):
        progress.say("this Python comes without pip; fetching it")
        result = subprocess.run([python, ROOT / "envs" / "bootstrap_pip.py"])
        if result.returncode:
            raise SystemExit(result.returncode)  # it has said why
    progress.run([*pip, f"pip=={versions['pip']}"], "pip")
    if torch:
        progress.run(
            [*pip, "--no-deps", "--index-url", torch, f"torch=={versions['torch']}"],
            f"torch from {torch}",
        )
    progress.run([*pip, "-c", constraints, *requirements], "packages (some minutes)")
    progress.run(
        [*pip, "--no-deps", *(f"{name}=={versions[canonical(name)]}" for name in alone)],
        "the default model's weights",
    )
    # Whatever was in an older environment must agree with the new versions too.
    check = subprocess.run([python, "-m", "pip", "check"], capture_output=True, text=True)
    names = {canonical(name) for name in alone}
    broken = [
        line
        for line in check.stdout.splitlines()
        if line != "No broken requirements found." and canonical(line.split(" ")[0]) not in names
    ]
    if check.returncode and broken:
        raise SetupError(f"packages do not fit together: {broken[0]}; delete {shorten(venv)}")


def setup(
    venv: Path, pyproject: Path, constraints: Path, extras: list[str], torch: str | None = None
) -> str:
    """Make the environment or bring it up to date; says what was done.

    Returns
    -------
    "whole" (nothing to do), "made", or "updated".

    Raises
    ------
    SetupError : one line for the user.
    """
    stamp = read_stamp(venv)
    # What was added once stays: `make bench` adds an extra, and a later `make setup` keeps it.
    kept = [extra for extra in stamp.get("extras", "").split(",") if extra]
    extras = list(dict.fromkeys([*extras, *kept]))
    requirements, alone = required(pyproject, extras)
    print_ = fingerprint(requirements, alone, pins(constraints))

    whole = bool(stamp) and not (venv / UNFINISHED).exists()
    if whole and stamp["path"] == str(venv) and works(venv):
        if stamp.get("fingerprint") == print_:
            (venv / STAMP).touch()
            return "whole"
        done = "updated"
    elif venv.exists() and not stamp and not (venv / UNFINISHED).exists() and works(venv):
        done = "updated"  # made by hand: kept, and filled up
    else:
        if venv.exists():
            why = "was moved or its Python is gone" if whole else "is unfinished"
            if venv.is_symlink():
                raise SetupError(
                    f"{shorten(venv)} is a link to an environment that was not made here "
                    f"({os.readlink(venv)}); delete the link"
                )
            if any(venv.iterdir()):
                print(f"setup: {shorten(venv)} {why}; rebuilding it", flush=True)
            clear(venv)
        done = "made"

    venv.mkdir(exist_ok=True)
    (venv / UNFINISHED).touch()
    (venv / STAMP).unlink(missing_ok=True)
    if done == "made":
        version = ".".join(str(part) for part in sys.version_info[:3])
        print(f"setup: {shorten(venv)} with Python {version} ({sys.executable})", flush=True)
        result = subprocess.run(
            [sys.executable, "-m", "venv", "--without-pip", venv], capture_output=True, text=True
        )
        if result.returncode:
            said = (result.stderr or result.stdout).strip().splitlines() or ["no reason given"]
            raise SetupError(f"could not make {shorten(venv)}: {said[-1]}")
    install(venv, requirements, alone, constraints, torch)
    write_stamp(venv, print_, extras)
    return done


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Make .venv or bring it up to date.")
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv")
    parser.add_argument("--extra", action="append", default=[], help="one more extra")
    parser.add_argument("--torch-index", default=None, help="index that torch is taken from")
    given = parser.parse_args(arguments)
    pyproject = ROOT / "pyproject.toml"
    start = time.monotonic()
    try:
        with Path(__file__).open() as lock:
            # Two at once would spoil each other's work; the second finds it done.
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print("setup: another set-up is running here; waiting for it", flush=True)
                fcntl.flock(lock, fcntl.LOCK_EX)
            table = tomllib.loads(pyproject.read_text(encoding="utf-8"))
            extras = [*table["tool"]["tunescape"]["setup"]["extras"], *given.extra]
            done = setup(
                given.venv.absolute(),
                pyproject,
                ROOT / "constraints.txt",
                extras,
                given.torch_index or None,
            )
    except (SetupError, OSError) as error:
        sys.exit(f"setup: {error}")
    except KeyboardInterrupt:
        sys.exit("setup: interrupted; the next `make setup` starts again")
    if done != "whole":
        print(f"setup: {shorten(given.venv)} {done} in {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
