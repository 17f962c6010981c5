rule compare_attention:
    input:
        job_pair_digests,
        **architecture(),
        cards=pair_inputs("card.json"),
        dev=pair_inputs("dev.parquet"),
        first=pair_model(0),
        second=pair_model(1),
    output:
        attention=dynamics_file("{model}", "{pair}", "attention.parquet"),
    log:
        "results/logs/dynamics/compare_attention/{model}_{pair}.log",
    benchmark:
        "results/benchmarks/dynamics/compare_attention/{model}_{pair}.jsonl"
    conda:
        "../envs/torch.yaml"
    threads: SETTINGS.compute.threads
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
        gpu=gpus(),
    params:
        spec=lambda wildcards: reading_spec(wildcards.pair),
        code=code("dynamics/compare_attention"),
        libraries=libraries(
            "dynamics/compare_attention",
            dynamics_file("{model}", "{pair}", "attention.parquet"),
        ),
        context=context,
    message:
        "Comparing the attention of {wildcards.pair}"
    script:
        "../workflow_scripts/dynamics/compare_attention.py"


rule compare_representations:
    input:
        job_pair_digests,
        **architecture(),
        cards=pair_inputs("card.json"),
        dev=pair_inputs("dev.parquet"),
        first=pair_model(0),
        second=pair_model(1),
    output:
        representations=dynamics_file("{model}", "{pair}", "representations.parquet"),
        layers=dynamics_file("{model}", "{pair}", "layers.parquet"),
    log:
        "results/logs/dynamics/compare_representations/{model}_{pair}.log",
    benchmark:
        "results/benchmarks/dynamics/compare_representations/{model}_{pair}.jsonl"
    conda:
        "../envs/torch.yaml"
    threads: SETTINGS.compute.threads
    resources:
        mem_mb=likeness_memory,
        runtime=lambda wildcards, attempt: 60 * attempt,
        gpu=gpus(),
    params:
        spec=lambda wildcards: likeness_spec(wildcards.pair),
        code=code("dynamics/compare_representations"),
        libraries=libraries(
            "dynamics/compare_representations",
            dynamics_file("{model}", "{pair}", "representations.parquet"),
        ),
        context=context,
    message:
        "Comparing the hidden states of {wildcards.pair}"
    script:
        "../workflow_scripts/dynamics/compare_representations.py"
