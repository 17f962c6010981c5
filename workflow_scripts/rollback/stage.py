"""The rollback stage: some layers of a fine-tuned model reset to their pre-trained weights."""

from workflow_scripts.common.stage import Stage
from workflow_scripts.rollback import costs
from workflow_scripts.rollback.figures import FIGURES
from workflow_scripts.rollback.products import PRODUCTS

STAGE = Stage(
    "rollback",
    title="Layers rolled back",
    figures=FIGURES,
    products=PRODUCTS,
    costs={
        "roll_back_groups": costs.rolling_back_groups,
        "roll_back_layers": costs.rolling_back_layers,
    },
)
