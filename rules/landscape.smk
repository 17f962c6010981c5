from workflow_scripts.landscape import files as landscape
from workflow_scripts.landscape.surfaces import ANY_RUN, row_blocks

CHOSEN = needs(**landscape.example_inputs())
ENCODED = needs(**landscape.token_inputs())
SPANNED = inputs_of_job(landscape.direction_inputs)
CALIBRATED = inputs_of_job(landscape.calibration_inputs)
EVALUATED = inputs_of_job(landscape.row_inputs)
MERGED = inputs_of_job(landscape.merge_inputs)
PROJECTED = inputs_of_job(landscape.projection_inputs)
ALONG = inputs_of_job(landscape.run_inputs)
MEASURED = inputs_of_job(landscape.width_inputs)
SURFACE = partial(landscape.surface_path, "{model}", "{surface}")


rule choose_examples:
    input:
        **CHOSEN,
    output:
        examples=landscape.examples_file("{task}"),
    log:
        log_file("landscape/choose_examples", "{task}"),
    benchmark:
        benchmark_file("landscape/choose_examples", "{task}")
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        **tracked(
            "landscape/choose_examples",
            CHOSEN,
            landscape.examples_file("{task}"),
            landscape.example_spec(SETTINGS),
        ),
        context=context,
    message:
        "Choosing the examples of {wildcards.task} for its surfaces"
    script:
        "../workflow_scripts/landscape/choose_examples.py"


# What the jobs of a surface need of tokenizer and task, so that none of them reads these.
rule encode_examples:
    input:
        **ENCODED,
    output:
        tokens=landscape.tokens_file("{model}", "{task}"),
    log:
        log_file("landscape/encode_examples", "{model}_{task}"),
    benchmark:
        benchmark_file("landscape/encode_examples", "{model}_{task}")
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=15,
    params:
        **tracked(
            "landscape/encode_examples",
            ENCODED,
            landscape.tokens_file("{model}", "{task}"),
            {"max_length": SETTINGS.finetune.max_length},
        ),
        context=context,
    message:
        "Encoding the examples of {wildcards.task} for {wildcards.model}"
    script:
        "../workflow_scripts/landscape/encode_examples.py"


rule measure_directions:
    input:
        unpack(SPANNED),
    output:
        geometry=SURFACE("geometry.json"),
    log:
        log_file("landscape/measure_directions", "{model}_{surface}"),
    benchmark:
        benchmark_file("landscape/measure_directions", "{model}_{surface}")
    conda:
        "../envs/torch.yaml"
    threads: SETTINGS.compute.threads
    resources:
        mem_mb=LIMITS.megabytes("measure_directions", 4000),
        runtime=LIMITS.minutes("measure_directions", 15),
    params:
        **tracked(
            "landscape/measure_directions",
            SPANNED,
            SURFACE("geometry.json"),
            of_job(landscape.direction_spec),
        ),
        context=context,
    message:
        "Measuring the directions of surface {wildcards.surface}"
    script:
        "../workflow_scripts/landscape/measure_directions.py"


rule calibrate_precision:
    input:
        unpack(CALIBRATED),
    output:
        precision=SURFACE("precision.json"),
    log:
        log_file("landscape/calibrate_precision", "{model}_{surface}"),
    benchmark:
        benchmark_file("landscape/calibrate_precision", "{model}_{surface}")
    conda:
        "../envs/torch.yaml"
    threads: SETTINGS.compute.threads
    resources:
        mem_mb=LIMITS.megabytes("calibrate_precision", 4000, GPUS),
        runtime=LIMITS.minutes("calibrate_precision", 60),
        gpu=GPUS,
    params:
        **tracked(
            "landscape/calibrate_precision",
            CALIBRATED,
            SURFACE("precision.json"),
            of_job(landscape.calibration_spec),
        ),
        context=context,
    message:
        "Calibrating the precision of surface {wildcards.surface}"
    script:
        "../workflow_scripts/landscape/calibrate_precision.py"


