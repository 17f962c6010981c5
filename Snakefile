from snakemake.utils import min_version

min_version("9.11")


configfile: workflow.source_path("config.yaml")


report: "rules/captions/workflow.rst"


include: "rules/common.smk"


for stage in STAGES:

    include: f"rules/{stage.name}.smk"


# On a cluster these run where Snakemake runs: they take seconds and no GPU, or need the network,
# which a cluster's nodes often lack.
workflow.localrules(*local_rules(SETTINGS))


if workflow.is_main_process:
    checked(start.check_results)
    for line in start.result_warnings(SETTINGS):
        logger.warning(line)
    start.share_gpus(workflow, GPUS)


onstart:
    checked(start.check_slurm, workflow.executor_plugin.name)
    remember(sys.argv, workflow.rundir)
    keep_code()
    start.disable_job_rate_limiter(workflow)
    show_progress(workflow, SETTINGS)


onsuccess:
    for line in start.where_results_are(TARGETS, workflow.rundir):
        logger.info(f"Tunescape: {line}")
    start.delete_unneeded_checkpoints(SETTINGS)


rule all:
    default_target: True
    input:
        TARGETS,


# The same under the name that people type. A rule without output checks its inputs each
# time, so that a deleted figure is drawn again.
rule:
    name:
        "results/figures/all"
    input:
        TARGETS,
