"""Write an experiment for your own task, and model or finished run, after a look at their files.

python -m workflow_scripts.plan.own --task /data/reviews --model /models/bert
python -m workflow_scripts.plan.own --task /data/reviews --run /models/reviews-run
"""

import argparse
import json
import os
import re
import shlex
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from workflow_scripts.common.errors import UserError, cut, in_one_line, listed
from workflow_scripts.data.checks import check_task
from workflow_scripts.data.examples import Examples, classes, examples_of
from workflow_scripts.data.table_files import read_table_file
from workflow_scripts.experiment.yaml_file import read_yaml
from workflow_scripts.finetune.checkpoints import (
    TrainerRun,
    base_folder,
    check_base,
    check_checkpoints,
    find_run,
    label_order,
    log_of,
    longest_input,
)
from workflow_scripts.model.checks import (
    check_model,
    layers_of,
    local_folder,
    parse_source,
    read_config_file,
)
from workflow_scripts.plan import report
from workflow_scripts.plan.__main__ import parser, plan

_ROOT = Path(__file__).resolve().parents[2]
# Names that a label's column often has, tried if there is no column `label`.
LABEL_NAMES = ("labels", "gold_label", "class", "category", "target", "y")


@dataclass(frozen=True)
class Splits:
    """Both splits of a task, as they were read.

    Parameters
    ----------
    definition : dict
        Section of the task: ``source`` and what differs from the defaults.
    columns : list of str
        All columns of the training file.
    train, dev : Examples
        All examples.
    names : list of str
        Of the classes.
    ids : dict
        Index in ``names`` of every label.
    """

    definition: dict[str, object]
    columns: list[str]
    train: Examples
    dev: Examples
    names: list[str]
    ids: dict[str, int]


def own_experiment(
    task: str,
    model: str | None = None,
    name: str | None = None,
    columns: dict[str, object] | None = None,
    run: str | None = None,
) -> tuple[str, str]:
    """The text of an experiment.

    Parameters
    ----------
    task : str
        Folder with a training and a dev file, or the two files, joined by a comma.
    model : str, optional
        Folder of a pre-trained model, or its source (``hub:…``, ``package:…``); by default the
        experiment takes the embedded one, or that which the files of ``run`` name.
    name : str, optional
        Of the experiment; by default that of the task's folder.
    columns : dict, optional
        Keys of the task that are not at their defaults: ``label``, ``text``, ``dev_split``,
        ``unlabeled``.
    run : str, optional
        Folder of a run of Hugging Face's Trainer on this task, which takes the place of training.

    Returns
    -------
    name : str
        Of the experiment.
    text : str
        Its YAML.

    Raises
    ------
    UserError
        If the task, the model or the run cannot work.
    """
    read = read_splits(task, columns or {})
    place = task.partition(",")[0] if "," in task and not Path(task).is_dir() else task
    folder = Path(_absolute(place))
    task_name = _name(folder if folder.is_dir() else folder.parent, "task", "tasks")
    name = name or task_name
    experiment: dict[str, object] = {"name": name, "tasks": [task_name]}
    lines = [
        f"# {name}: written by python -m workflow_scripts.plan.own",
        "# Everything else is as config.yaml has it; any of its keys may be set here.",
        "#",
        *(f"# {line}" for line in _described(task_name, read)),
    ]
    found = _run(run, model, task_name, read.names) if run else None
    model = model or (str(found.base) if found else None)
    if model:
        source = {"source": model if _is_source(model) else f"dir:{_absolute(model)}"}
        place = source["source"].partition(":")[2].partition("@")[0]
        place = place.partition("/")[0] if model.startswith("package:") else place
        model_name = _name(Path(place), "model", "models")
        check_model(model_name, source)
        experiment["models"] = [model_name]
        lines += [f"# {line}" for line in _model_described(model_name, source)]
    if found:
        run_name = _name(Path(_absolute(run)), "run", "runs")
        experiment["runs"] = [run_name]
        lines += [f"# {line}" for line in found.described(run_name)]
    lines += [
        "",
        f"experiment: {_flow(experiment)}",
        f"tasks: {_flow({task_name: read.definition})}",
    ]
    if model:
        lines.append(f"models: {_flow({model_name: source})}")
    if found:
        definition = {"source": f"dir:{_absolute(run)}", "task": task_name, "model": model_name}
        lines.append(f"runs: {_flow({run_name: definition})}")
        if len(found.run.checkpoints) > 1:
            # A random direction would not show the way between the checkpoints.
            lines.append("landscape: {second: pca}")
        if found.max_length:
            lines.append(f"finetune: {_flow({'max_length': found.max_length})}")
    return name, "\n".join(lines) + "\n"


