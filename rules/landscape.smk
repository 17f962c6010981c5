rule choose_examples:
    input:
        task_file("{task}", "digest"),
        train=ancient(task_file("{task}", "train.parquet")),
        dev=ancient(task_file("{task}", "dev.parquet")),
        card=ancient(task_file("{task}", "card.json")),
    output:
        examples=examples_file("{task}"),
    log:
        "results/logs/landscape/choose_examples/{task}.log",
    benchmark:
        "results/benchmarks/landscape/choose_examples/{task}.jsonl"
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        spec={
            "train_examples": SETTINGS.landscape.train_examples,
            "dev_examples": SETTINGS.landscape.dev_examples,
            "seed": SETTINGS.landscape.seed,
        },
        code=code("landscape/choose_examples"),
        libraries=libraries("landscape/choose_examples", examples_file("{task}")),
        context=context,
    message:
        "Choosing the examples of {wildcards.task} for its surfaces"
    script:
        "../workflow_scripts/landscape/choose_examples.py"


# What the jobs of a surface need of tokenizer and task, so that none of them reads these.
rule encode_examples:
    input:
        model_file("{model}", "digest"),
        task_file("{task}", "digest"),
        **architecture(),
        card=ancient(task_file("{task}", "card.json")),
        examples=examples_file("{task}"),
    output:
        tokens=tokens_file("{model}", "{task}"),
    log:
        "results/logs/landscape/encode_examples/{model}_{task}.log",
    benchmark:
        "results/benchmarks/landscape/encode_examples/{model}_{task}.jsonl"
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=15,
    params:
        spec={"max_length": SETTINGS.finetune.max_length},
        code=code("landscape/encode_examples"),
        libraries=libraries(
            "landscape/encode_examples", tokens_file("{model}", "{task}")
        ),
        context=context,
    message:
        "Encoding the examples of {wildcards.task} for {wildcards.model}"
    script:
        "../workflow_scripts/landscape/encode_examples.py"


rule measure_directions:
    input:
        job_surface_digests,
        unpack(spanning),
        encoder=ancient(model_file("{model}", "model.safetensors")),
        card=lambda wildcards: ancient(task_file(surface_task(wildcards), "card.json")),
    output:
        geometry=surface_file("{model}", "{surface}", "geometry.json"),
    log:
        "results/logs/landscape/measure_directions/{model}_{surface}.log",
    benchmark:
        "results/benchmarks/landscape/measure_directions/{model}_{surface}.jsonl"
    conda:
        "../envs/torch.yaml"
    threads: SETTINGS.compute.threads
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=15,
    params:
        spec=lambda wildcards: geometry_spec(wildcards.surface),
        code=code("landscape/measure_directions"),
        libraries=libraries(
            "landscape/measure_directions",
            surface_file("{model}", "{surface}", "geometry.json"),
        ),
        context=context,
    message:
        "Measuring the directions of surface {wildcards.surface}"
    script:
        "../workflow_scripts/landscape/measure_directions.py"


rule calibrate_precision:
    input:
        job_surface_digests,
        unpack(evaluating),
    output:
        precision=surface_file("{model}", "{surface}", "precision.json"),
    log:
        "results/logs/landscape/calibrate_precision/{model}_{surface}.log",
    benchmark:
        "results/benchmarks/landscape/calibrate_precision/{model}_{surface}.jsonl"
    conda:
        "../envs/torch.yaml"
    threads: SETTINGS.compute.threads
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
        gpu=gpus(),
    params:
        spec=lambda wildcards: precision_spec(wildcards.surface),
        code=code("landscape/calibrate_precision"),
        libraries=libraries(
            "landscape/calibrate_precision",
            surface_file("{model}", "{surface}", "precision.json"),
        ),
        context=context,
    message:
        "Calibrating the precision of surface {wildcards.surface}"
    script:
        "../workflow_scripts/landscape/calibrate_precision.py"


