"""The atlas stage: all results of a model in one page."""

from workflow_scripts.atlas.files import atlas_file
from workflow_scripts.atlas.products import PRODUCTS
from workflow_scripts.common.costs import table_cost
from workflow_scripts.common.stage import Stage

STAGE = Stage(
    "atlas",
    targets=lambda settings, model: [atlas_file(model)],
    products=PRODUCTS,
    costs={"write_atlas": lambda pricing, job: table_cost(8.0, memory=400e6, disk=4e6)},
    local=("write_atlas",),
)
