"""Is exactly the right thing rebuilt? Mutations of code, configuration, rules and results.

    make bench BENCH=rebuilds
    .venv/bin/python benchmarks/rebuilds.py [--finished FOLDER] [--only 12,40]

Copies the repository, finishes the smoke experiment in the copy (about three minutes; with
``--finished`` FOLDER is such a copy, made earlier), then changes one thing at a time, asks for a
dry run, and restores everything to the bit and the nanosecond. Each mutation is listed with the
rules that it must make stale, determined by reading the code: those whose script can reach what has
changed. A rule that runs needlessly is an over-rebuild, one that does not run although it must is a
missed rebuild; either makes the exit status 1.

A rule is itself stale if Snakemake has another reason than that an earlier job runs. The rules that
follow are compared too, for the mutations that list them.
"""

import argparse
import ast
import json
import os
import queue
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.codehash.tracer import compare as compare_traced  # noqa: E402
from tests.codehash.tracer import traced_environment  # noqa: E402

EXPERIMENT = "experiments/smoke.yaml"
RESULTS = "runs/smoke/results"
SNAKEMAKE = str(Path(sys.executable).with_name("snakemake"))
ARGUMENTS = [
    "results/figures/all",
    "--cores",
    "2",
    "--directory",
    "runs/smoke",
    "--configfile",
    EXPERIMENT,
]

# Snakemake's own text names a job by its message, not by its rule, and it does not compare params
# and inputs of a job that follows another anyway. So each job that it reports is asked for them.
ASKING = """
import json, os, sys
from snakemake.cli import main
from snakemake.jobs import Job

log_info = Job.log_info

def recording(job, *arguments, **named):
    known = job.dag.workflow.persistence
    changed = bool(job.output) and known.has_metadata(job) and bool(
        known.params_changed(job) or any(known.input_changed(job))
    )
    with open(os.environ["TUNESCAPE_REBUILDS"], "a", encoding="utf-8") as file:
        file.write(json.dumps([job.rule.name, str(job.dag.reason(job)), changed]) + "\\n")
    return log_info(job, *arguments, **named)

Job.log_info = recording
main(sys.argv[1:])
"""

# Rules

PREPARE, FETCH, SCRATCH = "prepare_task", "fetch_model", "draw_scratch"
CHOOSE, ENCODE = "choose_examples", "encode_examples"
DIRECTIONS, ROWS = "measure_directions", "evaluate_rows"
MERGE, TRAJECTORY, WIDTH = "merge_surface", "project_trajectory", "measure_width"
ROLLBACK, CLAIMS, TABLE1 = "roll_back_groups", "evaluate_claims", "draw_table1"
ATTENTION, STATES, LAYERS_BACK = "compare_attention", "compare_representations", "roll_back_layers"
DYNAMICS_CLAIMS = "evaluate_dynamics_claims"
TRAINING = {"finetune_finetune", "finetune_scratch", "finetune_continued"}


def figures(*numbers: int) -> set[str]:
    return {f"draw_figure{number}" for number in numbers}


def dynamics(*names: int | str) -> set[str]:
    return {f"draw_dynamics{name}" for name in names}


COMPARING = {ATTENTION, STATES, LAYERS_BACK}
ATTENTION_CURVES, STATE_CURVES, BACK_CURVES = dynamics(1, 4, 6), dynamics(2, 5, 7), dynamics(3)
CURVES = ATTENTION_CURVES | STATE_CURVES | BACK_CURVES
HEADS, LAYER_MATRICES = dynamics("_heads"), dynamics("_svcca", "_cka")
MATRICES = HEADS | LAYER_MATRICES
DYNAMICS = CURVES | MATRICES | {DYNAMICS_CLAIMS}
FIGURES = figures(1, 2, 3, 4, 5, 6, 7) | {TABLE1} | CURVES | MATRICES
ALL = TRAINING | FIGURES | COMPARING | DYNAMICS
ALL |= {PREPARE, FETCH, SCRATCH, CHOOSE, ENCODE, DIRECTIONS, ROWS, MERGE, TRAJECTORY, WIDTH}
ALL |= {ROLLBACK, CLAIMS}
NOTHING: set[str] = set()

# Scripts that score a model, that run one at all, that build one, and that make tokens.
FORWARD = {ROWS, TRAJECTORY, ROLLBACK}
READING = FORWARD | COMPARING
BUILDING = READING | TRAINING | {FETCH, SCRATCH}
ENCODING = TRAINING | COMPARING | {ROLLBACK, ENCODE}
# What shows a surface, and what comes after the runs.
OF_SURFACES = figures(1, 3, 4, 5, 6, 7) | {WIDTH, CLAIMS}
AFTER_RUNS = OF_SURFACES | READING | {DIRECTIONS, MERGE, TABLE1} | figures(2) | DYNAMICS

# Edits: from the bytes of a file (None if there is no such file) to its new ones.

Edit = Callable[[bytes | None], bytes | None]


def swap(old: str, new: str) -> Edit:
    """Replace a piece of text that occurs once."""

    def edit(data: bytes | None) -> bytes:
        text = (data or b"").decode()
        if text.count(old) != 1:
            raise LookupError(f"{text.count(old)} times in the file: {old!r}")
        return text.replace(old, new).encode()

    return edit


def both(*edits: Edit) -> Edit:
    def edit(data: bytes | None) -> bytes | None:
        for one in edits:
            data = one(data)
        return data

    return edit


def append(text: str) -> Edit:
    return lambda data: (data or b"") + text.encode()


def prepend(text: str) -> Edit:
    return lambda data: text.encode() + (data or b"")


def touch(data: bytes | None) -> bytes | None:
    return data


def delete(data: bytes | None) -> None:
    return None


def rewrite(data: bytes | None) -> bytes:
    """Python as its syntax tree prints it: no comments, other quotes, other line breaks."""
    return (ast.unparse(ast.parse(data or b"")) + "\n").encode()


def cut(name: str) -> Edit:
    """Remove a function at the top level."""

    def edit(data: bytes | None) -> bytes:
        return (data or b"").decode().replace(_source(data, name), "").encode()

    return edit


def to_end(name: str) -> Edit:
    """Move a function at the top level behind all others, but before the script's call."""

    def edit(data: bytes | None) -> bytes:
        text, part = (data or b"").decode(), _source(data, name)
        rest = text.replace(part, "").rstrip("\n")
        return f"{rest}\n\n\n{part.strip()}\n".encode()

    return edit


def _source(data: bytes | None, name: str) -> str:
    text = (data or b"").decode()
    node = next(n for n in ast.parse(text).body if getattr(n, "name", None) == name)
    lines = text.splitlines(keepends=True)
    first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
    return "".join(lines[first - 1 : node.end_lineno])


def paste(file: str, name: str) -> Edit:
    """Add a function as written in another file of this repository."""
    return lambda data: (data or b"") + f"\n\n{_source((ROOT / file).read_bytes(), name)}".encode()


