from workflow_scripts.dynamics import files as dynamics

COMPARED = inputs_of_job(dynamics.pair_inputs)
PAIR = partial(dynamics.pair_path, "{model}", "{pair}")
SIMILARITY_MEMORY = partial(dynamics.similarity_memory, SETTINGS)


rule compare_attention:
    input:
        unpack(COMPARED),
    output:
        attention=PAIR("attention"),
    log:
        log_file("dynamics/compare_attention", "{model}_{pair}"),
    benchmark:
        benchmark_file("dynamics/compare_attention", "{model}_{pair}")
    conda:
        "../envs/torch.yaml"
    threads: SETTINGS.compute.threads
    resources:
        mem_mb=LIMITS.megabytes("compare_attention", 4000, GPUS),
        runtime=LIMITS.minutes("compare_attention", 60),
        gpu=GPUS,
    params:
        **tracked(
            "dynamics/compare_attention",
            COMPARED,
            PAIR("attention"),
            of_job(dynamics.reading_spec),
        ),
        context=context,
    message:
        "Comparing the attention of {wildcards.pair}"
    script:
        "../workflow_scripts/dynamics/compare_attention.py"


rule compare_representations:
    input:
        unpack(COMPARED),
    output:
        representations=PAIR("representations"),
        layers=PAIR("layers"),
    log:
        log_file("dynamics/compare_representations", "{model}_{pair}"),
    benchmark:
        benchmark_file("dynamics/compare_representations", "{model}_{pair}")
    conda:
        "../envs/torch.yaml"
    threads: SETTINGS.compute.threads
    resources:
        mem_mb=LIMITS.megabytes("compare_representations", SIMILARITY_MEMORY, GPUS),
        runtime=LIMITS.minutes("compare_representations", 60),
        gpu=GPUS,
    params:
        **tracked(
            "dynamics/compare_representations",
            COMPARED,
            PAIR("representations"),
            of_job(dynamics.similarity_spec),
        ),
        context=context,
    message:
        "Comparing the hidden states of {wildcards.pair}"
    script:
        "../workflow_scripts/dynamics/compare_representations.py"
