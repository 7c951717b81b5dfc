"""The results folder of a study: its files, the study that it belongs to, and the cache of finished analyses."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from abxfast._files import json_digest, remove, write_atomic
from abxfast.errors import StudyError
from abxfast.results import FORMAT, RUN_FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from abxfast.study.config import Study

_UPGRADABLE = (1, 2, 3, FORMAT)
"""Formats of a folder that a run may go on with: tables are rewritten, analyses computed again."""
_FORMER_TABLES = ("floors",)
"""Tables that an earlier format had under a name that is no longer used."""

_DIGEST = "sha256"
"""Key of the digest of a cached result."""


def claim_results_folder(folder: Path, study: Study) -> None:
    """Mark a folder, which passes `check_results_folder`, as the results of a study."""
    if not (folder / RUN_FILE).exists():
        claim = {"format": FORMAT, **_identity(study)}
        write_atomic(folder / RUN_FILE, (json.dumps(claim, ensure_ascii=False, indent=1) + "\n").encode())


def _identity(study: Study) -> dict[str, str]:
    return {"title": study.title, "source": study.source_as_written}


def check_results_folder(folder: Path, study: Study) -> None:
    """Check that a folder is free for the results of a study, or has them already.

    Raises
    ------
    StudyError
        If it holds anything else.
    """
    if folder.exists() and not folder.is_dir():
        raise StudyError(f"{folder}: is a file, expected a folder; choose another name for `results`")
    path, identity = folder / RUN_FILE, _identity(study)
    if not path.exists():
        if folder.exists() and any(not entry.name.startswith(".") for entry in folder.iterdir()):
            raise StudyError(f"{folder}: exists and holds no results of a study; choose a new folder for `results`")
        return
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
        version = run["format"]
        other = {name: run[name] for name in identity}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StudyError(f"{path}: is damaged ({error}); choose a new folder for `results`") from error
    if version not in _UPGRADABLE:
        raise StudyError(
            f"{path}: has format {version}, this version of abxfast writes {FORMAT}; choose a new folder for `results`"
        )
    if other != identity:
        raise StudyError(
            f"{folder}: holds the results of another study: found {other['title']!r} of {other['source']}, expected "
            f"{study.title!r} of {study.source_as_written}; choose a new folder for `results`"
        )


def remove_former_tables(tables: Path) -> None:
    """Remove the files of tables that now have another name."""
    for name in _FORMER_TABLES:
        for suffix in (".csv", ".json", ".parquet"):
            remove(tables / f"{name}{suffix}")


class ResultCache:
    """Results computed so far, each in a JSON file whose name is a hash of everything that the result depends on.

    The format of the results folder is part of that, so nothing is read back from an earlier format.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._used: set[str] = set()

    def get(self, name: str, depends_on: object, compute: Callable[[], Any]) -> Any:
        """Return a cached result, computing and storing it first if necessary; NaN becomes None."""
        path = self._path(name, depends_on)
        self._used.add(path.name)
        stored = _read_stored(path)
        if _DIGEST in stored:
            if stored[_DIGEST] != json_digest(stored.get("result")):
                raise StudyError(f"{path}: was changed; delete it, and it is computed again")
            return stored["result"]
        result = _replace_nan(compute())
        text = json.dumps({_DIGEST: json_digest(result), "result": result}, ensure_ascii=False, allow_nan=False)
        write_atomic(path, text.encode())
        return json.loads(text)["result"]

    def has(self, name: str, depends_on: object) -> bool:
        """Return whether a result is cached."""
        return self._path(name, depends_on).exists()

    def remove_unused(self) -> None:
        """Remove results that this object was not asked for: the study has changed since."""
        for path in self._folder.glob("*.json"):
            if path.name not in self._used:
                path.unlink(missing_ok=True)

    def _path(self, name: str, depends_on: object) -> Path:
        stem = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "-.") else "_" for letter in name)
        return self._folder / f"{stem[:60]}-{json_digest([FORMAT, depends_on])[:24]}.json"


def _read_stored(path: Path) -> dict[str, Any]:
    """Return the content of a cached result; empty if there is none, or one of an earlier version, without a digest."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise StudyError(f"{path}: is damaged ({error}); delete it, and it is computed again") from error
    return stored if isinstance(stored, dict) else {}


def _replace_nan(value: Any) -> Any:
    """Return a value with None for every number that is not finite, which JSON cannot hold."""
    if isinstance(value, dict):
        return {name: _replace_nan(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_replace_nan(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def metadata_names(columns: Iterable[str], reserved: Iterable[str]) -> dict[str, str]:
    """Return the name of each manifest column in a table that has columns of its own.

    Parameters
    ----------
    columns : iterable of str
        Columns of the manifest.
    reserved : iterable of str
        Columns of the table; a manifest column of that name gets the prefix ``manifest_``.
    """
    reserved = set(reserved)
    return {name: f"manifest_{name}" if name in reserved else name for name in columns}
