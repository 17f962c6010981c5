from snakemake.utils import min_version

min_version("9.11")


configfile: workflow.source_path("config.yaml")


include: "rules/common.smk"
include: "rules/data.smk"
include: "rules/model.smk"
include: "rules/finetune.smk"
include: "rules/landscape.smk"
include: "rules/rollback.smk"
include: "rules/dynamics.smk"
include: "rules/report.smk"
include: "rules/figures.smk"


if workflow.is_main_process:
    tell_of_results()


onstart:
    keep_sources(SCRIPTS)


rule all:
    default_target: True
    input:
        all_figures(),


# The same under the name that people type. A rule without output checks its inputs each
# time, so that a deleted figure is drawn again.
rule:
    name:
        "results/figures/all"
    input:
        all_figures(),