# One rule a block of rows, since a rule's outputs are of one pattern. A file holds one row, so
# that another number of rows a job leaves the files of rows as they are.
for kind, first, last in row_blocks(SETTINGS):

    rule:
        name:
            f"evaluate_rows_{kind}_{first}_{last}"
        input:
            unpack(EVALUATED),
        output:
            rows=[SURFACE(f"rows/{row:03d}.parquet") for row in range(first, last + 1)],
        log:
            log_file("landscape/evaluate_rows", f"{{model}}_{{surface}}_{first}-{last}"),
        benchmark:
            benchmark_file(
                "landscape/evaluate_rows", f"{{model}}_{{surface}}_{first}-{last}"
            )
        wildcard_constraints:
            surface=landscape.surfaces_of_kind(SETTINGS, kind),
        conda:
            "../envs/torch.yaml"
        threads: SETTINGS.compute.threads
        resources:
            mem_mb=LIMITS.megabytes(f"evaluate_rows_{kind}_{first}_{last}", 4000, GPUS),
            runtime=LIMITS.minutes(f"evaluate_rows_{kind}_{first}_{last}", 120),
            gpu=GPUS,
        params:
            **tracked(
                "landscape/evaluate_rows",
                EVALUATED,
                SURFACE(f"rows/{first:03d}.parquet"),
                of_job(landscape.row_spec),
            ),
            context=context,
        message:
            f"Evaluating rows {first} to {last} of surface {{wildcards.surface}}"
        script:
            "../workflow_scripts/landscape/evaluate_rows.py"


rule merge_surface:
    input:
        unpack(MERGED),
    output:
        surface=SURFACE("surface.parquet"),
        point_examples=SURFACE("examples.parquet"),
    log:
        log_file("landscape/merge_surface", "{model}_{surface}"),
    benchmark:
        benchmark_file("landscape/merge_surface", "{model}_{surface}")
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=LIMITS.megabytes("merge_surface", 2000),
        runtime=LIMITS.minutes("merge_surface", 15),
    params:
        **tracked(
            "landscape/merge_surface",
            MERGED,
            SURFACE("surface.parquet"),
            of_job(landscape.merge_spec),
        ),
        context=context,
    message:
        "Merging surface {wildcards.surface}"
    script:
        "../workflow_scripts/landscape/merge_surface.py"


rule project_trajectory:
    input:
        unpack(PROJECTED),
    output:
        trajectory=SURFACE("trajectory_{run}.parquet"),
    log:
        log_file("landscape/project_trajectory", "{model}_{surface}_{run}"),
    benchmark:
        benchmark_file("landscape/project_trajectory", "{model}_{surface}_{run}")
    conda:
        "../envs/torch.yaml"
    threads: SETTINGS.compute.threads
    resources:
        mem_mb=LIMITS.megabytes("project_trajectory", 4000, GPUS),
        runtime=LIMITS.minutes("project_trajectory", 60),
        gpu=GPUS,
    params:
        **tracked(
            "landscape/project_trajectory",
            PROJECTED,
            SURFACE("trajectory_{run}.parquet"),
            of_job(landscape.projection_spec),
        ),
        context=context,
    message:
        "Projecting the trajectory of run {wildcards.run} onto surface {wildcards.surface}"
    script:
        "../workflow_scripts/landscape/project_trajectory.py"


rule measure_run:
    input:
        unpack(ALONG),
    output:
        **{name: landscape.along_path(ANY_RUN, name) for name in landscape.ALONG},
    log:
        log_file(
            "landscape/measure_run", "{model}_{task}_{start}_init{init}_order{order}"
        ),
    benchmark:
        benchmark_file(
            "landscape/measure_run", "{model}_{task}_{start}_init{init}_order{order}"
        )
    conda:
        "../envs/torch.yaml"
    threads: SETTINGS.compute.threads
    resources:
        mem_mb=LIMITS.megabytes("measure_run", 4000, GPUS),
        runtime=LIMITS.minutes("measure_run", 60),
        gpu=GPUS,
    params:
        **tracked(
            "landscape/measure_run",
            ALONG,
            landscape.along_path(ANY_RUN, "radii"),
            of_job(landscape.run_spec),
        ),
        context=context,
    message:
        "Measuring the run of {wildcards.task} from {wildcards.start}, seeds "
        "{wildcards.init} and {wildcards.order}"
    script:
        "../workflow_scripts/landscape/measure_run.py"


rule measure_width:
    input:
        unpack(MEASURED),
    output:
        width=SURFACE("width.parquet"),
    log:
        log_file("landscape/measure_width", "{model}_{surface}"),
    benchmark:
        benchmark_file("landscape/measure_width", "{model}_{surface}")
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=LIMITS.megabytes("measure_width", 2000),
        runtime=LIMITS.minutes("measure_width", 30),
    params:
        **tracked(
            "landscape/measure_width",
            MEASURED,
            SURFACE("width.parquet"),
            SETTINGS.landscape.width.model_dump(exclude={"directions"}),
        ),
        context=context,
    message:
        "Measuring how wide the optimum of {wildcards.surface} is"
    script:
        "../workflow_scripts/landscape/measure_width.py"