@dataclass(frozen=True)
class Mutation:
    """One change.

    Parameters
    ----------
    what : str
        The change in words.
    edits : dict of str to Edit
        What is done to each file, by path in the repository or pattern of paths.
    stale : set of str
        Rules that must themselves be stale.
    follows : set of str or None
        Rules that must run after them; None if that is not compared.
    old_time : bool
        Whether the file's modification time is restored, as some editors and rsync do.
    """

    what: str
    edits: dict[str, Edit]
    stale: set[str]
    follows: set[str] | None = None
    old_time: bool = False


def code(
    what: str,
    file: str,
    edit: Edit,
    stale: set[str] = NOTHING,
    follows: set[str] | None = None,
    old_time: bool = False,
) -> Mutation:
    return Mutation(what, {f"workflow_scripts/{file}": edit}, stale, follows, old_time)


def moved(what: str, edits: dict[str, Edit]) -> Mutation:
    """Something that stays the same elsewhere: nothing is stale."""
    return Mutation(what, {f"workflow_scripts/{k}": v for k, v in edits.items()}, NOTHING, NOTHING)


def config(
    what: str, old: str, new: str, stale: set[str] = NOTHING, follows: set[str] | None = None
) -> Mutation:
    return Mutation(what, {EXPERIMENT: swap(old, new)}, stale, follows)


def other(what: str, file: str, edit: Edit, stale: set[str] = NOTHING) -> Mutation:
    return Mutation(what, {file: edit}, stale)


UNUSED = '\n\ndef nobody_calls_this(x):\n    """Unused."""\n    return x + 1\n'

# What says the same as before

SAME = [
    code("comments added", "model/network.py", prepend("# One comment.\n# Another.\n")),
    code(
        "comment in a function changed",
        "landscape/grid.py",
        swap("# + 0.0 turns -0.0 into 0.0", "# no negative zero"),
    ),
    code(
        "docstring of a function changed",
        "landscape/width.py",
        swap(
            "Its ends are found by linear interpolation between points.", "Linear between points."
        ),
    ),
    code(
        "docstring of a class changed",
        "landscape/plane.py",
        swap("Puts a model at origin", "Places a model at origin"),
    ),
    code(
        "docstring of a module changed",
        "rebuilds/step.py",
        swap('"""The frame around', '"""What is around'),
    ),
    code(
        "docstring added",
        "model/encoder.py",
        swap(
            "def _some(names: list[str]) -> str:\n",
            'def _some(names: list[str]) -> str:\n    """."""\n',
        ),
    ),
    code(
        "docstring removed",
        "report/claims.py",
        swap(
            '    """Losses and errors at the points around the end at which the mean loss is below '
            'chance."""\n',
            "",
        ),
    ),
    code("whole file reformatted", "landscape/engine.py", rewrite),
    code("whole file reformatted", "report/claims.py", rewrite),
    code("whole file reformatted", "common/tables.py", rewrite),
    code("whole file reformatted", "rebuilds/step.py", rewrite),
    code("whole file reformatted", "figures/trajectories.py", rewrite),
    code("whole file reformatted", "data/grammars/nli.py", rewrite),
    code("whole file reformatted", "finetune/training.py", rewrite),
    code(
        "other quotes",
        "landscape/merge_surface.py",
        swap('for split in ("train", "dev"):', "for split in ('train', 'dev'):"),
    ),
    code(
        "a tuple over several lines",
        "finetune/state.py",
        swap(
            '*("diverged", "failed", "predictions"),',
            '*(\n        "diverged",\n        "failed",\n        "predictions",\n    ),',
        ),
    ),
    code(
        "a number written otherwise",
        "finetune/schedule.py",
        swap("math.ceil(warmup * steps - 1e-9)", "math.ceil(warmup * steps - 0.000_000_001)"),
    ),
    code(
        "a text in two parts",
        "report/evaluate_claims.py",
        swap('"Claims of Hao et al. (2019)"', '"Claims of " "Hao et al. (2019)"'),
    ),
    Mutation("all scripts touched", {"workflow_scripts/**/*.py": touch}, NOTHING),
    Mutation(
        "Snakefile and all rules touched", {"Snakefile": touch, "rules/*.smk": touch}, NOTHING
    ),
    Mutation("configuration touched", {"config.yaml": touch, EXPERIMENT: touch}, NOTHING),
    code(
        "annotation of a parameter changed",
        "finetune/schedule.py",
        swap("def factor(step: int, steps: int,", "def factor(step: float, steps: float,"),
    ),
    code(
        "annotation of a result changed",
        "model/network.py",
        swap(
            ') -> Tensor:\n    """Logits [N, K] of the first',
            ') -> "Tensor":\n    """Logits [N, K] of the first',
        ),
    ),
    code(
        "annotation of a variable changed",
        "report/ledger.py",
        swap("found: dict[str, list[Conclusion]] =", "found: dict ="),
    ),
    code(
        "annotations of a method changed",
        "finetune/training.py",
        swap("def _weights(self) -> dict[str, torch.Tensor]:", "def _weights(self):"),
    ),
    code("unused function added", "landscape/width.py", append(UNUSED)),
    code(
        "unused function added",
        "rebuilds/step.py",
        swap("\n\ndef _is_list", UNUSED + "\n\ndef _is_list"),
    ),
    code("unused class added", "landscape/engine.py", append("\n\nclass Nobody:\n    size = 3\n")),
    code("unused constant added", "model/encoder.py", append("\n_NOBODY = 7\n")),
    code(
        "unused function changed",
        "model/encoder.py",
        swap(
            "if not name.startswith(_prefix(module))]",
            "if name and not name.startswith(_prefix(module))]",
        ),
    ),
    code("unused function removed", "model/encoder.py", cut("head_names")),
    code("unused import of a library", "common/tables.py", prepend("import fractions\n")),
    code(
        "unused import of a module of this repository",
        "landscape/width.py",
        swap(
            "import pandas as pd\n",
            "import pandas as pd\n\nfrom workflow_scripts.landscape import projection\n",
        ),
    ),
    code(
        "import for type checkers",
        "landscape/grid.py",
        swap(
            "import pandas as pd\n",
            "import pandas as pd\nfrom typing import TYPE_CHECKING\n\n"
            "if TYPE_CHECKING:\n    import torch\n",
        ),
    ),
    moved(
        "function moved to a module that is there",
        {
            "figures/curves.py": both(
                cut("_short"),
                swap(
                    "from workflow_scripts.figures.layout import",
                    "from workflow_scripts.figures.scales import _short\n"
                    "from workflow_scripts.figures.layout import",
                ),
            ),
            "figures/scales.py": paste("workflow_scripts/figures/curves.py", "_short"),
        },
    ),
    moved(
        "function moved to a new module",
        {
            "report/claims.py": both(
                cut("_points"),
                swap(
                    "from workflow_scripts.report import statistics\n",
                    "from workflow_scripts.report import statistics\n"
                    "from workflow_scripts.report.points import _points\n",
                ),
            ),
            "report/points.py": both(
                append("from workflow_scripts.stability.intervals import Interval\n"),
                paste("workflow_scripts/report/claims.py", "_points"),
            ),
        },
    ),
    moved(
        "function moved from a script to a module",
        {
            "landscape/measure_width.py": both(
                cut("in_both_units"),
                swap(
                    "import line_widths, plane_areas",
                    "import in_both_units, line_widths, plane_areas",
                ),
            ),
            "landscape/width.py": paste(
                "workflow_scripts/landscape/measure_width.py", "in_both_units"
            ),
        },
    ),
    moved(
        "class moved to another module",
        {
            "landscape/projection.py": both(
                cut("Coordinates"),
                swap("import Weights, gram", "import Coordinates, Weights, gram"),
            ),
            "landscape/plane.py": both(
                swap("import math\n", "import math\nfrom dataclasses import asdict, dataclass\n"),
                paste("workflow_scripts/landscape/projection.py", "Coordinates"),
            ),
        },
    ),
    moved(
        "constant moved to another module",
        {
            "finetune/schedule.py": swap(
                "RATIO = 32  #",
                "from workflow_scripts.finetune.batches import RATIO  #",
            ),
            "finetune/batches.py": append("\nRATIO = 32\n"),
        },
    ),
    code("functions in another order", "landscape/grid.py", to_end("axis")),
    code("functions in another order", "landscape/plane.py", to_end("gram")),
    code(
        "another way to import",
        "rollback/roll_back_groups.py",
        swap(
            "from workflow_scripts.common.progress import progress\n",
            "from workflow_scripts.common.progress import (\n    progress,\n)\n",
        ),
    ),
]

