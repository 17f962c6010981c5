"""Train classifier probes on the last layer, before and after fine-tuning."""

from pathlib import Path

import pandas as pd

from workflow_scripts.common.progress import progress
from workflow_scripts.common.tables import write_table
from workflow_scripts.probing.classifiers import Probe
from workflow_scripts.rebuilds.step import run


def train_probes(
    vectors: Path,
    rows: Path,
    about: Path,
    probes: Path,
    grid: str,
    initialisations: int,
    seed: int,
) -> None:
    """Write accuracies of probes: a small network, and logistic regression.

    The same grid of networks before and after.

    Parameters
    ----------
    vectors, rows, about : Path
        Of ``extract_vectors``.
    probes : Path
        To write: see ``probe_table``; with ``epoch`` and ``layer``, and ``majority_train`` and
        ``majority_dev``: accuracy of always answering with the most frequent training label.
    grid : {"small", "paper", "logistic"}
        Networks to choose from; ``logistic`` leaves them out.
    initialisations : int
        Trainings of the network chosen.
    seed : int
        Of the examples that choose, and of the initialisations.

    Raises
    ------
    UserError
        If the training examples have one label only.

    References
    ----------
    Zhou & Srikumar (2022), section 3.1 and the appendix.
    """
    from workflow_scripts.probing.classifiers import GRIDS, logistic_probe, majority, mlp_probe
    from workflow_scripts.probing.vectors import layers

    tables = []
    for found in progress(list(layers(vectors, rows, about, last_only=True)), "layers"):
        train, dev = found.splits["train"], found.splits["dev"]
        trained = [logistic_probe(train, dev)]
        if grid in GRIDS:
            trained.append(mlp_probe(train, dev, GRIDS[grid](), initialisations, seed=seed))
        chance = dict(zip(("majority_train", "majority_dev"), majority(train, dev), strict=True))
        place = {"epoch": found.epoch, "layer": found.layer}
        tables += [probe_table(probe).assign(**place, **chance) for probe in trained]
    write_table(pd.concat(tables, ignore_index=True), probes)


def probe_table(probe: Probe) -> pd.DataFrame:
    """A probe's scores, a row per initialisation.

    Parameters
    ----------
    probe : Probe
        From ``mlp_probe`` or ``logistic_probe``.

    Returns
    -------
    DataFrame
        ``kind``, ``initialisation`` (from 0), ``train``, ``dev`` (accuracies), ``hidden`` (widths
        of the hidden layers, joined by x), ``alpha``, ``selection``, ``unfinished``, ``unseen``:
        see ``Probe``.
    """
    return pd.DataFrame(
        {
            "kind": probe.kind,
            "initialisation": range(len(probe.dev)),
            "train": probe.train,
            "dev": probe.dev,
            "hidden": "x".join(map(str, probe.hidden)),
            "alpha": probe.alpha,
            "selection": probe.selection,
            "unfinished": probe.unfinished,
            "unseen": probe.unseen,
        }
    )


if __name__ == "__main__":
    run(train_probes, snakemake)
