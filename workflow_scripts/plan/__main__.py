"""Before a run: its jobs, hours, disk and memory, stage by stage. Nothing is run or downloaded.

python -m workflow_scripts.plan --configfile experiments/paper.yaml --gpu h100 --gpus 4
"""

import argparse
import contextlib
import os
import sys
from pathlib import Path

from workflow_scripts.common.costs import Machine
from workflow_scripts.common.errors import UserError
from workflow_scripts.experiment.config import Config
from workflow_scripts.experiment.read import read_settings
from workflow_scripts.plan.machine import GPUS, REACHED, known_gpu, measured


def chosen_machine(arguments: argparse.Namespace, settings: Config, hidden: int, inner: int):
    """The machine of the plan, and what to say of the choice (empty, or a line)."""
    from workflow_scripts.common.gpus import visible_gpus

    cores = arguments.cores or os.cpu_count() or 1
    if arguments.gpu:
        return known_gpu(arguments.gpu, cores, arguments.gpus or 1), ""
    gpu = settings.compute.device != "cpu" and bool(arguments.gpus or visible_gpus())
    if arguments.tflops:
        rate, memory = arguments.tflops * 1e12, arguments.gbps * 1e9
        half = (arguments.bf16_tflops or arguments.tflops) * 1e12
        return Machine("as given", rate, half, memory, gpu, cores, (arguments.gpus or 1) * gpu), ""
    here = bool(visible_gpus())
    device = "cuda" if settings.compute.device != "cpu" and here else "cpu"
    gpus = arguments.gpus or len(visible_gpus())
    found = measured(hidden, inner, device, settings.compute.threads, cores, gpus)
    note = "compute.device is cuda, but there is no GPU here: planned for this machine's CPU; "
    note += "for a GPU, give --gpu or --tflops with --gpus"
    return found, note if settings.compute.device == "cuda" and not here else ""


def plan(arguments: argparse.Namespace):
    """The plan that a command line asks for, a ``report.Plan``.

    Parameters
    ----------
    arguments : Namespace
        Of ``parser``.

    Raises
    ------
    UserError
        If something in the configuration or the arguments is wrong, or the size of a model or task
        is not known.
    """
    from workflow_scripts.experiment.products import all_tasks
    from workflow_scripts.model.pricing import Pricing
    from workflow_scripts.model.sizes import shape_in, shape_of
    from workflow_scripts.plan.jobs import planned_jobs, priced, schedule
    from workflow_scripts.plan.report import Plan
    from workflow_scripts.plan.sizes import given_lengths, lengths_of
    from workflow_scripts.rebuilds.libraries import other_versions

    settings = read_settings([path.resolve() for path in arguments.configfile])
    run = arguments.directory.resolve()
    shapes, lengths, facts = {}, {}, []
    folders = dict(_named(one, "--shape", settings.models) for one in arguments.shape)
    given = dict(_named(one, "--examples", settings.tasks) for one in arguments.examples)
    for model in settings.experiment.models:
        found = (
            shape_in(model, Path(folders[model]))
            if model in folders
            else shape_of(model, settings.models[model].source, run)
        )
        shapes[model] = found[0]
        facts.append((model, *found))
        lengths[model] = {
            task: given_lengths(given[task], settings.finetune.max_length)
            if task in given
            else lengths_of(settings, task, model, run)
            for task in all_tasks(settings)
        }
    largest = max(shapes.values(), key=lambda shape: shape.hidden)
    machine, note = chosen_machine(arguments, settings, largest.hidden, largest.intermediate)
    pricings = {
        model: Pricing(settings, shapes[model], lengths[model], machine) for model in shapes
    }
    files = [path.resolve() for path in arguments.configfile]
    jobs = priced(planned_jobs(files), pricings, machine.gpu, arguments.submit)
    ends = schedule(jobs, machine.cores, machine.gpus)
    there = {}
    if run.is_dir():
        with contextlib.chdir(run):
            there = other_versions()
    return Plan(settings, facts, lengths, machine, note, jobs, ends, there, arguments.submit)


def _named(text: str, option: str, known: dict) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or name not in known:
        raise UserError(f"{option}: got {text!r}, expected NAME=…, NAME out of {', '.join(known)}")
    return name, value


def _positive(text: str) -> float:
    number = float(text)
    if not number > 0:
        raise ValueError
    return number


_positive.__name__ = "positive number"


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


_count.__name__ = "number of 1 or more"


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    options = argparse.ArgumentParser(
        prog="python -m workflow_scripts.plan", description=__doc__.split("\n")[0]
    )
    add = options.add_argument
    add("--configfile", nargs="+", type=Path, default=[], help="experiment, as for snakemake")
    add("--directory", type=Path, default=Path(), help="that of the run (default: here)")
    add("--cores", type=_count, help="processor cores (default: all)")
    add("--gpus", type=_count, help="GPUs at a time (default: those of this machine, or 1)")
    add("--gpu", choices=sorted(GPUS), help=f"a GPU: {REACHED:.0%}% of its data sheet's rates")
    add("--tflops", type=_positive, help="float32 products of one job, 10^12 operations a second")
    add("--bf16-tflops", type=_positive, help="the same in bfloat16 (default: as --tflops)")
    add("--gbps", type=_positive, default=20, help="with --tflops: memory, 10^9 bytes a second")
    add("--submit", type=_positive, default=0.0, help="seconds that a cluster adds to each job")
    add("--shape", action="append", default=[], metavar="MODEL=FOLDER", help="its config.json")
    add(
        "--examples",
        action="append",
        default=[],
        metavar="TASK=TRAIN,DEV,TOKENS",
        help="examples of a task that is not here, and their mean length",
    )
    return options


def main() -> None:
    """Print the plan that the command line asks for."""
    from workflow_scripts.plan.report import text

    try:
        print(text(plan(parser().parse_args())))
    except UserError as error:
        sys.exit(f"plan: {error}")


if __name__ == "__main__":
    main()
