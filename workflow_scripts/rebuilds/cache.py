"""Cache of expensive job outputs, shared between experiments.

An entry is a folder named by the hash of all that its files depend on: the hash of the script's
code, settings, sources, the content of the inputs, and the versions of the libraries.
"""

import hashlib
import json
import logging
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from workflow_scripts.common.errors import one_line
from workflow_scripts.common.tables import atomic, same_file
from workflow_scripts.rebuilds.records import file_digest

log = logging.getLogger("tunescape")

_MANIFEST = "manifest.json"  # written before the folder gets its name


def cache_key(depends_on: dict[str, Any]) -> str:
    """Name of the entry of files that depend on these values alone.

    Parameters
    ----------
    depends_on : dict
        JSON values; the order of keys does not count.

    Returns
    -------
    str
        32 hex digits.
    """
    text = json.dumps(depends_on, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def take(cache: Path, key: str, outputs: list[Path]) -> bool:
    """Copy the files of an entry to their places, all or none.

    Parameters
    ----------
    cache : Path
        Folder of the cache; it need not exist.
    key : str
        Of ``cache_key``.
    outputs : list of Path
        Where the files go, in the order in which they were kept. Each appears whole, as a hard
        link where the file system allows one.

    Returns
    -------
    bool
        Whether there is such an entry. A damaged entry is deleted and counts as missing, as does
        one that cannot be read.
    """
    entry = Path(cache) / key
    try:
        digests = json.loads((entry / _MANIFEST).read_text(encoding="utf-8"))
        kept = [_file(entry, i, output) for i, output in enumerate(outputs)]
        whole = [file_digest(path) for path in kept] == digests
    except FileNotFoundError:
        if not entry.exists():
            return False
        whole = False
    except ValueError:
        whole = False
    except OSError as error:
        log.warning("the cache's entry %s cannot be read: %s", entry, one_line(error))
        return False
    if not whole:
        log.warning("the cache's entry %s is damaged: deleted", entry)
        shutil.rmtree(entry, ignore_errors=True)
        return False
    for source, output in zip(kept, outputs, strict=True):
        with atomic(output) as draft:
            same_file(source, draft)
            os.utime(draft)  # newer than the job's inputs
    log.info("taken from the cache: %s", entry)
    return True


def keep(cache: Path, key: str, outputs: list[Path]) -> None:
    """Add files as an entry, whole or not at all; if that fails, log a warning."""
    cache = Path(cache)
    entry = cache / key
    draft = None
    try:
        cache.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{key}.", dir=cache))
        for i, output in enumerate(outputs):
            same_file(output, _file(draft, i, output))
        digests = [file_digest(output) for output in outputs]
        (draft / _MANIFEST).write_text(json.dumps(digests), encoding="utf-8")
        draft.chmod(0o755)  # others may share the cache
        if not entry.exists():
            draft.rename(entry)
    except OSError as error:
        # Another job may just have kept the same. The job itself does not need the cache.
        if not entry.exists():
            log.warning("not kept in the cache %s: %s", cache, one_line(error))
    finally:
        if draft is not None:
            shutil.rmtree(draft, ignore_errors=True)


def _file(entry: Path, index: int, output: Path) -> Path:
    return entry / f"{index:03d}{Path(output).suffix}"
