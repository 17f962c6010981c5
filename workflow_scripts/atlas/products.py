"""Files of the atlas stage, as ``docs/reference/outputs.md`` describes them."""

from workflow_scripts.common.stage import Product

PRODUCTS = (
    Product(
        "report/MODEL/atlas.html",
        "`atlas.html`: all results of a model in one page that needs no other file and no network; "
        "see [the atlas](../howto/atlas.md). Its data are one block of JSON, compressed with gzip, "
        "in base64: `ledgers` (exact), `tables` (the figures' numbers) and `surfaces`, rounded to "
        "five digits; by column, a missing number as null, infinity as a text.",
    ),
)