# Common

COMMON = [
    code(
        "statement of a package: choose_examples imports nothing from it",
        "landscape/__init__.py",
        append("import os\n\nos.umask(0o022)\n"),
        FORWARD | {ENCODE, DIRECTIONS, MERGE, WIDTH, CLAIMS},
    ),
    code(
        "unused function added to a grammar",
        "data/grammars/sentiment.py",
        append(UNUSED),
        {PREPARE},  # the module is not plain: it calls a function on import, so it counts whole
    ),
    code(
        "constant: a library more",
        "rebuilds/records.py",
        swap('"scipy", "pandas")', '"scipy", "pandas", "pip")'),
        ALL,
    ),
    code(
        "message of the log",
        "rebuilds/step.py",
        swap('"done in %.1f s"', '"done after %.1f s"'),
        ALL,
    ),
    code(
        "helper: reading a table",
        "common/tables.py",
        swap(
            "return pd.read_parquet(path, columns=columns)",
            "return pd.read_parquet(Path(path), columns=columns)",
        ),
        ALL - {PREPARE, FETCH, SCRATCH, DIRECTIONS},
    ),
    code(
        "helper: writing a table",
        "common/tables.py",
        swap('compression="zstd"', 'compression="snappy"'),
        TRAINING
        | COMPARING
        | {PREPARE, CHOOSE, ENCODE, ROWS, MERGE, TRAJECTORY, WIDTH, ROLLBACK}
        | {CLAIMS, DYNAMICS_CLAIMS},
    ),
    code(
        "helper of error messages",
        "common/errors.py",
        swap("cutoff=0.5", "cutoff=0.6"),
        {PREPARE, FETCH, DYNAMICS_CLAIMS} | FIGURES,
    ),
    code(
        "helper of error messages",
        "common/errors.py",
        swap('" ".join(str(error).split())', "str(error).strip()"),
        ALL,
    ),
    code(
        "default argument",
        "common/progress.py",
        swap("every: float = 10.0", "every: float = 5.0"),
        TRAINING | READING,
    ),
    code(
        "helper: choice of the device",
        "common/device.py",
        swap("return torch.device(name)", "return torch.device(str(name))"),
        TRAINING | READING,
    ),
    code("statement that acts on import", "common/tables.py", append("\nos.umask(0o022)\n"), ALL),
    code(
        "description of a configuration key",
        "finetune/stage.py",
        swap('description="examples per step"', 'description="examples of a step"'),
    ),
    code(
        "default of a configuration key that two recipes leave out",
        "finetune/stage.py",
        swap("        0.01,\n", "        0.02,\n"),
        {"finetune_scratch", "finetune_continued"},
    ),
    code(
        "statement in the configuration's module",
        "experiment/config.py",
        append("\n_KNOWN = sorted(Config.model_fields)\n"),
    ),
    code(
        "page of the reference",
        "reference/config.py",
        swap('"# Configuration"', '"# All keys"'),
    ),
]

# Data

DATA = [
    code(
        "constant: share of the dev set",
        "data/synthetic.py",
        swap("DEV_SHARE = 0.25", "DEV_SHARE = 0.3"),
        {PREPARE},
        ALL - {PREPARE, FETCH, SCRATCH},
    ),
    code(
        "word in a list",
        "data/grammars/lists.py",
        swap("Wanda Wendy", "Wanda Wendel Wendy"),
        {PREPARE},
    ),
    code(
        "method of a class",
        "data/grammars/draw.py",
        swap("return int(self._random() * n)", "return int(n * self._random())"),
        {PREPARE} | COMPARING,
    ),
    code(
        "field of a dataclass",
        "data/tasks.py",
        swap("    card: dict[str, Any]\n", "    card: dict\n"),
        {PREPARE},
    ),
    code(
        "error text",
        "data/sources.py",
        swap("a name that can move", "a name that moves"),
        {PREPARE},
    ),
    code(
        "check at planning",
        "data/checks.py",
        swap("WHOLE_BYTES = 8 * 2**20", "WHOLE_BYTES = 4 * 2**20"),
    ),
    code(
        "script",
        "data/prepare_task.py",
        swap('{"name": name, **task.card}', '{**task.card, "name": name}'),
        {PREPARE},
    ),
    code(
        "statement that acts on import",
        "data/grammars/draw.py",
        append("\nrandom.seed(0)\n"),
        {PREPARE} | COMPARING,
    ),
]

# Model

