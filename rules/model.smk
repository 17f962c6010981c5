from workflow_scripts.model import files as model

RANDOM = needs(**model.scratch_inputs())


checkpoint fetch_model:
    input:
        lambda wildcards: ancient(as_inputs(MODEL_FILES[wildcards.model])),
    output:
        **model.model_outputs(),
    log:
        log_file("model/fetch_model", "{model}"),
    benchmark:
        benchmark_file("model/fetch_model", "{model}")
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        **tracked(
            "model/fetch_model",
            {},
            model.model_file("{model}", "card.json"),
            of_job(model.model_spec),
        ),
        sources=lambda wildcards: source_digests(MODEL_FILES[wildcards.model]),
        context=cached_context,
    message:
        "Fetching model {wildcards.model}"
    script:
        "../workflow_scripts/model/fetch_model.py"


checkpoint draw_scratch:
    input:
        **RANDOM,
    output:
        weights=model.scratch_weights("{model}", "{init}"),
        digest=model.scratch_digest("{model}", "{init}"),
    log:
        log_file("model/draw_scratch", "{model}/init{init}"),
    benchmark:
        benchmark_file("model/draw_scratch", "{model}/init{init}")
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=15,
    params:
        **tracked(
            "model/draw_scratch",
            RANDOM,
            model.scratch_weights("{model}", "{init}"),
            of_job(model.scratch_spec),
        ),
        context=context,
    message:
        "Drawing random weights for {wildcards.model}, seed {wildcards.init}"
    script:
        "../workflow_scripts/model/draw_scratch.py"
