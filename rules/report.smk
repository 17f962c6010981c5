rule evaluate_claims:
    input:
        surface_digests(
            [*atlas_surfaces(), *atlas_surfaces("_line")],
            tasks=[OVERFITTING],
            runs=[CONTINUED_RUN],
        ),
        [*HISTORY_DIGESTS, run_file(*CONTINUED_RUN, "digest")],
        geometries=over_tasks_and_starts("geometry.json"),
        lines=over_tasks_and_starts("examples.parquet", "_line"),
        planes=over_tasks_and_starts("examples.parquet"),
        trajectories=over_tasks_and_starts("trajectory_target.parquet"),
        histories=HISTORIES,
        examples=[examples_file(task) for task in TASKS],
        scores=ancient(run_file(*OVERFITTING_RUN, "scores.parquet")),
        continued=ancient(run_file(*CONTINUED_RUN, "scores.parquet")),
        card=ancient(task_file(OVERFITTING, "card.json")),
        rollbacks=rollback_tables,
    output:
        ledger=report_file("{model}", "claims.parquet"),
        csv=report_file("{model}", "claims.csv"),
        markdown=report_file("{model}", "claims.md"),
    log:
        "results/logs/report/evaluate_claims/{model}.log",
    benchmark:
        "results/benchmarks/report/evaluate_claims/{model}.jsonl"
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=30,
    params:
        spec={
            "tasks": TASKS,
            "overfitting_task": OVERFITTING,
            "tolerances": SETTINGS.landscape.width.tolerances,
            "resamples": SETTINGS.landscape.width.resamples,
        },
        code=code("report/evaluate_claims"),
        libraries=libraries(
            "report/evaluate_claims", report_file("{model}", "claims.parquet")
        ),
        context=context,
    message:
        "Evaluating the claims of the paper for {wildcards.model}"
    script:
        "../workflow_scripts/report/evaluate_claims.py"


rule evaluate_dynamics_claims:
    input:
        pair_digests("{model}", MODEL_PAIRS),
        representations=pair_tables("representations", MODEL_PAIRS),
        attention=pair_tables("attention", MODEL_PAIRS),
        rollbacks=pair_tables("rollback", pairs_of(SETTINGS, "change")),
    output:
        ledger=report_file("{model}", "dynamics_claims.parquet"),
        csv=report_file("{model}", "dynamics_claims.csv"),
        markdown=report_file("{model}", "dynamics_claims.md"),
    log:
        "results/logs/report/evaluate_dynamics_claims/{model}.log",
    benchmark:
        "results/benchmarks/report/evaluate_dynamics_claims/{model}.jsonl"
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=30,
    params:
        spec={
            "pairs": pair_titles(MODEL_PAIRS),
            "resamples": SETTINGS.dynamics.resamples,
        },
        code=code("report/evaluate_dynamics_claims"),
        libraries=libraries(
            "report/evaluate_dynamics_claims",
            report_file("{model}", "dynamics_claims.parquet"),
        ),
        context=context,
    message:
        "Evaluating the claims on learning dynamics for {wildcards.model}"
    script:
        "../workflow_scripts/report/evaluate_dynamics_claims.py"
