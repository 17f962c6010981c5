rule draw_figure1:
    input:
        surface_digests(atlas_surfaces()),
        surfaces=over_tasks_and_starts("surface.parquet"),
        geometries=over_tasks_and_starts("geometry.json"),
    output:
        **figure_outputs("figure1"),
    log:
        "results/logs/figures/draw_figure1/{model}.log",
    benchmark:
        "results/benchmarks/figures/draw_figure1/{model}.jsonl"
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        spec={
            "quantity": "loss",
            "tasks": task_titles(TASKS),
            "starts": list(STARTS),
        },
        code=code("figures/draw_surfaces"),
        libraries=libraries("figures/draw_surfaces", figure_file("figure1.pdf")),
        context=context,
    message:
        "Drawing figure 1: training-loss surfaces"
    script:
        "../workflow_scripts/figures/draw_surfaces.py"


rule draw_figure2:
    input:
        digests(ATLAS_RUNS, TASKS),
        HISTORY_DIGESTS,
        histories=HISTORIES,
        cards=[ancient(task_file(task, "card.json")) for task in TASKS],
    output:
        **figure_outputs("figure2"),
    log:
        "results/logs/figures/draw_figure2/{model}.log",
    benchmark:
        "results/benchmarks/figures/draw_figure2/{model}.jsonl"
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        spec={
            "tasks": task_titles(TASKS),
            "starts": list(STARTS),
            "runs": [
                {"task": task, "start": start} for task in TASKS for start in STARTS
            ],
        },
        code=code("figures/draw_loss_curves"),
        libraries=libraries("figures/draw_loss_curves", figure_file("figure2.pdf")),
        context=context,
    message:
        "Drawing figure 2: training loss over steps"
    script:
        "../workflow_scripts/figures/draw_loss_curves.py"


rule draw_figure3:
    input:
        surface_digests(atlas_surfaces(tasks=SETTINGS.figures.trajectory_tasks)),
        surfaces=over_tasks_and_starts(
            "surface.parquet", tasks=SETTINGS.figures.trajectory_tasks
        ),
        geometries=over_tasks_and_starts(
            "geometry.json", tasks=SETTINGS.figures.trajectory_tasks
        ),
        trajectories=over_tasks_and_starts(
            "trajectory_target.parquet", tasks=SETTINGS.figures.trajectory_tasks
        ),
    output:
        **figure_outputs("figure3"),
    log:
        "results/logs/figures/draw_figure3/{model}.log",
    benchmark:
        "results/benchmarks/figures/draw_figure3/{model}.jsonl"
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        spec={
            "tasks": task_titles(SETTINGS.figures.trajectory_tasks),
            "starts": list(STARTS),
        },
        code=code("figures/draw_trajectories"),
        libraries=libraries("figures/draw_trajectories", figure_file("figure3.pdf")),
        context=context,
    message:
        "Drawing figure 3: trajectories on training-loss surfaces"
    script:
        "../workflow_scripts/figures/draw_trajectories.py"


rule draw_figure4:
    input:
        surface_digests([f"{OVERFITTING}_pretrained"], runs=[CONTINUED_RUN]),
        surface=surface_file("{model}", f"{OVERFITTING}_pretrained", "surface.parquet"),
        geometry=surface_file("{model}", f"{OVERFITTING}_pretrained", "geometry.json"),
        trajectories=overfitting_trajectories("{model}"),
    output:
        **figure_outputs("figure4"),
    log:
        "results/logs/figures/draw_figure4/{model}.log",
    benchmark:
        "results/benchmarks/figures/draw_figure4/{model}.jsonl"
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        spec={
            "task": task_titles([OVERFITTING])[0],
            "note": overfitting_note(),
        },
        code=code("figures/draw_overfitting"),
        libraries=libraries("figures/draw_overfitting", figure_file("figure4.pdf")),
        context=context,
    message:
        "Drawing figure 4: training on, on the generalisation-error surface"
    script:
        "../workflow_scripts/figures/draw_overfitting.py"


