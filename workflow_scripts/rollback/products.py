"""Files of the rollback stage, as ``docs/reference/outputs.md`` describes them."""

from workflow_scripts.common.stage import Column, Product

PRODUCTS = (
    Product(
        "rollback/MODEL/TASK/SEEDS/groups.parquet",
        "`groups.parquet`: a row per layer group, on the whole dev set.",
        (
            Column("group", "`none` (fine-tuned), then each layer group rolled back", "text"),
            Column("first, last", "its layers; missing for `none`"),
            Column("accuracy", "", "0 to 1"),
            Column("difference", "from the fine-tuned model", "percentage points"),
            Column("low, high", "interval of the difference", "percentage points"),
            Column("examples", "dev examples"),
            Column("correct", "whether the prediction is right, for each of them", "list"),
        ),
    ),
    Product(
        "rollback/MODEL/TASK/SEEDS/layers.parquet",
        "`layers.parquet`: the columns of the dynamics' `representations.parquet`; `layer` is the "
        "one that is rolled back to its pre-trained weights, and the distance is that of the "
        "*last* layer from the fine-tuned model's.",
    ),
)
