from workflow_scripts.probing import files as probing
from workflow_scripts.probing.figures import stage_targets
from workflow_scripts.report.files import probing_pages

EXTRACTED = inputs_of_job(probing.vector_inputs)
VECTORS = inputs_of_job(probing.geometry_inputs)
GEOMETRIES = needs(**probing.comparison_inputs(SETTINGS))


rule extract_vectors:
    input:
        unpack(EXTRACTED),
    output:
        vectors=probing.probing_path("vectors.npy"),
        rows=probing.probing_path("rows.parquet"),
        about=probing.probing_path("about.json"),
    log:
        log_file("probing/extract_vectors", probing.JOB),
    benchmark:
        benchmark_file("probing/extract_vectors", probing.JOB)
    conda:
        "../envs/torch.yaml"
    threads: SETTINGS.compute.threads
    resources:
        mem_mb=LIMITS.megabytes("extract_vectors", 4000, GPUS),
        runtime=LIMITS.minutes("extract_vectors", 60),
        gpu=GPUS,
    params:
        **tracked(
            "probing/extract_vectors",
            EXTRACTED,
            probing.probing_path("rows.parquet"),
            of_job(probing.vector_spec),
        ),
        context=context,
    message:
        "Keeping vectors of {wildcards.task} in models of {wildcards.tuned}"
    script:
        "../workflow_scripts/probing/extract_vectors.py"


rule measure_geometry:
    input:
        unpack(VECTORS),
    output:
        distances=probing.probing_path("distances.parquet"),
        centroids=probing.probing_path("centroids.parquet"),
        clusters=probing.probing_path("clusters.parquet"),
        controls=probing.probing_path("controls.parquet"),
    log:
        log_file("probing/measure_geometry", probing.JOB),
    benchmark:
        benchmark_file("probing/measure_geometry", probing.JOB)
    conda:
        "../envs/torch.yaml"
    threads: SETTINGS.compute.threads
    resources:
        mem_mb=LIMITS.megabytes("measure_geometry", 2000),
        runtime=LIMITS.minutes("measure_geometry", 120),
    params:
        **tracked(
            "probing/measure_geometry",
            VECTORS,
            probing.probing_path("distances.parquet"),
            of_job(probing.geometry_spec),
        ),
        context=context,
    message:
        "Measuring the geometry of {wildcards.task} in models of {wildcards.tuned}"
    script:
        "../workflow_scripts/probing/measure_geometry.py"


rule train_probes:
    input:
        unpack(VECTORS),
    output:
        probes=probing.probing_path("probes.parquet"),
    log:
        log_file("probing/train_probes", probing.JOB),
    benchmark:
        benchmark_file("probing/train_probes", probing.JOB)
    conda:
        "../envs/torch.yaml"
    threads: SETTINGS.compute.threads
    resources:
        mem_mb=LIMITS.megabytes("train_probes", 2000),
        runtime=LIMITS.minutes("train_probes", 120),
    params:
        **tracked(
            "probing/train_probes",
            VECTORS,
            probing.probing_path("probes.parquet"),
            probing.probe_spec(SETTINGS),
        ),
        context=context,
    message:
        "Training probes of {wildcards.task} in models of {wildcards.tuned}"
    script:
        "../workflow_scripts/probing/train_probes.py"


rule compare_geometry:
    input:
        **GEOMETRIES,
    output:
        similarity=probing.compared_file(SETTINGS, "similarity"),
        paths=probing.compared_file(SETTINGS, "paths"),
        cross=probing.compared_file(SETTINGS, "cross"),
    log:
        log_file("probing/compare_geometry", "{model}"),
    benchmark:
        benchmark_file("probing/compare_geometry", "{model}")
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=more_each_time(2000),
        runtime=30,
    params:
        **tracked(
            "probing/compare_geometry",
            GEOMETRIES,
            probing.compared_file(SETTINGS, "similarity"),
            probing.comparison_spec(SETTINGS),
        ),
        context=context,
    message:
        "Comparing the geometry of all tasks"
    script:
        "../workflow_scripts/probing/compare_geometry.py"


# The stage alone, for experiments that are about probing.
rule:
    name:
        "results/figures/probing"
    input:
        [*stage_targets(SETTINGS), *probing_pages(SETTINGS)],
