from workflow_scripts.stability import files as stability
from workflow_scripts.stability.sweeps import blocks, every_sweep

SWEPT = needs(**stability.sweep_inputs())
SWEEP = partial(stability.merged_file, "{model}", "{task}", "{sweep}")
MERGED_SWEEP = inputs_of_job(stability.merge_inputs)
STABILITY = partial(stability.measured_file, "{model}", "{task}")
MEASURED_SWEEPS = inputs_of_job(stability.measure_inputs)
TEXT_FILES = checked(stability.text_files, SETTINGS)
TRAINED_AGAIN = inputs_of_job(stability.again_inputs)
MASKED = needs(**stability.masked_lm_inputs())
FORGOTTEN = inputs_of_job(stability.forgetting_inputs)
SPANNED_BY_RUNS = needs(**stability.plane_inputs())


# One rule a block of seeds, since a rule's outputs are of one pattern. A file holds one run, so
# that another number of runs a job leaves the files of runs as they are.
for swept in every_sweep(SETTINGS).values():
    for first, last in blocks(SETTINGS):

        rule:
            name:
                f"sweep_{swept.name}_{first}_{last}"
            input:
                **SWEPT,
            output:
                **stability.sweep_outputs(SETTINGS, swept.name, first, last),
            log:
                log_file(
                    "stability/sweep",
                    f"{{model}}_{{task}}_{swept.name}_{first}-{last}",
                ),
            benchmark:
                benchmark_file(
                    "stability/sweep",
                    f"{{model}}_{{task}}_{swept.name}_{first}-{last}",
                )
            # Long jobs: begun late, one would run alone at the end.
            priority: 5
            conda:
                "../envs/torch.yaml"
            threads: SETTINGS.compute.threads
            resources:
                mem_mb=LIMITS.megabytes(
                    f"sweep_{swept.name}_{first}_{last}", 4000, GPUS
                ),
                runtime=LIMITS.minutes(f"sweep_{swept.name}_{first}_{last}", 240),
                gpu=GPUS,
            params:
                **tracked(
                    "stability/sweep",
                    SWEPT,
                    stability.sweep_outputs(SETTINGS, swept.name, first, last)[
                        "scores"
                    ][0],
                    stability.sweep_spec(SETTINGS, swept),
                ),
                context=partial(stability.sweep_context, SETTINGS, cached_context),
                state=stability.sweep_state,
            message:
                f"Training on {{wildcards.task}}, sweep {swept.name}, seeds {first} to {last}"
            script:
                "../workflow_scripts/stability/sweep.py"


rule merge_sweep:
    input:
        unpack(MERGED_SWEEP),
    output:
        **stability.merge_outputs(),
    log:
        log_file("stability/merge_sweep", "{model}_{task}_{sweep}"),
    benchmark:
        benchmark_file("stability/merge_sweep", "{model}_{task}_{sweep}")
    wildcard_constraints:
        sweep=stability.sweep_names(SETTINGS),
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=LIMITS.megabytes("merge_sweep", 2000),
        runtime=LIMITS.minutes("merge_sweep", 15),
    params:
        **tracked(
            "stability/merge_sweep",
            MERGED_SWEEP,
            SWEEP("runs"),
            of_job(stability.merge_spec),
        ),
        context=context,
    message:
        "Merging sweep {wildcards.sweep} on {wildcards.task}"
    script:
        "../workflow_scripts/stability/merge_sweep.py"


rule measure_stability:
    input:
        unpack(MEASURED_SWEEPS),
    output:
        **stability.measure_outputs(),
    log:
        log_file("stability/measure_stability", "{model}_{task}"),
    benchmark:
        benchmark_file("stability/measure_stability", "{model}_{task}")
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=LIMITS.megabytes("measure_stability", 2000),
        runtime=LIMITS.minutes("measure_stability", 15),
    params:
        **tracked(
            "stability/measure_stability",
            MEASURED_SWEEPS,
            STABILITY("spread"),
            of_job(stability.measure_spec),
        ),
        context=context,
    message:
        "Measuring the stability of {wildcards.task}"
    script:
        "../workflow_scripts/stability/measure_stability.py"


