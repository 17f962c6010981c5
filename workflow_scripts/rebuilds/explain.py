"""Explanation, in words, of why an output is stale or fresh."""

import difflib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise, takewhile, zip_longest
from pathlib import Path
from typing import Any

from workflow_scripts.codehash.reach import CodeClosure, Dependency
from workflow_scripts.common.errors import UserError, nearest
from workflow_scripts.common.provenance import ROOT, reach
from workflow_scripts.common.tables import write_text
from workflow_scripts.rebuilds.dag import planned_dag
from workflow_scripts.rebuilds.records import (
    TRACKED,
    read_output_record,
    small_file_digest,
    versions,
)
from workflow_scripts.rebuilds.sources import sources_of

Files = dict[str, str | list[str]]  # paths of a rule's inputs by name

_DIFF_LINES = 14  # of one definition
_WIDTH = 100  # of a line of a diff; a statement is one line, however long


def keep_sources(codes: dict[str, str]) -> None:
    """Keep the source of scripts, so that ``explain`` can later show what has changed.

    ``results/code/HASH.json`` holds the text of every definition that the script reaches.

    Parameters
    ----------
    codes : dict of str to str
        Path of each script, and the hash of its code.
    """
    for script, code in codes.items():
        target = _sources_path(code)
        if not target.exists():
            sources = sources_of(reach(script))
            write_text(json.dumps({"script": script, "sources": sources}) + "\n", target)


def _sources_path(code: str) -> Path:
    return Path("results", "code", f"{code}.json")


@dataclass
class Answer:
    """Why an output is stale or fresh.

    Parameters
    ----------
    output : str
        The file asked for.
    rule : str
        The rule that makes it.
    stale : bool
        Whether the next run would rebuild it.
    causes : list of str
        Causes of its own, in words.
    through : list of Answer
        Inputs that make it stale because they are rebuilt.
    notes : list of str
        Changes that do not make it stale.
    """

    output: str
    rule: str
    stale: bool
    causes: list[str] = field(default_factory=list)
    through: list["Answer"] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """The answer as lines of text: each cause once, with the rules that it reaches."""
        yield f"{self.output} ({self.rule}) is {'stale' if self.stale else 'fresh'}"
        found: dict[str, list[list[Answer]]] = {}
        for chain in self._roots([]):
            for cause in chain[-1].causes:
                found.setdefault(cause, []).append(chain)
        for cause, chains in found.items():
            first, *rest = cause.splitlines()
            yield f"- {first}"
            yield from (f"    {line}" for line in rest)
            chain = min(chains, key=len)
            if len(chain) > 1:
                more = len({one[-1].output for one in chains}) - 1
                beside = f", and {more} more" if more else ""
                yield f"    so {chain[-1].rule} runs again, for {chain[-1].output}{beside}"
                yield "    and after it " + ", ".join(a.rule for a in reversed(chain[:-1]))
        yield from (f"  note: {note}" for note in self.notes)

    def _roots(self, above: list["Answer"]) -> Iterator[list["Answer"]]:
        chain = [*above, self]
        if self.causes:
            yield chain
        for answer in self.through:
            yield from answer._roots(chain)


def explain(
    output: str, configfiles: list[Path] = (), snakefile: Path = ROOT / "Snakefile"
) -> Answer:
    """Why an output is stale or fresh, in the folder of the run, which is the working directory.

    Parameters
    ----------
    output : str
        Path relative to the working directory.
    configfiles : list of Path
        As given to ``--configfile``.
    snakefile : Path
        The workflow; that of this repository by default.

    Raises
    ------
    UserError
        If no rule makes such a file, or the workflow cannot be read.
    """
    try:
        dag = planned_dag(output, Path.cwd(), configfiles, snakefile=snakefile)
    except UserError as error:
        if type(error.__cause__).__name__ == "MissingRuleException":
            others = [str(path) for path in Path("results").rglob(Path(output).name)][:1]
            hint = f"; did you mean {others[0]!r}?" if others else ""
            raise UserError(f"{output}: no rule makes this file{hint}") from None
        raise
    return _answer(dag, _job_of(dag, output), output, set())