MODEL = [
    code(
        "helper: random stream",
        "model/encoder.py",
        swap(".digest()[:7]", ".digest()[:6]"),
        TRAINING | {FETCH, SCRATCH},
    ),
    code(
        "helper: drawing a head",
        "model/encoder.py",
        swap("child = copy.deepcopy(child).cpu()", "child = copy.deepcopy(child.cpu())"),
        TRAINING,
    ),
    code(
        "helper: part of a parameter",
        "model/encoder.py",
        swap('return f"layer{layer:02d}"', 'return f"layer{layer:03d}"'),
        TRAINING | {FETCH},
    ),
    code(
        "constant: names of dropout",
        "model/encoder.py",
        swap('    "mlp_dropout",\n', ""),
        BUILDING,
    ),
    code(
        "pattern of layers",
        "model/encoder.py",
        swap("(?:layers?|{", "(?:layers?|blocks?|{"),
        BUILDING - {SCRATCH, ATTENTION, STATES} | {DIRECTIONS},
    ),
    code(
        "helper: layer groups",
        "model/layers.py",
        swap("count * i // 3 for i", "i * count // 3 for i"),
        {DIRECTIONS, ROWS, ROLLBACK, DYNAMICS_CLAIMS},
    ),
    code(
        "helper: writing weights",
        "model/encoder.py",
        swap('metadata = {"format": "pt"}', 'metadata = {"format": "pt", "by": "tunescape"}'),
        TRAINING | {FETCH, SCRATCH},
    ),
    code(
        "statement that acts on import",
        "model/encoder.py",
        append("\ntorch.set_flush_denormal(True)\n"),
        BUILDING | {DIRECTIONS},
    ),
    code(
        "class attribute that a method returns",
        "model/source.py",
        swap('"random": self.sha256 is None,', '"random": not self.sha256,'),
        {FETCH},
        ALL - {PREPARE, FETCH, CHOOSE},
    ),
    code(
        "word of the random tokenizer",
        "model/random_model.py",
        swap("nothing everybody", "nothing nowhere everybody"),
        {FETCH},
    ),
    code(
        "helper: tokens",
        "model/text.py",
        swap('strategy="longest_first"', 'strategy="only_first"'),
        ENCODING | {FETCH},
    ),
    code(
        "constant: tokenizer files",
        "model/checks.py",
        swap('    ("spm.model",),\n', ""),
        {FETCH},
    ),
    code(
        "constant of a check",
        "model/checks.py",
        swap('".msgpack")', '".msgpack", ".npz")'),
        {FETCH},
    ),
    code("check at planning", "model/checks.py", swap("if last >= count:", "if not last < count:")),
    code(
        "script",
        "model/draw_scratch.py",
        swap("read_config(config.parent), init)", "read_config(config.parent), init=init)"),
        {SCRATCH},
    ),
]

# Fine-tuning

FINETUNE = [
    code(
        "constant", "finetune/schedule.py", swap("RATIO = 32", "RATIO = 33"), TRAINING, AFTER_RUNS
    ),
    code(
        "constant, with the old time",
        "finetune/schedule.py",
        swap("RATIO = 32", "RATIO = 31"),
        TRAINING,
        old_time=True,
    ),
    code("helper", "finetune/batches.py", swap("[order, epoch, 1]", "[order, epoch, 2]"), TRAINING),
    code(
        "method",
        "finetune/training.py",
        swap("self.optimizer.zero_grad(set_to_none=True)", "self.optimizer.zero_grad()"),
        TRAINING,
    ),
    code(
        "class attribute",
        "finetune/training.py",
        swap("    def __init__(\n", "    kind = 1\n\n    def __init__(\n"),
        TRAINING,
    ),
    code(
        "message of the log",
        "finetune/training.py",
        swap('"epoch %d: training loss', '"after epoch %d: training loss'),
        TRAINING,
    ),
    code(
        "local variable renamed",
        "finetune/optimizer.py",
        both(
            swap("root = (1 - beta2**step) ** 0.5", "square = (1 - beta2**step) ** 0.5"),
            swap("recipe.eps / root", "recipe.eps / square"),
            swap("(1 - beta1**step) / root", "(1 - beta1**step) / square"),
        ),
        TRAINING,
    ),
    code(
        "decorator added",
        "finetune/schedule.py",
        both(
            swap("import math\n", "import math\nfrom functools import lru_cache\n"),
            swap("def warmup_steps", "@lru_cache\ndef warmup_steps"),
        ),
        TRAINING,
    ),
    code(
        "order of two statements",
        "finetune/scores.py",
        swap(
            "    n, right = int(counts.sum()), int(counts.trace())\n"
            "    true, predicted = counts.sum(1), counts.sum(0)\n",
            "    true, predicted = counts.sum(1), counts.sum(0)\n"
            "    n, right = int(counts.sum()), int(counts.trace())\n",
        ),
        TRAINING,
    ),
]

# Landscape and rollback

LANDSCAPE = [
    code(
        "helper of the engine",
        "landscape/engine.py",
        swap("examples = joined(list(splits.values()))", "examples = joined([*splits.values()])"),
        FORWARD,
        OF_SURFACES | {MERGE, TABLE1},
    ),
    code(
        "forward pass, with the old time",
        "model/network.py",
        swap("return functional.linear(inner,", "return 0.0 + functional.linear(inner,"),
        FORWARD | TRAINING,
        old_time=True,
    ),
    code(
        "function that one script calls",
        "landscape/engine.py",
        swap("        yield evaluate()\n", "        outcome = evaluate()\n        yield outcome\n"),
        {ROWS},
        OF_SURFACES | {MERGE},
    ),
    code(
        "local variable renamed",
        "landscape/engine.py",
        both(
            swap("finite = torch.isfinite(logits)", "whole = torch.isfinite(logits)"),
            swap("torch.where(finite,", "torch.where(whole,"),
        ),
        FORWARD,
    ),
    code(
        "decorator removed",
        "model/running.py",
        swap("    @torch.inference_mode()\n", ""),
        FORWARD,
    ),
    code(
        "field of a dataclass",
        "model/packing.py",
        swap("    firsts: Tensor\n", "    firsts: np.ndarray\n"),
        READING | TRAINING,
    ),
    code(
        "method that one script calls: a class counts as one",
        "landscape/plane.py",
        swap("view.copy_(self._moving(name, weights))", "view[:] = self._moving(name, weights)"),
        {ROWS, TRAJECTORY},
    ),
    code(
        "helper",
        "landscape/plane.py",
        swap("for name in deltas[0]:", "for name in sorted(deltas[0]):"),
        {DIRECTIONS, ROWS, TRAJECTORY},
    ),
    code(
        "helper",
        "landscape/plane.py",
        swap("end[name] - start[name] for name", "end[name].sub(start[name]) for name"),
        {DIRECTIONS, ROWS, TRAJECTORY},
    ),
    code(
        "field of a dataclass",
        "landscape/setting.py",
        swap("    scale: float | None\n", "    scale: float\n"),
        {DIRECTIONS, ROWS, TRAJECTORY},
    ),
    code(
        "helper",
        "landscape/setting.py",
        swap("fixed_below = None if layers is None else layers.start", "fixed_below = None"),
        {ROWS, TRAJECTORY},
    ),
    code(
        "points of a surface",
        "landscape/grid.py",
        swap('"on_grid": True', '"on_grid": bool(1)'),
        {ROWS, MERGE},
        OF_SURFACES,
    ),
    code(
        "how a surface is cut, to the same shards",
        "landscape/grid.py",
        swap("total = rows + missed", "total = int(missed) + rows"),
    ),
    code(
        "projection",
        "landscape/projection.py",
        swap("norm**2 - d_alpha**2", "norm * norm - d_alpha**2"),
        {TRAJECTORY},
        figures(3, 4) | {CLAIMS},
    ),
    code(
        "constant of areas",
        "landscape/width.py",
        swap("_REFINE = 8", "_REFINE = 4"),
        {WIDTH},
        NOTHING,
    ),
    code(
        "helper of widths",
        "landscape/width.py",
        swap("return float(x[-1]), True", "return float(x[len(x) - 1]), True"),
        {WIDTH, CLAIMS},
        NOTHING,
    ),
    code(
        "argument of a decorator",
        "landscape/width.py",
        swap(
            "@dataclass(frozen=True)\nclass Interval",
            "@dataclass(frozen=True, slots=True)\nclass Interval",
        ),
        {WIDTH, CLAIMS},
    ),
    code(
        "default argument",
        "landscape/width.py",
        swap("tolerance: float, at: float = 1.0", "tolerance: float, at: float = 1"),
        {WIDTH, CLAIMS},
    ),
    code(
        "length of a direction",
        "landscape/width.py",
        swap('"embeddings." in name', '"embedding" in name'),
        {DIRECTIONS},
        OF_SURFACES,
    ),
    code(
        "statement that acts on import",
        "landscape/width.py",
        append('\nnp.seterr(under="ignore")\n'),
        {DIRECTIONS, WIDTH, CLAIMS},
    ),
    code(
        "statement that acts on import",
        "landscape/plane.py",
        append("\ntorch.set_flush_denormal(True)\n"),
        FORWARD | {DIRECTIONS},
    ),
    code(
        "script",
        "landscape/choose_examples.py",
        swap(
            "return table.iloc[rows].assign(split=split, row=rows)",
            "return table.iloc[rows].assign(row=rows, split=split)",
        ),
        {CHOOSE},
        OF_SURFACES | {ENCODE, ROWS, TRAJECTORY, MERGE},
    ),
    code(
        "script",
        "landscape/encode_examples.py",
        swap(
            "    loaded_tokenizer = load_tokenizer(config.parent)\n",
            "    loaded_tokenizer = load_tokenizer(tokenizer.parent)\n",
        ),
        {ENCODE},
        OF_SURFACES | {ROWS, TRAJECTORY, MERGE},
    ),
    code(
        "architecture without transformers",
        "model/families.py",
        swap('"swish": "silu"', '"swish": "relu"'),
        READING | TRAINING,
    ),
    code("script", "landscape/merge_surface.py", swap("ddof=1", "ddof=0"), {MERGE}, OF_SURFACES),
    code(
        "script",
        "landscape/measure_width.py",
        swap(
            'table["relative"] = table["tolerance"] / facts["chance_loss"]',
            'table["relative"] = table["tolerance"].div(facts["chance_loss"])',
        ),
        {WIDTH},
        NOTHING,
    ),
    code(
        "script",
        "rollback/roll_back_groups.py",
        swap("_SEED = 0", "_SEED = 1"),
        {ROLLBACK},
        {CLAIMS, TABLE1},
    ),
]

