checkpoint fetch_model:
    input:
        lambda wildcards: ancient(as_inputs(MODEL_FILES[wildcards.model])),
    output:
        **ARCHITECTURE,
        weights=model_file("{model}", "model.safetensors"),
        card=model_file("{model}", "card.json"),
        digest=model_file("{model}", "digest"),
    log:
        "results/logs/model/fetch_model/{model}.log",
    benchmark:
        "results/benchmarks/model/fetch_model/{model}.jsonl"
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        spec=lambda wildcards: {
            "name": wildcards.model,
            "source": SETTINGS.models[wildcards.model].source,
            "sha256": SETTINGS.models[wildcards.model].sha256,
        },
        code=code("model/fetch_model"),
        libraries=libraries("model/fetch_model", model_file("{model}", "card.json")),
        sources=lambda wildcards: source_digests(MODEL_FILES[wildcards.model]),
        context=cached_context,
    message:
        "Fetching model {wildcards.model}"
    script:
        "../workflow_scripts/model/fetch_model.py"


checkpoint draw_scratch:
    input:
        model_file("{model}", "digest"),
        ancient(model_file("{model}", "card.json")),
        config=ancient(model_file("{model}", "config.json")),
    output:
        weights=model_file("{model}", "scratch/init{init}.safetensors"),
        digest=model_file("{model}", "scratch/init{init}.digest"),
    log:
        "results/logs/model/draw_scratch/{model}/init{init}.log",
    benchmark:
        "results/benchmarks/model/draw_scratch/{model}/init{init}.jsonl"
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=15,
    params:
        spec=lambda wildcards: {"init": int(wildcards.init)},
        code=code("model/draw_scratch"),
        libraries=libraries(
            "model/draw_scratch",
            model_file("{model}", "scratch/init{init}.safetensors"),
        ),
        context=context,
    message:
        "Drawing random weights for {wildcards.model}, seed {wildcards.init}"
    script:
        "../workflow_scripts/model/draw_scratch.py"
