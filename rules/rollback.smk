from workflow_scripts.landscape.surfaces import ANY_RUN
from workflow_scripts.rollback import files as rollback

RESET_GROUPS = inputs_of_job(rollback.group_inputs)
RESET_LAYERS = inputs_of_job(rollback.layer_inputs)


rule roll_back_groups:
    input:
        unpack(RESET_GROUPS),
    output:
        rollback=rollback.rollback_path(ANY_RUN, "groups"),
    log:
        log_file("rollback/roll_back_groups", "{model}_{task}_init{init}_order{order}"),
    benchmark:
        benchmark_file(
            "rollback/roll_back_groups", "{model}_{task}_init{init}_order{order}"
        )
    conda:
        "../envs/torch.yaml"
    threads: SETTINGS.compute.threads
    resources:
        mem_mb=LIMITS.megabytes("roll_back_groups", 4000, GPUS),
        runtime=LIMITS.minutes("roll_back_groups", 60),
        gpu=GPUS,
    params:
        **tracked(
            "rollback/roll_back_groups",
            RESET_GROUPS,
            rollback.rollback_path(ANY_RUN, "groups"),
            rollback.group_spec(SETTINGS),
        ),
        context=context,
    message:
        "Rolling back layer groups of {wildcards.task}"
    script:
        "../workflow_scripts/rollback/roll_back_groups.py"


rule roll_back_layers:
    input:
        unpack(RESET_LAYERS),
    output:
        rollback=rollback.rollback_path(ANY_RUN, "layers"),
    log:
        log_file("rollback/roll_back_layers", "{model}_{task}_init{init}_order{order}"),
    benchmark:
        benchmark_file(
            "rollback/roll_back_layers", "{model}_{task}_init{init}_order{order}"
        )
    conda:
        "../envs/torch.yaml"
    threads: SETTINGS.compute.threads
    resources:
        mem_mb=LIMITS.megabytes("roll_back_layers", SIMILARITY_MEMORY, GPUS),
        runtime=LIMITS.minutes("roll_back_layers", 60),
        gpu=GPUS,
    params:
        **tracked(
            "rollback/roll_back_layers",
            RESET_LAYERS,
            rollback.rollback_path(ANY_RUN, "layers"),
            rollback.layer_spec(SETTINGS),
        ),
        context=context,
    message:
        "Rolling back single layers of {wildcards.task}"
    script:
        "../workflow_scripts/rollback/roll_back_layers.py"
