rule roll_back:
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
        "results/logs/rollback/roll_back/{model}_{task}.log",
    benchmark:
        "results/benchmarks/rollback/roll_back/{model}_{task}.jsonl"
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
        code=code("rollback/roll_back"),
        libraries=libraries("rollback/roll_back", rollback_file("{model}", "{task}")),
        context=context,
    message:
        "Putting layer groups of {wildcards.task} back to their pre-trained weights"
    script:
        "../workflow_scripts/rollback/roll_back.py"
