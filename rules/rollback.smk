rule roll_back_groups:
    input:
        lambda wildcards: digests([rollback_run(wildcards)]),
        **architecture(),
        card=ancient(task_file("{task}", "card.json")),
        dev=ancient(task_file("{task}", "dev.parquet")),
        start=lambda wildcards: ancient(run_checkpoints(*rollback_run(wildcards))[0]),
        end=lambda wildcards: ancient(run_checkpoints(*rollback_run(wildcards))[-1]),
    output:
        rollback=rollback_file("{model}", "{task}"),
    log:
        "results/logs/rollback/roll_back_groups/{model}_{task}.log",
    benchmark:
        "results/benchmarks/rollback/roll_back_groups/{model}_{task}.jsonl"
    conda:
        "../envs/torch.yaml"
    threads: SETTINGS.compute.threads
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
        gpu=gpus(),
    params:
        spec={
            "groups": SETTINGS.landscape.groups,
            "max_length": SETTINGS.finetune.max_length,
            "resamples": SETTINGS.landscape.width.resamples,
        },
        code=code("rollback/roll_back_groups"),
        libraries=libraries(
            "rollback/roll_back_groups", rollback_file("{model}", "{task}")
        ),
        context=context,
    message:
        "Putting layer groups of {wildcards.task} back to their pre-trained weights"
    script:
        "../workflow_scripts/rollback/roll_back_groups.py"


rule roll_back_layers:
    input:
        job_pair_digests,
        **architecture(),
        card=lambda wildcards: pair_inputs("card.json")(wildcards)[0],
        dev=lambda wildcards: pair_inputs("dev.parquet")(wildcards)[0],
        start=pair_model(0),
        end=pair_model(1),
    output:
        rollback=dynamics_file("{model}", "{pair}", "rollback.parquet"),
    log:
        "results/logs/rollback/roll_back_layers/{model}_{pair}.log",
    benchmark:
        "results/benchmarks/rollback/roll_back_layers/{model}_{pair}.jsonl"
    conda:
        "../envs/torch.yaml"
    threads: SETTINGS.compute.threads
    resources:
        mem_mb=likeness_memory,
        runtime=lambda wildcards, attempt: 60 * attempt,
        gpu=gpus(),
    params:
        spec=lambda wildcards: likeness_spec(wildcards.pair),
        code=code("rollback/roll_back_layers"),
        libraries=libraries(
            "rollback/roll_back_layers",
            dynamics_file("{model}", "{pair}", "rollback.parquet"),
        ),
        context=context,
    message:
        "Putting layers back one by one: {wildcards.pair}"
    script:
        "../workflow_scripts/rollback/roll_back_layers.py"
