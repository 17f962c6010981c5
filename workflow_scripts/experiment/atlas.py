"""Write the atlas of a run, finished or not: it names what is missing and shows the rest.

python -m workflow_scripts.experiment.atlas --directory runs/mine --configfile runs/mine.yaml
"""

import argparse
import contextlib
import sys
from pathlib import Path

from workflow_scripts.atlas.files import atlas_context, atlas_file, atlas_inputs, atlas_spec
from workflow_scripts.atlas.write_atlas import write_atlas
from workflow_scripts.common.errors import UserError, listed, nearest
from workflow_scripts.common.files import Files
from workflow_scripts.experiment.config import Config
from workflow_scripts.experiment.read import read_settings
from workflow_scripts.stages import STAGES


def write(settings: Config, folder: Path, model: str, output: Path | None = None) -> Path:
    """Write the page of a model.

    Parameters
    ----------
    settings : Config
        Of the experiment.
    folder : Path
        Of the run, which has ``results``.
    model : str
        One of the experiment's.
    output : Path, optional
        HTML file; by default ``results/report/MODEL/atlas.html`` in the folder.

    Returns
    -------
    Path
        Of the page.

    Raises
    ------
    UserError
        If the experiment has no such model, or the folder no results.
    """
    models = settings.experiment.models
    if model not in models:
        raise UserError(
            f"--model: got {model!r}, allowed are {listed(models)}{nearest(model, models)}"
        )
    if not (folder / "results").is_dir():
        raise UserError(f"--directory {folder}: expected a folder of a run, with results/ in it")
    page = output.resolve() if output else folder.resolve() / atlas_file(model)
    with contextlib.chdir(folder):
        files = as_paths(atlas_inputs(settings, STAGES, model))
        spec, context = atlas_spec(settings, STAGES), atlas_context(settings)
        write_atlas(**files, atlas=page, **spec, context=context)
    return page


def as_paths(files: Files) -> dict[str, Path | list[Path]]:
    """Files as a script's function takes them."""
    return {
        name: Path(of) if isinstance(of, str) else [Path(one) for one in of]
        for name, of in files.items()
    }


def parser() -> argparse.ArgumentParser:
    """Arguments of the command."""
    arguments = argparse.ArgumentParser(
        prog="python -m workflow_scripts.experiment.atlas", description=__doc__
    )
    arguments.add_argument("--directory", type=Path, default=Path(), help="folder of the run")
    arguments.add_argument("--configfile", type=Path, nargs="+", default=[], help="as of the run")
    arguments.add_argument("--model", help="one of several models")
    arguments.add_argument("--output", type=Path, help="HTML file to write")
    return arguments


if __name__ == "__main__":
    given = parser().parse_args()
    try:
        chosen = read_settings([path.resolve() for path in given.configfile])
        for name in [given.model] if given.model else chosen.experiment.models:
            print(write(chosen, given.directory, name, given.output))
    except UserError as error:
        sys.exit(f"Tunescape: {error}")