rule draw_figure5:
    input:
        surface_digests([*atlas_surfaces(), *atlas_surfaces("_line")]),
        lines=over_tasks_and_starts("surface.parquet", "_line"),
        geometries=over_tasks_and_starts("geometry.json"),
    output:
        **figure_outputs("figure5"),
    log:
        "results/logs/figures/draw_figure5/{model}.log",
    benchmark:
        "results/benchmarks/figures/draw_figure5/{model}.jsonl"
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        spec={
            "tasks": task_titles(TASKS),
            "starts": list(STARTS),
        },
        code=code("figures/draw_lines"),
        libraries=libraries("figures/draw_lines", figure_file("figure5.pdf")),
        context=context,
    message:
        "Drawing figure 5: training loss along the optimisation direction"
    script:
        "../workflow_scripts/figures/draw_lines.py"


rule draw_figure6:
    input:
        surface_digests(atlas_surfaces()),
        surfaces=over_tasks_and_starts("surface.parquet"),
        geometries=over_tasks_and_starts("geometry.json"),
    output:
        **figure_outputs("figure6"),
    log:
        "results/logs/figures/draw_figure6/{model}.log",
    benchmark:
        "results/benchmarks/figures/draw_figure6/{model}.jsonl"
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        spec={
            "quantity": "error",
            "tasks": task_titles(TASKS),
            "starts": list(STARTS),
        },
        code=code("figures/draw_surfaces"),
        libraries=libraries("figures/draw_surfaces", figure_file("figure6.pdf")),
        context=context,
    message:
        "Drawing figure 6: generalisation-error surfaces"
    script:
        "../workflow_scripts/figures/draw_surfaces.py"


rule draw_figure7:
    input:
        surface_digests(GROUP_SURFACES),
        surfaces=over_groups("surface.parquet"),
        geometries=over_groups("geometry.json"),
    output:
        **figure_outputs("figure7"),
    log:
        "results/logs/figures/draw_figure7/{model}.log",
    benchmark:
        "results/benchmarks/figures/draw_figure7/{model}.jsonl"
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        spec={
            "tasks": task_titles(SETTINGS.figures.group_tasks),
            "groups": layer_groups(SETTINGS),
        },
        code=code("figures/draw_group_surfaces"),
        libraries=libraries("figures/draw_group_surfaces", figure_file("figure7.pdf")),
        context=context,
    message:
        "Drawing figure 7: training-loss surfaces of layer groups"
    script:
        "../workflow_scripts/figures/draw_group_surfaces.py"


rule draw_table1:
    input:
        digests([atlas_run("{model}", task, "pretrained") for task in TASKS]),
        tables=rollback_tables,
    output:
        **figure_outputs("table1", table=True),
    log:
        "results/logs/figures/draw_table1/{model}.log",
    benchmark:
        "results/benchmarks/figures/draw_table1/{model}.jsonl"
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        spec={
            "tasks": task_titles(TASKS),
            "groups": layer_groups(SETTINGS),
            "paper": paper_values(),
        },
        code=code("figures/draw_rollback_table"),
        libraries=libraries("figures/draw_rollback_table", figure_file("table1.pdf")),
        context=context,
    message:
        "Drawing table 1: accuracies with layer groups rolled back"
    script:
        "../workflow_scripts/figures/draw_rollback_table.py"


# A job sees the loop's names as the loop leaves them: so none of Snakemake's own, such as script,
# and a job's script comes from its params.
for figure, (drawing, table, pairs, shown) in DYNAMICS_FIGURES.items():

    rule:
        name:
            f"{drawing}_{figure}"
        input:
            pair_digests("{model}", pairs),
            tables=[dynamics_file("{model}", pair, table) for pair in pairs],
        output:
            **figure_outputs(figure, category="Learning dynamics"),
        log:
            f"results/logs/figures/{drawing}/{figure}_{{model}}.log",
        benchmark:
            f"results/benchmarks/figures/{drawing}/{figure}_{{model}}.jsonl"
        localrule: True  # as the others, see the Snakefile
        conda:
            "../envs/figures.yaml"
        threads: 1
        resources:
            mem_mb=lambda wildcards, attempt: 2000 * attempt,
            runtime=10,
        params:
            spec=shown,
            code=code(f"figures/{drawing}"),
            libraries=libraries(f"figures/{drawing}", figure_file(f"{figure}.pdf")),
            context=context,
            drawing=drawing,
        message:
            f"Drawing {figure}"
        script:
            "../workflow_scripts/figures/{params.drawing}.py"
