"""Files of the landscape stage, as ``docs/reference/outputs.md`` describes them."""

from workflow_scripts.common.stage import Column, Product

PRODUCTS = (
    Product(
        "landscape/examples_TASK.parquet",
        "`landscape/examples_TASK.parquet`: the examples at which all surfaces of a task "
        "are evaluated: the columns of the task, `split` (`train` or `dev`) and `row` "
        "(0-based place in the split's file). Training examples first.",
    ),
    Product(
        "landscape/MODEL/tokens_TASK.parquet",
        "`landscape/MODEL/tokens_TASK.parquet`: the same examples as the model's tokens, "
        "in the same order:",
        (
            Column("split, label", "as there"),
            Column("input_ids", "list of int32, without padding"),
            Column("token_type_ids", "list of int32, where the model takes them"),
            Column("pad_id", "padding token, the same in all rows"),
            Column("labels", "number of classes, the same in all rows"),
        ),
        notes="""Names of surfaces:

| SURFACE | points | figures |
|---|---|---|
| `TASK_START` | plane: theta_0 + alpha delta_1 + beta delta_2 | 1, 3, 4, 6 |
| `TASK_START_line` | line: theta_0 + alpha delta_1 | 5 |
| `TASK_pretrained_GROUP` | layer-group plane: theta_1 + alpha delta_1 + beta delta_2, the group's layers only | 7 |""",
    ),
    Product(
        "landscape/MODEL/SURFACE/geometry.json",
        "`geometry.json` (planes and group planes; a line has its plane's):",
        (
            Column("task, synthetic, start", ""),
            Column("kind", "`plane` or `group`"),
            Column("second", "task that gives the second direction, or `random` or `pca`"),
            Column(
                "group, groups, layers",
                "layer group's name; the configured groups; its first and last layer; "
                "null for planes",
            ),
            Column("labels, chance_loss", "K; ln K, the loss of pure chance, nats"),
            Column("range, points", "ends of both axes; points per axis"),
            Column(
                "norm_1, norm_2",
                "Euclidean lengths of delta_1 and delta_2 before scaling; of the group's "
                "part alone for a group",
            ),
            Column("cosine", "between delta_1 and delta_2; of the group's parts for a group"),
            Column(
                "seed, explained",
                "of a `random` direction; of `pca` the share of the trajectory's squared distance "
                "from the first direction, 0 to 1",
                optional=True,
            ),
            Column(
                "norm_end", "Euclidean length of the encoder (or of the group's layers) at theta_1"
            ),
            Column(
                "filter_distance, filter_distance_2",
                "filter-normalised length of a unit of alpha, and of beta; see "
                "[methods](../explanation/methods.md#width)",
            ),
            Column("provenance", "see below"),
        ),
    ),
    Product(
        "landscape/MODEL/SURFACE/surface.parquet",
        "`surface.parquet`: one row per point. Grid rows first, beta outer, alpha inner, "
        "both increasing; then the exact points that the grid misses.",
        (
            Column("alpha, beta", "coordinates; `beta` is 0 on a line"),
            Column(
                "on_grid",
                "false: a checkpoint that the grid misses, or the centre of one of about a dozen "
                "cells (planes and groups), where interpolation is compared with the exact value",
                "true, false",
            ),
            Column(
                "anchor",
                "`start` and `end` (planes, lines), `fine_tuned` and `rollback` (groups),"
                " else empty",
                "text",
            ),
            Column("train_examples, dev_examples", "examples at the point"),
            Column(
                "train_loss, dev_loss",
                "mean; not finite where any example's loss is not finite",
                "nats",
            ),
            Column("train_loss_se, dev_loss_se", "", "nats"),
            Column(
                "train_error, dev_error",
                "error rate; an example without finite logits counts as an error",
                "0 to 1",
            ),
            Column("train_error_se, dev_error_se", "", "0 to 1"),
            Column(
                "precision",
                "of the matrix products, the same at every point",
                "`float32`, `bfloat16`",
            ),
            Column(
                "precision_error",
                "largest difference in mean loss from float32 among the calibrated "
                "points; 0 for float32, NaN if not finite",
                "nats",
            ),
        ),
    ),
    Product(
        "landscape/MODEL/SURFACE/precision.json",
        "`precision.json`, where `landscape.precision` is not float32: `precision`, "
        "`largest_difference` (nats), `tolerance` (of auto) and the calibrated `points` "
        "with `alpha`, `beta` and `difference`; see "
        "[methods](../explanation/methods.md#bfloat16).",
    ),
    Product(
        "landscape/MODEL/SURFACE/examples.parquet landscape/MODEL/SURFACE/rows/ROW.parquet",
        "`examples.parquet` and `rows/ROW.parquet`: the same points (a file of `rows/` "
        "has one row of the grid) with per-example values.",
        (
            Column(
                "row",
                "row of the grid, 0-based; exact points that the grid lacks form one more row",
            ),
            Column("alpha, beta, on_grid, anchor", "as above"),
            Column(
                "train_loss, dev_loss",
                "list of float32, nats, in the order of `examples_TASK.parquet`",
            ),
            Column(
                "train_prediction, dev_prediction",
                "list of int16: class; -1 where the logits are not finite",
            ),
        ),
    ),
    Product(
        "landscape/MODEL/SURFACE/trajectory_RUN.parquet",
        "`trajectory_RUN.parquet` (planes): one row per checkpoint. RUN is `target`, the "
        "surface's own run, or the name of a recipe that continues it.",
        (
            Column("run, epoch", "epoch 0 is the run's start"),
            Column("d_alpha, d_beta", "the paper's coordinates", "`d_beta` >= 0"),
            Column("ls_alpha, ls_beta", "least-squares coordinates on the plane"),
            Column(
                "outside",
                "share of the checkpoint's distance from theta_0 that lies outside the plane",
                "0 to 1",
            ),
            Column("norm", "length of delta_i over that of delta_1", ">= 0"),
            Column("cosine", "between delta_i and delta_1; NaN at theta_0", "-1 to 1"),
            Column(
                "true_train_loss, true_dev_error",
                "the checkpoint's encoder with the surface's head",
                "nats, 0 to 1",
            ),
            Column(
                "own_train_loss, own_dev_error", "the checkpoint with its own head", "nats, 0 to 1"
            ),
            Column(
                "plane_train_loss, plane_dev_error",
                "at the point (`ls_alpha`, `ls_beta`) of the plane",
                "nats, 0 to 1",
            ),
            Column(
                "paper_train_loss, paper_dev_error",
                "at the point (`d_alpha`, `d_beta`) of the plane",
                "nats, 0 to 1",
            ),
        ),
        notes="All four pairs are means over the examples of `examples_TASK.parquet`.",
    ),
    Product(
        "landscape/MODEL/SURFACE/width.parquet",
        "`width.parquet` (planes; measured on the line and the plane):",
        (
            Column("measure", "", "`line`, `area`"),
            Column("tolerance", "allowed above the loss at the end point", "nats"),
            Column("relative", "`tolerance` / ln K"),
            Column(
                "unit",
                "units of alpha (area: alpha times beta), or filter-normalised distance",
                "`alpha`, `filter`",
            ),
            Column(
                "value, low, high",
                "width or area, with its bootstrap interval over examples",
                "in `unit`",
            ),
            Column(
                "left, right",
                "ends of the interval, measured from alpha = 0; NaN for areas",
                "in `unit`",
            ),
            Column(
                "censored",
                "the region reaches the end of the grid: the true value is larger",
                "true, false",
            ),
            Column(
                "resolved",
                "areas: whether the region holds 30 cells of the grid; else `value` is an upper "
                "bound and has no interval",
                "true, false",
            ),
        ),
    ),
    Product(
        "landscape/MODEL/runs/TASK/START/SEEDS/trajectory.parquet "
        "landscape/MODEL/runs/TASK/START/SEEDS/path.parquet "
        "landscape/MODEL/runs/TASK/START/SEEDS/ray.parquet",
        "Losses along a run, on the training examples of the task's surfaces, without dropout. "
        "`trajectory.parquet`: a row per checkpoint; `path.parquet`: per point between start and "
        "end (`position`, 0 to 1; `train_loss`, list, of each example); `ray.parquet`: per point "
        "along the first epoch's direction (`place`, in units of the first epoch's step; "
        "`train_loss`). Heads are that of the end.",
        (
            Column("epoch", "", "from 0"),
            Column("train_loss", "with the checkpoint's own head", "nats"),
            Column(
                "norm, step",
                "distance from the start, and from the checkpoint before, over that of the whole "
                "run",
            ),
            Column("cosine", "with the whole run's direction; NaN at the start", "-1 to 1"),
        ),
    ),
    Product(
        "landscape/MODEL/runs/TASK/START/SEEDS/radii.parquet",
        "`radii.parquet`: how far the optimum reaches, a row per direction from the end.",
        (
            Column(
                "direction, number",
                "`random`: filter-normalised (Li et al. 2018); `onward`: that of the run, beyond "
                "the end; a layer group: within it along the run, forwards (0) and backwards (1)",
            ),
            Column(
                "radius",
                "distance at which the loss has made a fifth of the way from the end to ln K",
                "in units of the direction",
            ),
            Column("censored", "not reached: the radius is only a lower bound", "true, false"),
            Column("error", "standard error of its logarithm, over examples; 0 if unknown"),
            Column("unit", "filter-normalised length of a unit of the direction"),
            Column("level, end, chance_loss", "that loss, the loss at the end, and ln K", "nats"),
            Column("evaluations", "losses computed"),
        ),
    ),
)