# Learning dynamics

SHOWN = ATTENTION_CURVES | HEADS
OF_DYNAMICS = [
    code(
        "divergence of attention",
        "dynamics/attention.py",
        swap("torch.where(d < 0.5, small, large)", "torch.where(d < 0.4, small, large)"),
        {ATTENTION},
        SHOWN | {DYNAMICS_CLAIMS},
    ),
    code(
        "constant of ranks",
        "dynamics/moments.py",
        swap("_RANK = 1e-10", "_RANK = 1e-9"),
        {STATES, LAYERS_BACK},
        DYNAMICS - SHOWN,
    ),
    code(
        "one of the measures",
        "dynamics/svcca.py",
        swap(
            "max(0.0, float(2 - 2 * nuclear / size))", "max(0.0, float(2 * (1 - nuclear / size)))"
        ),
        {STATES, LAYERS_BACK},
    ),
    code(
        "jackknife that no script calls",
        "dynamics/svcca.py",
        swap("len(groups) < 3", "len(groups) < 2"),
    ),
    code(
        "intervals",
        "common/intervals.py",
        swap("(groups - 1) * left_out", "(groups - 1.0) * left_out"),
        {STATES, LAYERS_BACK, DYNAMICS_CLAIMS},
    ),
    code(
        "function that one script calls",
        "dynamics/similarity.py",
        swap('"first": i + lowest,', '"first": lowest + i,'),
        {STATES},
        STATE_CURVES | LAYER_MATRICES | {DYNAMICS_CLAIMS},
    ),
    code(
        "function that one script calls",
        "model/running.py",
        swap("layer.forward = forward\n", "setattr(layer, 'forward', forward)\n"),
        {LAYERS_BACK},
        BACK_CURVES | {DYNAMICS_CLAIMS},
    ),
    code(
        "order of the examples",
        "dynamics/reading.py",
        swap("order[group::groups], 0", "order[group :: groups], 1 - 1"),
        {STATES, LAYERS_BACK},
    ),
    code(
        "script",
        "dynamics/compare_attention.py",
        swap('["example", "layer"], ignore_index', '["layer", "example"], ignore_index'),
        {ATTENTION},
    ),
]

# Report and figures

