# One rule a recipe: the number of epochs, and so of checkpoints, is the recipe's.
for recipe in SETTINGS.finetune.recipes:

    checkpoint:
        name:
            f"finetune_{recipe}"
        input:
            start_digests(recipe),
            ancient(model_file("{model}", "card.json")),
            **architecture(),
            train=ancient(task_file("{task}", "train.parquet")),
            dev=ancient(task_file("{task}", "dev.parquet")),
            card=ancient(task_file("{task}", "card.json")),
            weights=start_weights(recipe),
        output:
            checkpoints=kept_checkpoints(recipe),
            history=run_pattern(recipe, "history.parquet"),
            scores=run_pattern(recipe, "scores.parquet"),
            checkpoints_digest=run_pattern(recipe, "weights.digest"),
            digest=run_pattern(recipe, "digest"),
        log:
            f"results/logs/finetune/finetune_{recipe}/{{model}}_{{task}}_{{start}}_init{{init}}_order{{order}}.log",
        benchmark:
            f"results/benchmarks/finetune/finetune_{recipe}/{{model}}_{{task}}_{{start}}_init{{init}}_order{{order}}.jsonl"
        # The longest jobs, and all else waits for them: begun late, one would run alone at the end.
        priority: 10
        conda:
            "../envs/torch.yaml"
        threads: SETTINGS.compute.threads
        resources:
            mem_mb=lambda wildcards, attempt: 4000 * attempt,
            runtime=lambda wildcards, attempt: 240 * attempt,
            gpu=gpus(),
        params:
            spec=run_spec(recipe),
            code=code("finetune/finetune"),
            libraries=libraries(
                "finetune/finetune",
                run_pattern(recipe, "digest"),
            ),
            context=cached_context,
            state=run_state,
        message:
            f"Training on {{wildcards.task}} from {{wildcards.start}}, recipe {recipe}"
        script:
            "../workflow_scripts/finetune/finetune.py"
