from workflow_scripts.finetune import files as finetune

# One rule a recipe: the number of epochs, and so of checkpoints, is the recipe's.
for recipe in SETTINGS.finetune.recipes:

    checkpoint:
        name:
            f"finetune_{recipe}"
        input:
            unpack(inputs_of_job(finetune.training_inputs, recipe)),
        output:
            **finetune.training_outputs(SETTINGS, recipe),
        log:
            log_file(f"finetune/finetune_{recipe}", finetune.JOB),
        benchmark:
            benchmark_file(f"finetune/finetune_{recipe}", finetune.JOB)
        # The longest jobs, and all else waits for them: begun late, one would run alone at the end.
        priority: 10
        conda:
            "../envs/torch.yaml"
        threads: SETTINGS.compute.threads
        resources:
            mem_mb=LIMITS.megabytes(f"finetune_{recipe}", 4000, GPUS),
            runtime=LIMITS.minutes(f"finetune_{recipe}", 240),
            gpu=GPUS,
        params:
            **tracked(
                "finetune/finetune",
                inputs_of_job(finetune.training_inputs, recipe),
                finetune.training_outputs(SETTINGS, recipe)["digest"],
                of_job(finetune.training_spec, recipe),
            ),
            context=cached_context,
            state=finetune.run_state,
        message:
            f"Training on {{wildcards.task}} from {{wildcards.start}}, recipe {recipe}"
        script:
            "../workflow_scripts/finetune/finetune.py"


# One rule an imported run: the number of checkpoints is that of its folder.
for name in SETTINGS.experiment.runs:

    checkpoint:
        name:
            f"import_run_{name}"
        input:
            ancient(as_inputs(RUN_FILES[name])),
            **needs(**finetune.import_inputs(SETTINGS, name)),
        output:
            **finetune.training_outputs(SETTINGS, name),
        log:
            log_file(f"finetune/import_run_{name}", finetune.JOB),
        benchmark:
            benchmark_file(f"finetune/import_run_{name}", finetune.JOB)
        priority: 10
        conda:
            "../envs/torch.yaml"
        threads: SETTINGS.compute.threads
        resources:
            mem_mb=LIMITS.megabytes(f"import_run_{name}", 4000, GPUS),
            runtime=LIMITS.minutes(f"import_run_{name}", 60),
            gpu=GPUS,
        params:
            **tracked(
                "finetune/import_run",
                needs(**finetune.import_inputs(SETTINGS, name)),
                finetune.training_outputs(SETTINGS, name)["digest"],
                finetune.import_spec(SETTINGS, name),
            ),
            sources=folder_digests(RUN_FILES[name]),
            context=context,
        message:
            f"Importing run {name} of {{wildcards.task}}"
        script:
            "../workflow_scripts/finetune/import_run.py"
