"""Files of the dynamics stage, as ``docs/reference/outputs.md`` describes them."""

from workflow_scripts.common.stage import Column, Product

PRODUCTS = (
    Product(
        "",
        "A folder per pair of models that read the same examples: `dynamics/MODEL/PAIR/`.",
        notes="""| PAIR | first model | second model | examples |
|---|---|---|---|
| `change_TASK` | pre-trained (epoch 0 of the run) | fine-tuned | dev set (`dynamics.examples`) |
| `seeds_TASK` | fine-tuned with the first seeds | with the second | dev set; tasks of `dynamics.seed_tasks` |
| `tasks_TASK+TASK` | fine-tuned on the first task | on the second | `dynamics.pair_examples` of each task's dev set |

Layers count from 0; -1 are the embeddings.""",
    ),
    Product(
        "dynamics/MODEL/PAIR/attention.parquet",
        "`attention.parquet`: one row per example and layer.",
        (
            Column("example, layer", "examples of the first task, then of the second", "from 0"),
            Column(
                "js",
                "Jensen-Shannon divergence of the two models' attention, mean over real "
                "tokens as queries, then heads",
                "nats, 0 to ln 2",
            ),
            Column("heads", "the same of each head", "list, nats"),
            Column(
                "cls, sep, other",
                "`js` of the queries that are the first token, separators, other tokens; "
                "NaN where there are none",
                "nats",
            ),
        ),
    ),
    Product(
        "dynamics/MODEL/PAIR/representations.parquet",
        "`representations.parquet`: one row per layer and measure, all of them distances.",
        (
            Column("layer, measure", "measures are below"),
            Column("value", ""),
            Column(
                "low, high, error",
                "95 % interval, standard error: jackknife over groups of examples (of "
                "`cosine_distance` and `relative_l2`: normal approximation over examples)",
            ),
            Column("left_out", "the value without each group", "list"),
            Column(
                "null, null_low, null_high",
                "distance of rows that do not belong together: mean, least and greatest "
                "of three shifts; NaN where there are too few rows",
            ),
            Column("n, d, examples", "rows (tokens), width, examples"),
            Column("k1, k2", "directions that SVCCA keeps of each model"),
            Column("rank1, rank2", "directions that vary at all"),
            Column(
                "underdetermined",
                "n < k1 + k2: some correlations are 1 whatever the data",
                "true, false",
            ),
            Column("few", "n < 10 d: correlations are too high by chance", "true, false"),
        ),
        notes="""| measure | range | meaning |
|---|---|---|
| `svcca` | 0 to 1 | 1 - mean correlation of the kept directions |
| `svcca_hidden` | 0 to 1 | 1 - sum of the correlations / hidden size, as the paper writes it; not 0 for equal layers |
| `svcca_per_neuron` | 0 to 1 | `svcca` of neurons scaled to variance 1 |
| `cca_full` | 0 to 1 | nothing cut |
| `cka_distance`, `cka_unbiased_distance` | 0 to 1, about 0 to 1 | 1 - linear CKA; from unbiased estimates |
| `procrustes` | 0 to 2 | squared distance after the best rotation, shift and scale |
| `cosine_distance` | 0 to 2 | 1 - cosine of a token's two states; not blind to rotation (nor is the next) |
| `relative_l2` | >= 0 | length of a token's change over that of its first state |""",
    ),
    Product(
        "dynamics/MODEL/PAIR/layers.parquet",
        "`layers.parquet`: every layer of the first model (`first`) against every layer "
        "of the second (`second`): `svcca` (distance), `cka`, `cka_unbiased` (similarity, 1"
        " = alike), `k1`, `k2`, `n`, `underdetermined`, `few`, `examples`.",
    ),
)