@dataclass(frozen=True)
class _Run:
    """A finished run, as its files say."""

    run: TrainerRun
    base: Path | None
    max_length: int | None

    def described(self, name: str) -> list[str]:
        """What was found, for the comments of the experiment."""
        kind = "adapters" if self.run.last.adapter else "checkpoints"
        start = "kept by SaveTrajectory" if self.run.start else "the model with the last head"
        entries = len(log_of(self.run.last))
        length = (
            f"the longest input of its tokenizer is {self.max_length} tokens"
            if self.max_length
            else "its longest input is not known: finetune.max_length must be that of the training"
        )
        return [
            f"Run {name}: {kind} at steps {listed(self.run.steps[1:])}; step 0 is {start}",
            f"  entries of the Trainer's log: {entries}; {length}",
        ]


def _run(run: str, model: str | None, task: str, labels: list[str]) -> _Run:
    """Find a finished run and check it against its task and base model."""
    with in_one_line("RUN: "):
        found = find_run(f"dir:{_absolute(run)}")
        base = None if model else base_folder(found)
        check_checkpoints(found)
        folder = base or (None if _is_source(model) else Path(_absolute(model)))
        if folder is not None:
            check_model("base", {"source": f"dir:{folder}"})
            check_base(found, folder)
        label_order(found.last, labels, task)
        return _Run(found, base, longest_input(found.last))


def _is_source(model: str) -> bool:
    return model.startswith(("hub:", "package:"))


def read_splits(task: str, columns: dict[str, object]) -> Splits:
    """Read a task's files whole, and find the column of the label if it has another usual name.

    Raises
    ------
    UserError
        If the task cannot work.
    """
    definition = {"source": f"dir:{_absolute(task)}", **columns}
    if "label" not in definition:
        definition |= _label(definition)
    files = check_task(Path(task).name, definition)
    tables = [read_table_file(path) for path in files]
    label = definition.get("label", "label")
    train, dev = (
        examples_of(table, label, definition.get("text"), definition.get("unlabeled", "refuse"))
        for table in tables
    )
    names, ids = classes(train, dev, label)
    return Splits(definition, list(tables[0].columns), train, dev, names, ids)


def _label(definition: dict[str, object]) -> dict[str, str]:
    """``label``, if the training file has one of ``LABEL_NAMES`` in place of it."""
    from workflow_scripts.data import sources

    path, _ = sources.find_files(
        sources.parse_source(definition["source"]), definition.get("dev_split")
    )
    columns = read_table_file(path, 1).columns
    usual = [name for name in LABEL_NAMES if name in columns]
    return {"label": usual[0]} if "label" not in columns and len(usual) == 1 else {}


def _absolute(place: str) -> str:
    place = os.path.expanduser(place.removeprefix("dir:"))
    return os.path.normpath(os.path.join(os.getcwd(), place))


def _name(folder: Path, otherwise: str, section: str) -> str:
    """A folder's name as a name in ``section``, other than those of config.yaml.

    The keys that config.yaml sets for its own would stay.
    """
    name = re.sub(r"[^A-Za-z0-9_.-]+", "_", folder.name).strip("_.-") or otherwise
    taken = read_yaml(_ROOT / "config.yaml").values.get(section, {})
    if section == "runs":
        taken = read_yaml(_ROOT / "config.yaml").values["finetune"]["recipes"]
    return f"my_{name}" if name in taken else name


