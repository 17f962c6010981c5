"""The plans of docs/howto/plan.md: what each experiment of the repository will take."""

import re
import tempfile
from pathlib import Path

from workflow_scripts.plan.__main__ import parser, plan
from workflow_scripts.plan.report import Plan, text, totals

ROOT = Path(__file__).resolve().parents[2]
# Two cores of an AMD Zen 4, as measured where the workflow is developed.
CPU = "--tflops 0.095 --bf16-tflops 0.19 --gbps 43 --cores 2"
ONE = "--gpu h100 --gpus 1 --cores 16"
FOUR = "--gpu h100 --gpus 4 --cores 32"
MACHINES = {CPU: "2 cores", ONE: "one H100", FOUR: "four H100"}
EXPERIMENTS = {
    "smoke": CPU,
    "": CPU,
    "glue_local": CPU,
    "stability_local": CPU,
    "probing_local": CPU,
    "glue": ONE,
    "paper": FOUR,
    "stability": FOUR,
}


def parts() -> dict[str, str]:
    """Two plans in full, and a table of all experiments; takes minutes.

    Experiments on local copies of real data need ``$TUNESCAPE_DATA``. ``probing``, whose models are
    local too, is left out.
    """
    plans = {name: planned(name, machine) for name, machine in EXPERIMENTS.items()}
    return {
        "plan-default": _indented(text(plans[""])),
        "plan-paper": _indented(text(plans["paper"])),
        "plan-experiments": table(plans),
    }


def planned(name: str, machine: str) -> Plan:
    """The plan of an experiment, from nothing.

    Parameters
    ----------
    name : str
        Of a file of ``experiments/``; empty for the default.
    machine : str
        Options of the plan's command line.
    """
    configured = f"--configfile {ROOT}/experiments/{name}.yaml" if name else ""
    with tempfile.TemporaryDirectory() as folder:
        given = f"{configured} --directory {folder} {machine}".split()
        return plan(parser().parse_args(given))


def table(plans: dict[str, Plan]) -> str:
    """A row per experiment.

    Parameters
    ----------
    plans : dict of str to Plan
        By the experiment's name; empty for the default.
    """
    lines = [
        "| experiment | planned for | jobs | core hours | GPU hours | done after | disk | memory |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    for name, one in plans.items():
        _, jobs, cores, gpus, *rest = totals(one)
        gpus = gpus if one.machine.gpu else ""
        cells = [name or "the default", MACHINES[EXPERIMENTS[name]], jobs, cores, gpus, *rest]
        lines.append(f"| {' | '.join(cells)} |".replace("|  |", "| |"))
    return "\n".join(lines)


def _indented(lines: str) -> str:
    lines = re.sub(r"\(/\S*/site-packages/", "(…/", lines)  # the same wherever .venv is
    return "\n".join(f"    {line}".rstrip() for line in lines.splitlines())
