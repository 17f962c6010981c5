"""Files of the report stage, as ``docs/reference/outputs.md`` describes them."""

from workflow_scripts.common.stage import Column, Product

PRODUCTS = (
    Product(
        "report/MODEL/claims.parquet report/MODEL/claims.csv report/MODEL/claims.md "
        "report/MODEL/dynamics_claims.parquet report/MODEL/dynamics_claims.csv "
        "report/MODEL/dynamics_claims.md report/MODEL/probing_claims.parquet "
        "report/MODEL/probing_claims.csv report/MODEL/probing_claims.md",
        "`claims.parquet` and `claims.csv` (Hao et al. 2019), `dynamics_claims.parquet` "
        "and `dynamics_claims.csv` (Hao et al. 2020), `probing_claims.parquet` and "
        "`probing_claims.csv` (Zhou and Srikumar 2022): one row per number; "
        "`claims.md`, `dynamics_claims.md` and `probing_claims.md` the same as a page.",
        (
            Column("claim", "the claim's name; `text` is its sentence"),
            Column("text", "what the paper says, with its section"),
            Column("task, synthetic", "title of the task or pair; whether it was generated"),
            Column("measure", "what the number is, with its unit"),
            Column(
                "value, low, high",
                "number and interval; NaN where there is none, infinite where it is one-sided",
            ),
            Column("limit", "`≥` or `≤` where the value is only a bound"),
            Column(
                "claimed, bound",
                "side of `bound` on which the claim puts the number: `above`, `below`, or empty",
            ),
            Column("runs", "behind the number"),
            Column(
                "verdict, reason",
                "of this number: `supported`, `contradicted` (3 runs and more), `agrees`, "
                "`disagrees` (fewer), `inconclusive`, `not applicable` (a precondition that does "
                "not hold, in words), `reported only`; see "
                "[methods](../explanation/methods.md#claims-and-verdicts)",
            ),
            Column("conclusion, why", "verdict on the claim for the task, of all numbers together"),
        ),
    ),
    Product(
        "report/MODEL/stability_claims.parquet report/MODEL/stability_claims.csv "
        "report/MODEL/stability_claims.md",
        "`stability_claims.parquet`, `stability_claims.csv` and `stability_claims.md`: the same of "
        "Mosbach et al. (2021), where recipes are trained with many seeds, and",
        (
            Column(
                "p_value", "of the test that decides, adjusted for all tests of the ledger; or NaN"
            ),
            Column("runs", "behind the number"),
        ),
    ),
)
