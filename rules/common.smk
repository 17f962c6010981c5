"""What all rules share. No rules here, and no logic that a unit test cannot reach."""

import sys
from functools import cache, partial

from snakemake.logging import logger

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.gpus import gpus_of_a_job
from workflow_scripts.common.paths import as_inputs
from workflow_scripts.common.wiring import (
    benchmark_file,
    in_report,
    log_file,
    needs,
    needs_of_job,
)
from workflow_scripts.experiment import start
from workflow_scripts.experiment.checks import (
    cache_folder,
    check_configfiles,
    check_inputs,
)
from workflow_scripts.experiment.config import validated
from workflow_scripts.experiment.products import all_targets, local_rules
from workflow_scripts.plan.limits import Limits
from workflow_scripts.plan.progress import show_progress
from workflow_scripts.rebuilds import tracking
from workflow_scripts.rebuilds.code_hashes import CodeHashes
from workflow_scripts.rebuilds.explain import keep_sources
from workflow_scripts.rebuilds.recover import remember
from workflow_scripts.rebuilds.records import folder_digests, source_digests
from workflow_scripts.rebuilds.warnings import trigger_warning
from workflow_scripts.stages import STAGES


def checked(function, *arguments):
    """Call a check; what is wrong ends the workflow with one line, before any job starts."""
    try:
        return function(*arguments)
    except UserError as error:
        sys.exit("\n".join(f"Tunescape: {line}" for line in str(error).splitlines()))


checked(check_configfiles, workflow.overwrite_configfiles)
checked(start.check_checkout, workflow.basedir)
SETTINGS = checked(validated, config, workflow.config_settings.overwrite_config)
# Files on this machine that tasks, models and imported runs are read from.
TASK_FILES, MODEL_FILES, RUN_FILES = checked(check_inputs, SETTINGS)
CACHE = checked(cache_folder, SETTINGS)
GPUS = gpus_of_a_job(SETTINGS.compute.device)
LIMITS = Limits(SETTINGS, GPUS)
TARGETS = all_targets(SETTINGS)
HASHES = CodeHashes(".snakemake/tunescape_code.json")
SCRIPTS = []


def of_job(function, *first):
    """Function of a job's wildcards, from one that takes the settings before them."""
    return lambda wildcards: function(SETTINGS, *first, wildcards)


def inputs_of_job(function, *first):
    """Input function of a rule: what ``function`` says, and the digests that it rests on."""
    return needs_of_job(function, SETTINGS, *first)


def tracked(script, inputs, output, spec):
    """Params of a rule that make its outputs stale; see ``rebuilds.tracking.tracked``."""
    SCRIPTS.append(f"workflow_scripts/{script}.py")
    renew = SETTINGS.rebuild.on_library_change
    params = tracking.tracked(HASHES, script, inputs, spec, output, renew)
    code = params["code"]
    return {**params, "code": lambda wildcards: warn_of_triggers() or code(wildcards)}


@cache
def warn_of_triggers():
    """Warn once of a run without the profile, when Snakemake first asks for params."""
    if workflow.is_main_process:
        if line := trigger_warning(workflow.dag_settings.rerun_triggers):
            logger.warning(line)


def context(wildcards, threads):
    """What never changes a number beyond the stated precision.

    Snakemake does not track params that depend on threads: none of this makes a file stale.
    """
    compute = SETTINGS.compute
    return {
        "experiment": SETTINGS.experiment.name,
        "device": compute.device,
        "threads": threads,
        "token_budget": compute.token_budget,
    }


def cached_context(wildcards, threads):
    """``context`` of rules whose outputs are expensive enough to be kept for other experiments."""
    return {**context(wildcards, threads), "cache": CACHE}


def more_each_time(first):
    """Resource of a job: so much at first, and as much again after each failure."""
    return lambda wildcards, attempt: first * attempt


def keep_code():
    """Keep the code of all scripts for ``explain``, and its hashes for the jobs and the next run."""
    HASHES.save(SCRIPTS)
    keep_sources({script: HASHES.of(script).code for script in SCRIPTS})
