from workflow_scripts.report import files as report_files

# One rule a figure, from what the stages declare. A job sees the loop's names as the loop leaves
# them: so none of Snakemake's own, such as script, and a job's script comes from its params.
for drawn_stage in STAGES:
    for figure in drawn_stage.figures:
        if not figure.drawn(SETTINGS):
            continue

        rule:
            name:
                f"draw_{figure.name}"
            input:
                **needs(**report_files.figure_inputs(SETTINGS, figure)),
            output:
                **in_report(
                    figure.outputs(),
                    shown=["png"],
                    name=figure.name,
                    shows=figure.title,
                    category=drawn_stage.title,
                ),
            log:
                log_file(f"figures/draw_{figure.name}", "{model}"),
            benchmark:
                benchmark_file(f"figures/draw_{figure.name}", "{model}")
            conda:
                "../envs/figures.yaml"
            threads: 1
            resources:
                mem_mb=more_each_time(1000),
                runtime=10,
            params:
                **tracked(
                    figure.script,
                    needs(**report_files.figure_inputs(SETTINGS, figure)),
                    figure.outputs()["pdf"],
                    report_files.figure_spec(SETTINGS, figure),
                ),
                context=context,
                drawing=figure.script,
            message:
                f"Drawing {figure.name}: {figure.title}"
            script:
                "../workflow_scripts/{params.drawing}.py"