def _flow(value: object) -> str:
    """A value in YAML's flow style, with quotes where they are needed."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_flow(key)}: {_flow(entry)}' for key, entry in value.items())}}}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_flow, value))}]"
    plain = isinstance(value, str) and re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", value)
    if plain and value.lower() not in ("y", "n", "yes", "no", "on", "off", "true", "false", "null"):
        return value
    return json.dumps(value, ensure_ascii=False)


def _described(name: str, read: Splits) -> list[str]:
    """What the files hold, for the comments of the experiment."""
    train, dev = read.train, read.dev
    lines = [
        f"Task {name}: {len(train)} training and {len(dev)} dev examples",
        f"  columns: {listed(read.columns)}",
        f"  text: {' and '.join(train.columns)}; label: {read.definition.get('label', 'label')}",
    ]
    if train.unlabeled or dev.unlabeled:
        lines.append(f"  without a label, left out: {train.unlabeled} and {dev.unlabeled}")
    counts = [Counter(read.ids[label] for label in split.labels) for split in (train, dev)]
    shown = (f"{n} ({counts[0][i]}, {counts[1][i]})" for i, n in enumerate(read.names))
    lines.append(f"  {len(read.names)} classes (training, dev): {listed(shown)}")
    most, count = counts[1].most_common(1)[0]
    lines.append(
        f"  always answering {cut(read.names[most], 60)} is right for {count / len(dev):.1%} of "
        "the dev examples"
    )
    lengths = [sum(len(text.split()) for text in texts) for texts in zip(*train.texts, strict=True)]
    lines.append(
        f"  words of an example: {median(lengths):.0f} (median), {max(lengths)} (longest); "
        "finetune.max_length cuts by tokens"
    )
    return lines


def _model_described(name: str, definition: dict[str, str]) -> list[str]:
    folder = local_folder(parse_source(definition["source"]))
    if folder is None:
        return [f"Model {name}: {definition['source']}"]
    config = read_config_file(folder / "config.json")
    facts = [config["model_type"], f"{layers_of(definition)} layers"]
    facts += [f"width {config[key]}" for key in ("hidden_size", "dim") if key in config]
    return [f"Model {name}: {', '.join(facts)}"]


def write_experiment(text: str, path: Path) -> None:
    """Write an experiment that is not there yet.

    Raises
    ------
    UserError
        If there is a file of this name, or the folder cannot be written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        if path.exists():
            raise UserError(f"{path} exists and is not overwritten; give another NAME") from None
        raise UserError(f"{path}: cannot be written ({error.strerror})") from None


def plan_of(name: str, text: str) -> report.Plan:
    """The plan of an experiment that is not written yet, for this machine.

    Raises
    ------
    UserError
        If it cannot run.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"{name}.yaml")
        path.write_text(text, encoding="utf-8")
        options = ["--configfile", str(path), "--directory", str(Path("runs", name))]
        return plan(parser().parse_args(options))


def with_cost(text: str, cost: str) -> str:
    """An experiment's text with the line on its cost as the last of the comments."""
    comments, settings = text.split("\n\n", 1)
    return f"{comments}\n# {cost}\n\n{settings}"


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    options = argparse.ArgumentParser(
        prog="python -m workflow_scripts.plan.own", description=__doc__.split("\n")[0]
    )
    add = options.add_argument
    add("--task", required=True, help="folder with train and dev files, or TRAIN,DEV")
    add("--model", help="folder of a pre-trained model (default: the embedded one, or the run's)")
    add("--run", help="folder of a finished run of Hugging Face's Trainer, in place of training")
    add("--name", help="name of the experiment, or path of its file (default: the task's)")
    add("--label", help="column of the label")
    add("--text", nargs="+", help="columns of the text, one or two")
    add("--dev-split", help="file of the folder that is the dev set")
    add("--unlabeled", choices=("refuse", "drop"), help="rows without a label (default: refuse)")
    given = options.parse_args(arguments)
    columns = {
        key: value
        for key in ("label", "text", "dev_split", "unlabeled")
        if (value := getattr(given, key)) is not None
    }
    try:
        # NAME is a name or a path.
        path = Path(given.name) if given.name and re.search(r"/|\.ya?ml$", given.name) else None
        name = path.stem if path else given.name
        if name and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
            raise UserError(f"NAME: got {name!r}, allowed: letters, digits, '-', '_' and '.'")
        name, text = own_experiment(given.task, given.model, name, columns, given.run)
        path = path or Path("experiments", f"{name}.yaml")
        planned, problem = None, ""
        try:
            planned = plan_of(name, text)
            text = with_cost(text, f"Planned on this machine: {report.summary(planned)}")
        except UserError as error:
            problem = str(error).replace("\n", "; ")
        write_experiment(text, path)
    except UserError as error:
        sys.exit(f"own: {error}")
    target = shlex.quote(f"EXPERIMENT={path}")
    print(f"{text}\nWritten to {path}.\n")
    if planned is None:
        sys.exit(f"own: it cannot run as it is: {problem}")
    print(f"{report.text(planned)}\n")
    print(f'Plan it again, for another machine, with\n  make plan {target} PLAN="--gpu h100"')
    print(f"and draw all figures and tables with\n  make figures {target}")


if __name__ == "__main__":
    main()