def _job_of(dag, output: str):
    for job in dag.jobs:
        if output in map(str, job.output):
            return job
    made = sorted({str(path) for job in dag.jobs for path in job.output})
    raise UserError(f"{output}: no rule makes this file{nearest(output, made)}")


def _answer(dag, job, output: str, seen: set) -> Answer:
    stale = bool(dag.needrun(job))
    answer = Answer(output, job.rule.name, stale)
    record = read_output_record(output)
    if not stale:
        answer.causes = [_fresh(record)]
    reason = dag.reason(job)
    if stale:
        answer.causes += _own_causes(job, reason, record, output)
    answer.notes += _library_notes(record)
    seen.add(job)
    for file in sorted(map(str, reason.updated_input_run)) if stale else []:
        above = next((j for j in dag.dependencies[job] if file in map(str, j.output)), None)
        if above is not None and above not in seen and dag.needrun(above):
            answer.through.append(_answer(dag, above, file, seen))
    return answer


def _fresh(record: dict[str, Any]) -> str:
    if not record:
        return "nothing that Snakemake compares has changed; it has no record of its own"
    inputs = len(record.get("inputs", {}))
    return f"its code ({record.get('code')}), settings and {inputs} inputs have not changed"


def _own_causes(job, reason, record: dict[str, Any], output: str) -> list[str]:
    causes = []
    if str(output) in map(str, reason.missing_output) or not os.path.exists(output):
        causes.append("it does not exist")
    if reason.params_changed:
        causes += _param_causes(job, record)
    if reason.input_changed:
        old, new = set(record.get("inputs", {})), set(map(str, job.input))
        causes += [f"new input: {path}" for path in sorted(new - old)]
        causes += [f"no longer an input: {path}" for path in sorted(old - new)]
    for path in sorted(map(str, reason.updated_input)):
        known = record.get("inputs", {}).get(path)
        differs = known is not None and known != small_file_digest(Path(path))
        causes.append(f"input {path} " + ("has changed" if differs else "is newer"))
    if reason.forced:
        causes.append("its rule is forced to run")
    return causes


def _param_causes(job, record: dict[str, Any]) -> list[str]:
    if not record:
        return ["its settings or its code have changed; it has no record of what they were"]
    now = {name: job.params.get(name) for name in TRACKED}
    causes = []
    for key, (old, new) in _differences(record.get("spec"), now["spec"]):
        causes.append(f"setting {key}: was {old!r}, is {new!r}")
    for key, (old, new) in _differences(record.get("sources"), now["sources"]):
        what = "has changed" if old and new else "is new" if new else "is no longer used"
        causes.append(f"source file {key} {what}")
    for key, (old, new) in _differences(record.get("libraries"), now["libraries"]):
        causes.append(f"library {key}: was {old}, is {new} (rebuild.on_library_change)")
    if record.get("code") != now["code"]:
        causes += _code_causes(_script_of(job), record.get("code"))
    causes += _place_causes(record.get("named_inputs"), now["inputs"])
    return causes or ["its settings have changed"]


def _place_causes(old: Files | None, new: Files | None) -> list[str]:
    """In words, which inputs a rule now takes under another name or in another order."""
    if not old or not new:
        return []
    causes = []
    kept = [name for name in old if name in new]
    if kept != [name for name in new if name in old]:
        causes.append(f"inputs in another order: was {', '.join(old)}, is {', '.join(new)}")
    for name in kept:
        pairs = list(zip_longest(_as_list(old[name]), _as_list(new[name]), fillvalue="nothing"))
        differ = [(i, was, now) for i, (was, now) in enumerate(pairs) if was != now]
        if differ:
            place, was, now = differ[0]
            index = f"[{place}]" if len(pairs) > 1 else ""
            more = f", and {len(differ) - 1} more" if len(differ) > 1 else ""
            causes.append(f"input {name}{index}: was {was}, is {now}{more}")
    return causes


