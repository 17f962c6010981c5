"""All stages, in the order in which data flow. A new stage is a folder and a line here."""

from workflow_scripts.atlas.stage import STAGE as atlas
from workflow_scripts.data.stage import STAGE as data
from workflow_scripts.dynamics.stage import STAGE as dynamics
from workflow_scripts.figures.stage import STAGE as figures
from workflow_scripts.finetune.stage import STAGE as finetune
from workflow_scripts.landscape.stage import STAGE as landscape
from workflow_scripts.model.stage import STAGE as model
from workflow_scripts.probing.stage import STAGE as probing
from workflow_scripts.report.stage import STAGE as report
from workflow_scripts.rollback.stage import STAGE as rollback
from workflow_scripts.stability.stage import STAGE as stability

STAGES = (
    data,
    model,
    finetune,
    landscape,
    dynamics,
    rollback,
    stability,
    probing,
    report,
    figures,
    atlas,
)