REPORT = [
    code(
        "verdicts of both ledgers",
        "report/statistics.py",
        swap('"inconclusive", "no interval"', '"inconclusive", "without interval"'),
        {CLAIMS, DYNAMICS_CLAIMS},
    ),
    code(
        "constant",
        "common/thresholds.py",
        swap("AGREEMENT = 0.1", "AGREEMENT = 0.2"),
        {DYNAMICS_CLAIMS},
    ),
    code(
        "checks of all figures of dynamics",
        "figures/pairs.py",
        swap("nothing to draw: no pair", "nothing to draw, no pair"),
        CURVES | MATRICES,
        NOTHING,
    ),
    code(
        "constant",
        "report/claims.py",
        swap("leads to wider optima", "gives wider optima"),
        {CLAIMS},
    ),
    code(
        "field of a dataclass",
        "report/claims.py",
        swap("    small: bool\n", "    small: bool | None\n"),
        {CLAIMS},
    ),
    code(
        "nested function",
        "report/claims.py",
        swap(
            "of_paired_rate_difference(run[better], run[worse]) for run in e.correct",
            "of_paired_rate_difference(one[better], one[worse]) for one in e.correct",
        ),
        {CLAIMS},
    ),
    code("unused function among used ones", "report/claims.py", append(UNUSED)),
    code(
        "one figure",
        "figures/curves.py",
        swap("Faint: loss of each batch", "Thin: loss of each batch"),
        figures(2),
        NOTHING,
    ),
    code(
        "one figure",
        "figures/curves.py",
        swap("Loss along δ₁ = θ₁ − θ₀;", "Loss along δ₁;"),
        figures(5),
        NOTHING,
    ),
    code(
        "one figure",
        "figures/trajectories.py",
        swap("Left: error rate on", "Left: errors on"),
        figures(4),
        NOTHING,
    ),
    code(
        "one figure",
        "figures/surfaces.py",
        swap("layers of group G move", "layers of the group G move"),
        figures(7),
        NOTHING,
    ),
    code("one table", "figures/tables.py", swap("rule(y, 0.6)", "rule(y, 0.7)"), {TABLE1}, NOTHING),
    code(
        "two figures",
        "figures/surfaces.py",
        swap('"start θ₀ (0, 0)"', '"start (0, 0)"'),
        figures(1, 6),
        NOTHING,
    ),
    code(
        "script of two figures",
        "figures/draw_surfaces.py",
        swap("        QUANTITIES[quantity],", "        quantity=QUANTITIES[quantity],"),
        figures(1, 6),
        NOTHING,
    ),
    code(
        "default argument of a script",
        "figures/draw_loss_curves.py",
        swap("smoothing: float = 0.25", "smoothing: float = 0.5"),
        figures(2),
    ),
    code(
        "colour of a curve",
        "figures/style.py",
        swap('"scratch": VERMILLION}', '"scratch": GREY}'),
        figures(2, 5),
    ),
    code(
        "settings of all figures",
        "figures/style.py",
        swap('"savefig.dpi": 200', '"savefig.dpi": 150'),
        FIGURES,
        NOTHING,
    ),
    code(
        "statement that acts on import",
        "figures/style.py",
        append('\nmatplotlib.use("agg")\n'),
        FIGURES,
    ),
    code(
        "argument of a decorator",
        "figures/layout.py",
        swap("lru_cache(maxsize=4096)", "lru_cache(maxsize=1024)"),
        FIGURES,
    ),
    code(
        "default argument",
        "figures/layout.py",
        swap("most: int = 4", "most: int = 5"),
        figures(1, 2, 3, 5, 6) | CURVES | MATRICES,
    ),
    code(
        "method of a class",
        "figures/inputs.py",
        swap("values = table.to_numpy(dtype=float)", "values = table.to_numpy(float)"),
        figures(1, 3, 4, 5, 6, 7),
    ),
    code(
        "constant of maps",
        "figures/maps.py",
        swap('"dev error (%)"', '"error (%)"'),
        figures(1, 4, 6),
    ),
    code(
        "constant of scales",
        "figures/scales.py",
        swap("LINEAR_LOSS = 0.1", "LINEAR_LOSS = 0.2"),
        figures(1, 3, 6, 7),
    ),
    code(
        "the paper's numbers, which this experiment does not show",
        "rollback/paper.py",
        swap("86.54, ", "86.55, "),
    ),
    code(
        "writing of numbers",
        "figures/save.py",
        swap('na_rep="NaN"', 'na_rep="nan"'),
        FIGURES,
        NOTHING,
    ),
]

# Rules, environments, documents

RULES = [
    other(
        "message",
        "rules/landscape.smk",
        swap('"Merging surface {wildcards.surface}"', '"Merging {wildcards.surface}"'),
    ),
    other("threads", "rules/data.smk", swap("threads: 1", "threads: 2")),
    other("memory", "rules/model.smk", swap("mem_mb=8000", "mem_mb=9000")),
    other(
        "run time",
        "rules/rollback.smk",
        swap(
            'runtime=LIMITS.minutes("roll_back_groups", 60)',
            'runtime=LIMITS.minutes("roll_back_groups", 90)',
        ),
    ),
    other(
        "place of a log",
        "rules/report.smk",
        swap(
            'log_file("report/evaluate_claims", "{model}")',
            'log_file("report/evaluate_claims", "claims_{model}")',
        ),
    ),
    other(
        "two inputs exchanged, the set of files the same",
        "workflow_scripts/report/files.py",
        both(
            swap('"lines": surface_files(lines(settings, model)', '"lines": surface_files(every'),
            swap('"planes": surface_files(every', '"planes": surface_files(lines(settings, model)'),
        ),
        {CLAIMS},
    ),
    other(
        "order of an input's files turned round",
        "workflow_scripts/landscape/figures.py",
        swap(
            '"histories": [run_table(run, "history.parquet") for run in runs]',
            '"histories": [run_table(run, "history.parquet") for run in reversed(runs)]',
        ),
        figures(2),
    ),
    other(
        "input function that gives the same files",
        "workflow_scripts/landscape/files.py",
        swap(
            "_evaluated(_surface(settings, wildcards))",
            "{**_evaluated(_surface(settings, wildcards))}",
        ),
    ),
    other(
        "title of a figure in its message",
        "workflow_scripts/landscape/figures.py",
        swap('"training loss over steps"', '"training loss"'),
    ),
    other("comments", "rules/common.smk", prepend("# A comment.\n")),
    other("caption of a figure", "rules/captions/figure1.rst", append("\nMore.\n")),
    other("environment, without --sdm conda", "envs/torch.yaml", prepend("# A comment.\n")),
    other("page of the documentation", "docs/howto/rebuilds.md", append("\nMore.\n")),
    Mutation(
        "all documents and tests touched",
        {"docs/**/*.md": touch, "tests/**/*.py": touch, "*.md": touch},
        NOTHING,
    ),
    other("a new test", "tests/test_nothing.py", append("def test_nothing():\n    pass\n")),
    other("project file", "pyproject.toml", append("\n# A comment.\n")),
]

# Configuration

