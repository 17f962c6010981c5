"""The atlas: its size, the time to write it, and until Chromium has painted it and drawn in 3-D.

    make bench BENCH=atlas
    .venv/bin/python benchmarks/atlas.py [--directory FOLDER --configfile FILE …] [--repeats 3]

Writes a page of invented results with 24 surfaces of 41 × 41 points, which have to fit into 8 MB.
With ``--directory`` also that of a finished run, which for the default has to fit into 5 MB. Both
have to be written within 20 s, painted within 1 s, and drawn in 3-D within 3 s after that is asked
for, WebGL in software; a figure that is missed makes the exit status 1. Times are medians.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.atlas.chromium import NoBrowser, visited  # noqa: E402
from tests.atlas.invented import Invented  # noqa: E402
from workflow_scripts.experiment.atlas import write  # noqa: E402
from workflow_scripts.experiment.read import read_settings  # noqa: E402

POINTS, SURFACES = 41, 24
WRITTEN, PAINTED, SOLID = 20.0, 1.0, 3.0  # seconds at most


def measured(page: Path, seconds: float, most_megabytes: float, repeats: int) -> bool:
    """Print the figures of a page; whether all are reached."""
    size = page.stat().st_size / 1e6
    reached = [size <= most_megabytes, seconds <= WRITTEN]
    print(f"  size     {size:6.2f} MB   (at most {most_megabytes:g})")
    print(f"  written  {seconds:6.2f} s    (at most {WRITTEN:g})")
    try:
        runs = visited("measure.mjs", {"page": str(page), "repeats": repeats})["runs"]
    except NoBrowser as reason:
        print(f"  not opened: {reason}")
        return all(reached)
    for name, most in (("paint", PAINTED), ("largest", PAINTED), ("solid", SOLID)):
        median = statistics.median(run[name] for run in runs)
        reached.append(median <= most)
        each = ", ".join(f"{run[name]:.2f}" for run in runs)
        print(f"  {name:<8} {median:6.2f} s    (at most {most:g}; {each})")
    return all(reached)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--directory", type=Path, help="folder of a finished run")
    parser.add_argument("--configfile", type=Path, nargs="+", default=[], help="as of the run")
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        made = Invented(Path(folder), POINTS, SURFACES - 6).make()
        started = time.perf_counter()
        page = made.write()
        seconds = time.perf_counter() - started
        print(f"{SURFACES} surfaces of {POINTS} × {POINTS} points")
        reached = measured(page, seconds, 8, given.repeats)
        if given.directory:
            settings = read_settings([path.resolve() for path in given.configfile])
            model = settings.experiment.models[0]
            started = time.perf_counter()
            page = write(settings, given.directory, model, Path(folder) / "run.html")
            seconds = time.perf_counter() - started
            print(f"{given.directory}")
            reached &= measured(page, seconds, 5, given.repeats)
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
