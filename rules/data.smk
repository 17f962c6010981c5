from workflow_scripts.data import files as data

PREPARED = lambda wildcards: {"files": ancient(as_inputs(TASK_FILES[wildcards.task]))}


checkpoint prepare_task:
    input:
        unpack(PREPARED),
    output:
        train=data.task_file("{task}", "train.parquet"),
        dev=data.task_file("{task}", "dev.parquet"),
        card=data.task_file("{task}", "card.json"),
        digest=data.task_digest("{task}"),
    log:
        log_file("data/prepare_task", "{task}"),
    benchmark:
        benchmark_file("data/prepare_task", "{task}")
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        **tracked(
            "data/prepare_task",
            {},
            data.task_file("{task}", "card.json"),
            of_job(data.task_spec),
        ),
        sources=lambda wildcards: source_digests(TASK_FILES[wildcards.task]),
        context=cached_context,
    message:
        "Preparing task {wildcards.task}"
    script:
        "../workflow_scripts/data/prepare_task.py"
