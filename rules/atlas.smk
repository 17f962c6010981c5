from workflow_scripts.atlas import files as atlas

SHOWN = needs(**atlas.atlas_inputs(SETTINGS, STAGES))


rule write_atlas:
    input:
        **SHOWN,
    output:
        **in_report(
            {"atlas": atlas.atlas_file()},
            shown=["atlas"],
            name="atlas",
            shows="all results in one page",
            category="Atlas",
        ),
    log:
        log_file("atlas/write_atlas", "{model}"),
    benchmark:
        benchmark_file("atlas/write_atlas", "{model}")
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=more_each_time(1000),
        runtime=10,
    params:
        **tracked(
            "atlas/write_atlas",
            SHOWN,
            atlas.atlas_file(),
            atlas.atlas_spec(SETTINGS, STAGES),
        ),
        context=lambda wildcards, threads: {
            **context(wildcards, threads),
            **atlas.atlas_context(SETTINGS),
        },
    message:
        "Writing the atlas of {wildcards.model}"
    script:
        "../workflow_scripts/atlas/write_atlas.py"