TINY = "finetune: {learning_rate: 1.0e-3, epochs: 2}"
CONFIG = [
    config("comment", "# holds 0 but", "# has 0 but"),
    config("a number written otherwise", TINY, "finetune: {learning_rate: 0.001, epochs: 2}"),
    config(
        "a default spelt out",
        TINY,
        "finetune: {learning_rate: 1.0e-3, epochs: 2, optimizer: adamw}",
    ),
    config("experiment.name", "name: smoke", "name: smoke2"),
    config("compute.device", "figures:\n", "compute: {device: cpu}\n\nfigures:\n"),
    config("compute.threads", "figures:\n", "compute: {threads: 2}\n\nfigures:\n"),
    config("compute.token_budget", "figures:\n", "compute: {token_budget: 512}\n\nfigures:\n"),
    config("compute.cache", "figures:\n", "compute: {cache: kept}\n\nfigures:\n"),
    config("finetune.keep", "  max_length: 48\n", "  max_length: 48\n  keep: ends\n"),
    config("landscape.rows_per_shard", "rows_per_shard: 4", "rows_per_shard: 2", NOTHING, NOTHING),
    config("models.tiny.source", "seed=0", "seed=1", {FETCH}, ALL - {PREPARE, FETCH, CHOOSE}),
    config(
        "tasks.entailment.train",
        "entailment: {train: 64,",
        "entailment: {train: 60,",
        {PREPARE},
        ALL - {PREPARE, FETCH, SCRATCH},
    ),
    config(
        "tasks.entailment.title: figures 4 and 7 show it too",
        "entailment: {train: 64,",
        "entailment: {title: RTE, train: 64,",
        FIGURES | {DYNAMICS_CLAIMS},
        NOTHING,
    ),
    config(
        "tasks.sentiment.title",
        "sentiment: {train: 64,",
        "sentiment: {title: SST, train: 64,",
        figures(1, 2, 3, 5, 6) | {TABLE1} | DYNAMICS,
        NOTHING,
    ),
    config(
        "a task that is not studied",
        "tasks:\n  entailment",
        "tasks:\n  nli: {train: 20}\n  entailment",
    ),
    config("finetune.max_length", "max_length: 48", "max_length: 40", ENCODING),
    config(
        "learning rate: pre-trained start",
        TINY,
        "finetune: {learning_rate: 2.0e-3, epochs: 2}",
        {"finetune_finetune"},
        AFTER_RUNS | {"finetune_continued"},
    ),
    config(
        "learning rate: scratch",
        "scratch: {learning_rate: 1.0e-3",
        "scratch: {learning_rate: 2.0e-3",
        {"finetune_scratch"},
        figures(1, 2, 3, 5, 6) | {DIRECTIONS, ROWS, MERGE, TRAJECTORY, WIDTH, CLAIMS},
    ),
    config(
        "learning rate: continued, which figure 4 states",
        "continued: {learning_rate: 1.0e-3",
        "continued: {learning_rate: 2.0e-3",
        {"finetune_continued", "draw_figure4"},
        {TRAJECTORY, CLAIMS},
    ),
    config(
        "epochs: scratch",
        "learning_rate: 1.0e-3, epochs: 3",
        "learning_rate: 1.0e-3, epochs: 4",
        {"finetune_scratch", DIRECTIONS, ROWS, TRAJECTORY},
        figures(1, 2, 3, 5, 6) | {MERGE, WIDTH, CLAIMS},
    ),
    config(
        "landscape.range",
        "range: [-4, 4]",
        "range: [-5, 5]",
        {DIRECTIONS, ROWS, MERGE},
        OF_SURFACES,
    ),
    config(
        "landscape.points", "\n  points: 7", "\n  points: 9", {DIRECTIONS, ROWS, MERGE}, OF_SURFACES
    ),
    config(
        "landscape.line_points",
        "line_points: 9",
        "line_points: 11",
        {ROWS, MERGE},
        figures(5) | {WIDTH, CLAIMS},
    ),
    config(
        "landscape.train_examples",
        "train_examples: 16",
        "train_examples: 12",
        {CHOOSE},
        OF_SURFACES | {ENCODE, ROWS, TRAJECTORY, MERGE},
    ),
    config("landscape.seed", "train_examples: 16", "seed: 1\n  train_examples: 16", {CHOOSE}),
    config(
        "landscape.groups: the thirds spelt out",
        "width: {",
        "groups: {low: [0, 0], middle: [1, 1], high: [2, 2]}\n  width: {",
        {DIRECTIONS, ROWS, ROLLBACK},
        figures(7) | {MERGE, TABLE1, CLAIMS},
    ),
    config(
        "landscape.width.resamples",
        "width: {resamples: 100",
        "width: {resamples: 120",
        {WIDTH, ROLLBACK, CLAIMS},
        {TABLE1},
    ),
    config(
        "landscape.width.tolerances",
        "width: {resamples: 100",
        "width: {resamples: 100, tolerances: [0.2]",
        {WIDTH, CLAIMS},
        NOTHING,
    ),
    config(
        "landscape.width.relative",
        "width: {resamples: 100",
        "width: {resamples: 100, relative: [0.25]",
        {WIDTH},
        NOTHING,
    ),
    config("dynamics.keep", "  groups: 4\n", "  groups: 4\n  keep: 0.9\n", {STATES, LAYERS_BACK}),
    config("dynamics.pair_examples", "pair_examples: 16", "pair_examples: 12", {ATTENTION, STATES}),
    config(
        "dynamics.resamples",
        "  groups: 4\n  resamples: 100",
        "  groups: 4\n  resamples: 120",
        ATTENTION_CURVES | {DYNAMICS_CLAIMS},
        NOTHING,
    ),
    config(
        "figures.trajectory_tasks",
        "trajectory_tasks: [entailment, sentiment]",
        "trajectory_tasks: [entailment]",
        figures(3),
        NOTHING,
    ),
    config(
        "a task's own row of the paper",
        "group_tasks: [entailment]",
        "group_tasks: [entailment]\n  paper_values: {entailment: RTE}",
        {TABLE1},
        NOTHING,
    ),
]

# Results

PLANE = f"{RESULTS}/landscape/tiny/entailment_pretrained"
RUN = f"{RESULTS}/finetune/tiny/entailment/pretrained/finetune/init0_order0"
FILES = [
    other("surface touched", f"{PLANE}/surface.parquet", touch),
    other("checkpoint touched", f"{RUN}/epoch02.safetensors", touch),
    other("dev set touched", f"{RESULTS}/data/entailment/dev.parquet", touch),
    Mutation("all results touched", {f"{RESULTS}/**/*.*": touch}, NOTHING),
    other("width deleted", f"{PLANE}/width.parquet", delete, {WIDTH}),
    other("log deleted", f"{RESULTS}/logs/report/evaluate_claims/tiny.log", delete),
    other("surface with other bytes", f"{PLANE}/surface.parquet", append("x"), figures(1, 3, 4, 6)),
]

MUTATIONS = [*SAME, *COMMON, *DATA, *MODEL, *FINETUNE, *LANDSCAPE, *OF_DYNAMICS, *REPORT]
MUTATIONS += [*RULES, *CONFIG, *FILES]

# Running


def copy_of_repository(target: Path) -> None:
    """Tracked and untracked files, without what was computed or installed."""
    apart = shutil.ignore_patterns(
        ".venv", "results", "runs", ".git", ".snakemake", "__pycache__", ".*_cache"
    )
    shutil.copytree(ROOT, target, ignore=apart)


def finish(copy: Path) -> None:
    """Run the experiment to its end, each job traced: what it did is covered by its script's hash.

    Raises
    ------
    SystemExit
        With Snakemake's last lines, if it fails; or with what no hash covers.
    """
    traced = copy.with_name(f"{copy.name}_traced")
    env = _environment() | traced_environment(copy, traced)
    done = subprocess.run(
        [SNAKEMAKE, *ARGUMENTS], cwd=copy, env=env, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"the experiment failed:\n{(done.stdout + done.stderr)[-3000:]}")
    found = compare_traced(copy, traced, ("runs/",))
    if found.uncovered:
        sys.exit("no hash covers:\n" + "\n".join(found.uncovered))
    print(f"{found.jobs} jobs: {found.functions} functions that ran, {found.files} files covered\n")