def _as_list(paths: str | list[str]) -> list[str]:
    return [paths] if isinstance(paths, str) else paths


def _script_of(job) -> str:
    """Path of a job's script, relative to the repository; it may hold ``{params.NAME}``."""
    script = str(job.rule.script).format(params=job.params, wildcards=job.wildcards)
    return os.path.normpath(os.path.join("rules", script)).removeprefix("../")


def _differences(old: Any, new: Any, key: str = "") -> Iterator[tuple[str, tuple[Any, Any]]]:
    """Keys, dotted, at which two nested dictionaries differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in {**old, **new}:
            below = f"{key}.{name}" if key else str(name)
            yield from _differences(old.get(name), new.get(name), below)
    elif _plain(old) != _plain(new):
        yield key or "params", (old, new)


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value)) if isinstance(value, (list, tuple)) else value


def _code_causes(script: str, old_code: str | None) -> list[str]:
    found = reach(script)
    try:
        kept = json.loads(_sources_path(old_code or "").read_text(encoding="utf-8"))["sources"]
    except (FileNotFoundError, json.JSONDecodeError):
        return [f"its code: was {old_code}, is {found.code}; the old source is not kept"]
    return changed_definitions(found, kept)


def changed_definitions(found: CodeClosure, old: dict[str, str]) -> list[str]:
    """In words, what has changed in a script's code.

    Parameters
    ----------
    found : CodeClosure
        The code as it is now.
    old : dict of str to str
        Text by place, as kept before.

    Returns
    -------
    list of str
        A text for each change. A definition that only moved to another file is left out.
    """
    new = sources_of(found)
    by_place = {}
    for reached in found.reached:
        by_place.setdefault(reached.place, reached)
    moved = {text for place, text in new.items() if place not in old} & {
        text for place, text in old.items() if place not in new
    }
    causes = []
    for place, text in new.items():
        if place in old and old[place] != text:
            causes.append(
                f"{place} has changed\n{_chain(by_place, place)}{_diff(old[place], text)}"
            )
        elif place not in old and text not in moved:
            causes.append(f"{place} is reached now\n{_chain(by_place, place)}".rstrip())
    causes += [
        f"{place} is no longer reached"
        for place, text in old.items()
        if place not in new and text not in moved
    ]
    return causes or ["names in its code refer to other definitions than before"]


def _chain(by_place: dict[str, Dependency], place: str) -> str:
    chain, reached = [place], by_place[place]
    note = f" ({reached.unresolved})" if reached.unresolved else ""
    while reached.by is not None and reached.by not in chain:
        chain.insert(0, reached.by)
        if reached.by not in by_place:
            break
        reached = by_place[reached.by]
    return "reached by: " + "\n-> ".join(chain) + note + "\n"


def _diff(old: str, new: str) -> str:
    lines = list(difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=1))[2:]
    for i, (before, after) in enumerate(pairwise(lines)):
        if before.startswith("-") and after.startswith("+"):
            lines[i], lines[i + 1] = _around_the_change(before, after)
    cut = [*lines[:_DIFF_LINES], "..."] if len(lines) > _DIFF_LINES else lines
    return "\n".join(line if len(line) <= _WIDTH else line[: _WIDTH - 3] + "..." for line in cut)


def _around_the_change(before: str, after: str) -> tuple[str, str]:
    """A changed line before and after, cut to the part that differs if it is long."""
    pairs = zip(before[1:], after[1:], strict=False)
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    if max(len(before), len(after)) <= _WIDTH or same < _WIDTH // 2:
        return before, after
    start = same - _WIDTH // 3
    return f"-... {before[1 + start :]}", f"+... {after[1 + start :]}"


def _library_notes(record: dict[str, Any]) -> list[str]:
    now, used = versions(), record.get("libraries") or {}
    ran_with = record.get("versions", {})
    return [
        f"made with {name} {ran_with[name]}, {now[name]} is installed"
        for name in used
        if name in ran_with and name in now and ran_with[name] != now[name]
    ]