# One rule a block of rows, since a rule's outputs are of one pattern. A file holds one row, so
# that another number of rows a job leaves the files of rows as they are.
for kind, first, last in row_shards(SETTINGS):

    rule:
        name:
            f"evaluate_rows_{kind}_{first}_{last}"
        input:
            job_surface_digests,
            unpack(evaluating),
            precision=surface_precision,
        output:
            rows=[
                row_file("{model}", "{surface}", row) for row in range(first, last + 1)
            ],
        log:
            f"results/logs/landscape/evaluate_rows/{{model}}_{{surface}}_{first}-{last}.log",
        benchmark:
            f"results/benchmarks/landscape/evaluate_rows/{{model}}_{{surface}}_{first}-{last}.jsonl"
        wildcard_constraints:
            surface=surfaces_of_kind(kind),
        conda:
            "../envs/torch.yaml"
        threads: SETTINGS.compute.threads
        resources:
            mem_mb=lambda wildcards, attempt: 4000 * attempt,
            runtime=lambda wildcards, attempt: 120 * attempt,
            gpu=gpus(),
        params:
            spec=lambda wildcards: {"surface": surface_spec(wildcards.surface)},
            code=code("landscape/evaluate_rows"),
            libraries=libraries(
                "landscape/evaluate_rows", row_file("{model}", "{surface}", first)
            ),
            context=context,
        message:
            f"Evaluating rows {first} to {last} of surface {{wildcards.surface}}"
        script:
            "../workflow_scripts/landscape/evaluate_rows.py"


rule merge_surface:
    input:
        job_surface_digests,
        shards=lambda wildcards: surface_rows(wildcards.model, wildcards.surface),
        examples=lambda wildcards: examples_file(surface_task(wildcards)),
        precision=surface_precision,
    output:
        surface=surface_file("{model}", "{surface}", "surface.parquet"),
        point_examples=surface_file("{model}", "{surface}", "examples.parquet"),
    log:
        "results/logs/landscape/merge_surface/{model}_{surface}.log",
    benchmark:
        "results/benchmarks/landscape/merge_surface/{model}_{surface}.jsonl"
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=15,
    params:
        spec=lambda wildcards: merge_spec(wildcards.surface),
        code=code("landscape/merge_surface"),
        libraries=libraries(
            "landscape/merge_surface",
            surface_file("{model}", "{surface}", "surface.parquet"),
        ),
        context=context,
    message:
        "Merging surface {wildcards.surface}"
    script:
        "../workflow_scripts/landscape/merge_surface.py"


rule project_trajectory:
    input:
        trajectory_digests,
        unpack(evaluating),
        checkpoints=trajectory_checkpoints,
    output:
        trajectory=surface_file("{model}", "{surface}", "trajectory_{run}.parquet"),
    log:
        "results/logs/landscape/project_trajectory/{model}_{surface}_{run}.log",
    benchmark:
        "results/benchmarks/landscape/project_trajectory/{model}_{surface}_{run}.jsonl"
    conda:
        "../envs/torch.yaml"
    threads: SETTINGS.compute.threads
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
        gpu=gpus(),
    params:
        spec=lambda wildcards: {"run_name": wildcards.run},
        code=code("landscape/project_trajectory"),
        libraries=libraries(
            "landscape/project_trajectory",
            surface_file("{model}", "{surface}", "trajectory_{run}.parquet"),
        ),
        context=context,
    message:
        "Projecting the trajectory of run {wildcards.run} onto surface {wildcards.surface}"
    script:
        "../workflow_scripts/landscape/project_trajectory.py"


rule measure_width:
    input:
        job_surface_digests,
        line=surface_file("{model}", "{surface}_line", "examples.parquet"),
        plane=surface_file("{model}", "{surface}", "examples.parquet"),
        geometry=surface_file("{model}", "{surface}", "geometry.json"),
    output:
        width=surface_file("{model}", "{surface}", "width.parquet"),
    log:
        "results/logs/landscape/measure_width/{model}_{surface}.log",
    benchmark:
        "results/benchmarks/landscape/measure_width/{model}_{surface}.jsonl"
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=30,
    params:
        spec=SETTINGS.landscape.width.model_dump(),
        code=code("landscape/measure_width"),
        libraries=libraries(
            "landscape/measure_width",
            surface_file("{model}", "{surface}", "width.parquet"),
        ),
        context=context,
    message:
        "Measuring how wide the optimum of {wildcards.surface} is"
    script:
        "../workflow_scripts/landscape/measure_width.py"