def dry_run(copy: Path) -> tuple[dict[str, list[str]], float]:
    """Reasons of the jobs that would run, by rule, and seconds that the dry run took.

    Raises
    ------
    RuntimeError : if Snakemake fails.
    """
    record = copy.with_suffix(".jsonl")
    record.write_text("")
    env = _environment() | {"TUNESCAPE_REBUILDS": str(record)}
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", ASKING, *ARGUMENTS, "--dry-run"],
        cwd=copy,
        env=env,
        capture_output=True,
        text=True,
    )
    seconds = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError((done.stdout + done.stderr)[-2000:])
    jobs = [json.loads(line) for line in record.read_text(encoding="utf-8").splitlines()]
    # Against a change of Snakemake's that would hide jobs from us.
    total = re.search(r"^total +(\d+)$", done.stdout + done.stderr, re.MULTILINE)
    if len(jobs) != (int(total[1]) if total else 0):
        raise RuntimeError(f"{len(jobs)} jobs were recorded, Snakemake says {total and total[1]}")
    found: dict[str, list[str]] = {}
    for rule, reason, changed in jobs:
        if rule not in ("all", "results/figures/all"):
            rule = re.sub(r"^(evaluate_rows)_.*", r"\1", rule)
            found.setdefault(rule, []).append(reason + (f"; {CHANGED}" if changed else ""))
    return found, seconds


def _environment() -> dict[str, str]:
    # A file that changes within a second, at the same size, would be taken from its bytecode.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return kept | {"PYTHONDONTWRITEBYTECODE": "1"}


CHANGED = "Params or inputs are others than when the file was made"


def stale_itself(reasons: list[str]) -> bool:
    """Whether one of a rule's jobs runs for another reason than that a job before it does."""
    parts = [part.strip() for reason in reasons for part in reason.split(";")]
    parts = [part for part in parts if part and part != "Updated input files:"]
    return any(not part.startswith("Input files updated by another job") for part in parts)


@contextmanager
def applied(mutation: Mutation, copy: Path) -> Iterator[None]:
    """Change the files; put them back afterwards, with their modification times."""
    before: dict[Path, tuple[bytes, os.stat_result] | None] = {}
    try:
        for pattern, edit in mutation.edits.items():
            paths = sorted(copy.glob(pattern)) if "*" in pattern else [copy / pattern]
            if not paths:
                raise LookupError(f"no file {pattern}")
            for path in filter(lambda p: not p.is_dir(), paths):
                old = (path.read_bytes(), path.stat()) if path.exists() else None
                new = edit(old[0] if old else None)
                if old is None and new is None:
                    raise LookupError(f"no file {pattern}")
                before[path] = old
                if new is None:
                    path.unlink()
                elif old and new == old[0]:
                    if edit is not touch:
                        raise LookupError(f"nothing changes in {pattern}")
                    os.utime(path)
                else:
                    path.write_bytes(new)
                    if old and mutation.old_time:
                        os.utime(path, ns=(old[1].st_atime_ns, old[1].st_mtime_ns))
        yield
    finally:
        for path, old in before.items():
            if old is None:
                path.unlink(missing_ok=True)
            else:
                if not path.exists() or path.read_bytes() != old[0]:
                    path.write_bytes(old[0])
                os.utime(path, ns=(old[1].st_atime_ns, old[1].st_mtime_ns))


def words(rules: set[str]) -> str:
    """Rules in few words."""
    if rules == ALL:
        return "all"
    found, rest = [], set(rules)
    for name, group in (("finetune_*", TRAINING), ("all figures", FIGURES)):
        if group <= rest:
            found.append(name)
            rest -= group
    return ", ".join(sorted([*found, *rest])) or "–"


def main() -> int:
    options = argparse.ArgumentParser(description="Mutations, and what is rebuilt for them.")
    options.add_argument("--finished", type=Path, help="copy with a finished smoke experiment")
    options.add_argument("--only", help="numbers of mutations, with commas")
    options.add_argument("--workers", type=int, default=min(4, os.cpu_count() or 1))
    chosen = options.parse_args()
    only = {int(number) for number in chosen.only.split(",")} if chosen.only else None
    with tempfile.TemporaryDirectory(prefix="tunescape_rebuilds_") as folder:
        copies = [Path(folder, f"copy{number}") for number in range(chosen.workers)]
        if chosen.finished is None:
            copy_of_repository(copies[0])
            finish(copies[0])
        # The folder given stays as it is; copies keep their files' modification times.
        for copy in copies[chosen.finished is None :]:
            shutil.copytree(chosen.finished or copies[0], copy)
        return compare(copies, only)


def compare(copies: list[Path], only: set[int] | None) -> int:
    """Try the mutations, as many at a time as there are copies; print the table.

    Returns
    -------
    1 if anything is not as expected, else 0.
    """
    runs = [dry_run(copies[0]) for _ in range(3)]
    if runs[0][0]:
        sys.exit(f"the experiment is not finished; these would run: {runs[0][0]}")
    seconds = statistics.median(time for _, time in runs)
    chosen = [(n, m) for n, m in enumerate(MUTATIONS, 1) if not only or n in only]
    free: queue.Queue[Path] = queue.Queue()
    for copy in copies:
        free.put(copy)

    def tried(mutation: Mutation) -> dict[str, list[str]] | str:
        copy = free.get()
        try:
            with applied(mutation, copy):
                return dry_run(copy)[0]
        except (LookupError, RuntimeError, StopIteration) as error:
            return f"cannot be tried: {error!r}"
        finally:
            free.put(copy)

    over, missed, broken = 0, 0, 0
    print("| # | mutation | file | must be stale | found | over-rebuilt | missed |")
    print("|--:|---|---|---|---|---|---|")
    with ThreadPoolExecutor(len(copies)) as pool:
        answers = pool.map(tried, [mutation for _, mutation in chosen])
        for (number, mutation), found in zip(chosen, answers, strict=True):
            about = f"| {number} | {mutation.what} | {', '.join(mutation.edits)} "
            if isinstance(found, str):
                broken += 1
                print(f"{about}| {words(mutation.stale)} | {found} | ? | ? |", flush=True)
                continue
            stale = {rule for rule, reasons in found.items() if stale_itself(reasons)}
            extra, lacking = stale - mutation.stale, mutation.stale - stale
            differences = [words(extra), words(lacking)]
            over, missed = over + len(extra), missed + len(lacking)
            if mutation.follows is not None:
                expected = mutation.stale | mutation.follows
                extra, lacking = set(found) - expected - extra, expected - set(found) - lacking
                differences[0] += f"; follows: {words(extra)}" if extra else ""
                differences[1] += f"; must follow: {words(lacking)}" if lacking else ""
                over, missed = over + len(extra), missed + len(lacking)
            cells = [words(mutation.stale), words(stale), *differences]
            print(f"{about}| {' | '.join(cells)} |", flush=True)
    for copy in copies:
        if left := dry_run(copy)[0]:
            sys.exit(f"not everything was restored; these would run: {left}")
    followed = sum(mutation.follows is not None for _, mutation in chosen)
    print(f"\n{len(chosen)} mutations; for {followed} of them, what follows is compared too")
    print(f"over-rebuilds {over}, missed rebuilds {missed}")
    if broken:
        print(f"{broken} could not be tried: bring them up to date")
    print(f"dry run of the finished experiment: {seconds:.1f} s (median of {len(runs)})")
    return int(bool(over or missed or broken))


if __name__ == "__main__":
    sys.exit(main())
