from workflow_scripts.stability import files as stability
from workflow_scripts.stability.sweeps import blocks, every_sweep

SWEPT = needs(**stability.sweep_inputs())
SWEEP = partial(stability.merged_file, "{model}", "{task}", "{sweep}")
MERGED_SWEEP = inputs_of_job(stability.merge_inputs)
STABILITY = partial(stability.measured_file, "{model}", "{task}")
MEASURED_SWEEPS = inputs_of_job(stability.measure_inputs)


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
                log_file("stability/sweep", f"{{model}}_{{task}}_{swept.name}_{first}-{last}"),
            benchmark:
                benchmark_file(
                    "stability/sweep", f"{{model}}_{{task}}_{swept.name}_{first}-{last}"
                )
            # Long jobs: begun late, one would run alone at the end.
            priority: 5
            conda:
                "../envs/torch.yaml"
            threads: SETTINGS.compute.threads
            resources:
                mem_mb=LIMITS.megabytes(f"sweep_{swept.name}_{first}_{last}", 4000, GPUS),
                runtime=LIMITS.minutes(f"sweep_{swept.name}_{first}_{last}", 240),
                gpu=GPUS,
            params:
                **tracked(
                    "stability/sweep",
                    SWEPT,
                    stability.sweep_outputs(SETTINGS, swept.name, first, last)["scores"][0],
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
