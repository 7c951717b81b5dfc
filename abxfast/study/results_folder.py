"""The results folder: whose it is, what is kept of unfinished work, and what it says of itself."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from abxfast._files import json_digest, write_atomic
from abxfast.errors import StudyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from abxfast.study.config import Study

RUN, STUDY, TABLES, PARTIAL = "run.json", "study.toml", "tables", "partial"
FORMAT = 1


def claim_results_folder(folder: Path, study: Study) -> None:
    """Take a folder, which passes `check_results_folder`, for the results of a study."""
    if not (folder / RUN).exists():
        about = {"format": FORMAT, **_identity(study)}
        write_atomic(folder / RUN, (json.dumps(about, ensure_ascii=False, indent=1) + "\n").encode())


def _identity(study: Study) -> dict[str, str]:
    return {"title": study.title, "source": study.source_as_written}


def check_results_folder(folder: Path, study: Study) -> None:
    """Check that a folder may take, or has, the results of a study.

    Raises
    ------
    StudyError
        Where it holds something else.
    """
    if folder.exists() and not folder.is_dir():
        raise StudyError(f"{folder}: is a file, expected a folder for the results; give -o another name")
    path, identity = folder / RUN, _identity(study)
    if not path.exists():
        if folder.exists() and any(not entry.name.startswith(".") for entry in folder.iterdir()):
            raise StudyError(f"{folder}: is there already and holds no results of a study; give -o a new name")
        return
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        kind = found["format"]
        other = {name: found[name] for name in identity}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StudyError(f"{path}: is damaged ({error}); give -o a new name") from error
    if kind != FORMAT:
        raise StudyError(f"{path}: has format {kind}, this abxfast writes {FORMAT}; give -o a new name")
    if other != identity:
        raise StudyError(
            f"{folder}: holds the results of another study: found {other['title']!r} of {other['source']}, asked for "
            f"{study.title!r} of {study.source_as_written}; give -o a new name"
        )


class ResultCache:
    """Finished pieces of work, each in a file that is named by all that it depends on."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._used: set[str] = set()

    def get(self, name: str, depends_on: object, make: Callable[[], Any]) -> Any:
        """Give a piece: read it back if it is there, else make it and keep it."""
        path = self._path(name, depends_on)
        self._used.add(path.name)
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            raise StudyError(f"{path}: is damaged ({error}); remove it, and it is made anew") from error
        # NaN is no JSON, and null is what a table makes of it.
        text = json.dumps(_without_nan(make()), ensure_ascii=False, allow_nan=False)
        write_atomic(path, text.encode())
        return json.loads(text)

    def has(self, name: str, depends_on: object) -> bool:
        """Say whether a piece is there."""
        return self._path(name, depends_on).exists()

    def forget_others(self) -> None:
        """Remove pieces that nothing depends on any more."""
        for path in self._folder.glob("*.json"):
            if path.name not in self._used:
                path.unlink(missing_ok=True)

    def _path(self, name: str, depends_on: object) -> Path:
        plain = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "-.") else "_" for letter in name)
        return self._folder / f"{plain[:60]}-{json_digest(depends_on)[:24]}.json"


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nan(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def metadata_names(columns: Iterable[str], taken: Iterable[str]) -> dict[str, str]:
    """Give each column of a manifest the name that it has in a table with columns of its own."""
    taken = set(taken)
    return {name: f"manifest_{name}" if name in taken else name for name in columns}
