from workflow_scripts.report import files as reports

CLAIMED = needs(**reports.claim_inputs(SETTINGS))
CLAIMED_OF_DYNAMICS = needs(**reports.dynamics_claim_inputs(SETTINGS))
CLAIMED_OF_STABILITY = needs(**reports.stability_claim_inputs(SETTINGS))
CLAIMED_OF_PROBING = needs(**reports.probing_claim_inputs(SETTINGS))


rule evaluate_claims:
    input:
        **CLAIMED,
    output:
        **in_report(
            reports.ledger_files("claims"),
            shown=["csv", "markdown"],
            name="claims",
            shows="claims of Hao et al. (2019)",
            category="Claims",
        ),
    log:
        log_file("report/evaluate_claims", "{model}"),
    benchmark:
        benchmark_file("report/evaluate_claims", "{model}")
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=more_each_time(2000),
        runtime=30,
    params:
        **tracked(
            "report/evaluate_claims",
            CLAIMED,
            reports.ledger_files("claims")["ledger"],
            reports.claim_spec(SETTINGS),
        ),
        context=context,
    message:
        "Evaluating the claims on loss landscapes for {wildcards.model}"
    script:
        "../workflow_scripts/report/evaluate_claims.py"


rule evaluate_dynamics_claims:
    input:
        **CLAIMED_OF_DYNAMICS,
    output:
        **in_report(
            reports.ledger_files("dynamics_claims"),
            shown=["csv", "markdown"],
            name="dynamics_claims",
            shows="claims of Hao et al. (2020)",
            category="Claims",
        ),
    log:
        log_file("report/evaluate_dynamics_claims", "{model}"),
    benchmark:
        benchmark_file("report/evaluate_dynamics_claims", "{model}")
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=more_each_time(2000),
        runtime=30,
    params:
        **tracked(
            "report/evaluate_dynamics_claims",
            CLAIMED_OF_DYNAMICS,
            reports.ledger_files("dynamics_claims")["ledger"],
            reports.dynamics_claim_spec(SETTINGS),
        ),
        context=context,
    message:
        "Evaluating the claims on learning dynamics for {wildcards.model}"
    script:
        "../workflow_scripts/report/evaluate_dynamics_claims.py"


rule evaluate_stability_claims:
    input:
        **CLAIMED_OF_STABILITY,
    output:
        **in_report(
            reports.ledger_files("stability_claims"),
            shown=["csv", "markdown"],
            name="stability_claims",
            shows="claims of Mosbach et al. (2021)",
            category="Claims",
        ),
    log:
        log_file("report/evaluate_stability_claims", "{model}"),
    benchmark:
        benchmark_file("report/evaluate_stability_claims", "{model}")
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=more_each_time(2000),
        runtime=30,
    params:
        **tracked(
            "report/evaluate_stability_claims",
            CLAIMED_OF_STABILITY,
            reports.ledger_files("stability_claims")["ledger"],
            reports.stability_claim_spec(SETTINGS),
        ),
        context=context,
    message:
        "Evaluating the claims on stability over seeds for {wildcards.model}"
    script:
        "../workflow_scripts/report/evaluate_stability_claims.py"


rule evaluate_probing_claims:
    input:
        **CLAIMED_OF_PROBING,
    output:
        **in_report(
            reports.ledger_files("probing_claims"),
            shown=["csv", "markdown"],
            name="probing_claims",
            shows="claims of Zhou and Srikumar (2022)",
            category="Claims",
        ),
    log:
        log_file("report/evaluate_probing_claims", "{model}"),
    benchmark:
        benchmark_file("report/evaluate_probing_claims", "{model}")
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=more_each_time(2000),
        runtime=30,
    params:
        **tracked(
            "report/evaluate_probing_claims",
            CLAIMED_OF_PROBING,
            reports.ledger_files("probing_claims")["ledger"],
            reports.probing_claim_spec(SETTINGS),
        ),
        context=context,
    message:
        "Evaluating the claims on the geometry of labels for {wildcards.model}"
    script:
        "../workflow_scripts/report/evaluate_probing_claims.py"