rule train_again:
    input:
        unpack(TRAINED_AGAIN),
    output:
        **stability.again_outputs(SETTINGS),
    log:
        log_file("stability/train_again", "{model}_{task}"),
    benchmark:
        benchmark_file("stability/train_again", "{model}_{task}")
    conda:
        "../envs/torch.yaml"
    threads: SETTINGS.compute.threads
    resources:
        mem_mb=LIMITS.megabytes("train_again", 4000, GPUS),
        runtime=LIMITS.minutes("train_again", 120),
        gpu=GPUS,
    params:
        **tracked(
            "stability/train_again",
            TRAINED_AGAIN,
            stability.again_outputs(SETTINGS)["chosen"],
            stability.again_spec(SETTINGS),
        ),
        context=context,
    message:
        "Training failed and successful runs on {wildcards.task} again"
    script:
        "../workflow_scripts/stability/train_again.py"


rule prepare_masked_lm:
    input:
        ancient(as_inputs(TEXT_FILES)),
        **MASKED,
    output:
        **stability.masked_lm_outputs(),
    log:
        log_file("stability/prepare_masked_lm", "{model}"),
    benchmark:
        benchmark_file("stability/prepare_masked_lm", "{model}")
    conda:
        "../envs/torch.yaml"
    threads: SETTINGS.compute.threads
    resources:
        mem_mb=LIMITS.megabytes("prepare_masked_lm", 4000, GPUS),
        runtime=LIMITS.minutes("prepare_masked_lm", 60),
        gpu=GPUS,
    params:
        **tracked(
            "stability/prepare_masked_lm",
            MASKED,
            stability.masked_lm_outputs()["head"],
            of_job(stability.masked_lm_spec),
        ),
        sources=source_digests(TEXT_FILES),
        context=context,
    message:
        "Preparing masked language modelling with {wildcards.model}"
    script:
        "../workflow_scripts/stability/prepare_masked_lm.py"


rule measure_forgetting:
    input:
        unpack(FORGOTTEN),
    output:
        forgetting=stability.forgetting_file("{model}", "{task}"),
    log:
        log_file("stability/measure_forgetting", "{model}_{task}"),
    benchmark:
        benchmark_file("stability/measure_forgetting", "{model}_{task}")
    conda:
        "../envs/torch.yaml"
    threads: SETTINGS.compute.threads
    resources:
        mem_mb=LIMITS.megabytes("measure_forgetting", 4000, GPUS),
        runtime=LIMITS.minutes("measure_forgetting", 60),
        gpu=GPUS,
    params:
        **tracked(
            "stability/measure_forgetting",
            FORGOTTEN,
            stability.forgetting_file("{model}", "{task}"),
            {},
        ),
        context=context,
    message:
        "Measuring what runs on {wildcards.task} have forgotten"
    script:
        "../workflow_scripts/stability/measure_forgetting.py"


rule measure_plane:
    input:
        **SPANNED_BY_RUNS,
    output:
        plane=stability.plane_file("{model}", "{task}", "plane"),
        barriers=stability.plane_file("{model}", "{task}", "barriers"),
    log:
        log_file("stability/measure_plane", "{model}_{task}"),
    benchmark:
        benchmark_file("stability/measure_plane", "{model}_{task}")
    conda:
        "../envs/torch.yaml"
    threads: SETTINGS.compute.threads
    resources:
        mem_mb=LIMITS.megabytes("measure_plane", 4000, GPUS),
        runtime=LIMITS.minutes("measure_plane", 120),
        gpu=GPUS,
    params:
        **tracked(
            "stability/measure_plane",
            SPANNED_BY_RUNS,
            stability.plane_file("{model}", "{task}", "plane"),
            stability.plane_spec(SETTINGS),
        ),
        context=context,
    message:
        "Measuring the loss plane of runs on {wildcards.task}"
    script:
        "../workflow_scripts/stability/measure_plane.py"


# This stage's figures, tables and ledger, without the other papers'.
rule:
    name:
        "results/stability/all"
    input:
        [target for target in TARGETS if "stability" in target],
