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
    share_gpus()


onstart:
    remember(sys.argv, workflow.rundir)
    keep_code()
    let_scheduler_rest()


onsuccess:
    delete_unneeded_checkpoints()


# On a cluster these run where Snakemake runs: they take seconds and no GPU, or need the network,
# which a cluster's nodes often lack.
localrules:
    all,
    prepare_task,
    fetch_model,
    draw_scratch,
    choose_examples,
    encode_examples,
    merge_surface,
    measure_width,
    evaluate_claims,
    evaluate_dynamics_claims,
    draw_figure1,
    draw_figure2,
    draw_figure3,
    draw_figure4,
    draw_figure5,
    draw_figure6,
    draw_figure7,
    draw_table1,


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
