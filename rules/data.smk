checkpoint prepare_task:
    input:
        files=lambda wildcards: ancient(as_inputs(TASK_FILES[wildcards.task])),
    output:
        train=task_file("{task}", "train.parquet"),
        dev=task_file("{task}", "dev.parquet"),
        card=task_file("{task}", "card.json"),
        digest=task_file("{task}", "digest"),
    log:
        "results/logs/data/prepare_task/{task}.log",
    benchmark:
        "results/benchmarks/data/prepare_task/{task}.jsonl"
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        spec=lambda wildcards: task_spec(wildcards.task),
        code=code("data/prepare_task"),
        libraries=libraries("data/prepare_task", task_file("{task}", "card.json")),
        sources=lambda wildcards: source_digests(TASK_FILES[wildcards.task]),
        context=cached_context,
    message:
        "Preparing task {wildcards.task}"
    script:
        "../workflow_scripts/data/prepare_task.py"
