"""What a results folder holds, read for figures and page."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from abxfast.errors import StudyError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

TABLES = (
    "pairs",
    "self_baselines",
    "summary",
    "recordings",
    "confounds",
    "classification",
    "accuracy",
    "confusion",
    "listening",
    "sentences",
)
FORMAT = 1
"""Of run.json, that this version reads."""


class ResultKey(NamedTuple):
    """What one matrix is of."""

    experiment: str
    encoder: str
    variant: str
    snippet_s: float | None

    @property
    def length(self) -> str:
        """The snippets' length in words."""
        return "whole items" if self.snippet_s is None else f"{self.snippet_s:g} s"


@dataclass(frozen=True)
class Results:
    """A results folder.

    Attributes
    ----------
    folder : Path
    run : dict
        run.json.
    tables : dict of str to pyarrow.Table
        By name, one for each of `TABLES`; long format.
    """

    folder: Path
    run: dict[str, Any]
    tables: dict[str, pa.Table]

    def groups(self, name: str) -> dict[ResultKey, pa.Table]:
        """Give a table's rows by experiment, encoder, variant and length, in order of first appearance."""
        table = self.tables[name]
        rows: dict[ResultKey, list[int]] = {}
        columns = [table[column].to_pylist() for column in ResultKey._fields]
        for number, key in enumerate(zip(*columns, strict=True)):
            rows.setdefault(ResultKey(*key), []).append(number)
        return {key: table.take(pa.array(numbers)) for key, numbers in rows.items()}

    def experiment(self, name: str) -> dict[str, Any]:
        """Give what run.json says of an experiment; empty where it says nothing."""
        return next((row for row in self.run.get("experiments", ()) if row.get("name") == name), {})

    def default_variant(self, experiment: str, encoder: str) -> str:
        """Give the variant to show first: the encoder's default, or the first one that was scored."""
        summary = self.tables["summary"]
        rows = zip(*(summary[name].to_pylist() for name in ("experiment", "encoder", "variant")), strict=True)
        there = [variant for where, which, variant in rows if (where, which) == (experiment, encoder)]
        for known in self.run.get("encoders", ()):
            if known.get("name") == encoder and known.get("default_variant") in there:
                return str(known["default_variant"])
        return str(there[0]) if there else ""

    def shown(self, name: str) -> dict[ResultKey, pa.Table]:
        """Give the groups of a table, of the default variants only."""
        groups = self.groups(name)
        default = {
            pair: self.default_variant(*pair) for pair in dict.fromkeys((key.experiment, key.encoder) for key in groups)
        }
        return {key: rows for key, rows in groups.items() if key.variant == default[key.experiment, key.encoder]}


@dataclass(frozen=True)
class ScoreMatrix:
    """Scores of all pairs of values of ON.

    Attributes
    ----------
    key : Key
    on : str
    names : tuple of str
        Values of ON, length n, in order of first appearance.
    score : ndarray of float64, shape (n, n)
        Row: A and X; column: B; NaN where a pair has none. On the diagonal what a recording scores against itself
        in blocks (*within*), NaN where that has no interval.
    low, high : ndarray of float64, shape (n, n)
        The 95 % interval of the mean of both directions; symmetric.
    """

    key: ResultKey
    on: str
    names: tuple[str, ...]
    score: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @property
    def symmetric(self) -> NDArray[np.float64]:
        """Mean of both directions, diagonal NaN; shape (n, n)."""
        mean = (self.score + self.score.T) / 2
        np.fill_diagonal(mean, np.nan)
        return mean


def read_results(folder: Path) -> Results:
    """Read a results folder.

    Raises
    ------
    StudyError
        Where it is not one, or lacks a table, or comes from another version.
    """
    path = folder / "run.json"
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise StudyError(f"{folder}: no run.json; expected a results folder of abxfast run") from error
    except ValueError as error:
        raise StudyError(f"{path}: not JSON ({error}); run abxfast run again") from error
    if not isinstance(run, dict) or run.get("format") != FORMAT:
        found = run.get("format") if isinstance(run, dict) else type(run).__name__
        raise StudyError(f"{path}: found format {found}, expected {FORMAT}; run abxfast run again with this version")
    tables = {}
    for name in TABLES:
        file = folder / "tables" / f"{name}.parquet"
        try:
            tables[name] = pq.read_table(file)
        except FileNotFoundError as error:
            raise StudyError(f"{file}: is not there; run abxfast run again") from error
        except (OSError, pa.ArrowException) as error:
            raise StudyError(f"{file}: cannot be read; delete it and run abxfast run again") from error
    return Results(folder, run, tables)


def score_matrix(key: ResultKey, pairs: pa.Table, floors: pa.Table | None) -> ScoreMatrix:
    """Make the matrix of one group of ``pairs``, with the floors of the same group on the diagonal if ON has them."""
    first, second = pairs["a"].to_pylist(), pairs["b"].to_pylist()
    names = tuple(dict.fromkeys(name for pair in zip(first, second, strict=True) for name in pair))
    place = {name: number for number, name in enumerate(names)}
    a, b = (np.array([place[name] for name in column], np.int64) for column in (first, second))
    score, low, high = (np.full((len(names), len(names)), np.nan) for _ in range(3))
    score[a, b], score[b, a] = _numbers(pairs, "score_ab"), _numbers(pairs, "score_ba")
    low[a, b] = low[b, a] = _numbers(pairs, "low")
    high[a, b] = high[b, a] = _numbers(pairs, "high")
    on = str(pairs["on"][0].as_py())
    if floors is not None and on == "recording":
        sure = np.isfinite(_numbers(floors, "alternating_split_low"))
        within = np.where(sure, _numbers(floors, "alternating_split"), np.nan)
        for label, own in zip(floors["label"].to_pylist(), within, strict=True):
            if label in place:
                score[place[label], place[label]] = own
    return ScoreMatrix(key, on, names, score, low, high)


def short_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Leave out what all names share: folders at the start, the suffix of the files at the end."""
    if len(names) < 2:  # noqa: PLR2004
        return names
    parts = [name.split("/") for name in names]
    shared = 0
    while all(len(part) > shared + 1 and part[shared] == parts[0][shared] for part in parts):
        shared += 1
    short = ["/".join(part[shared:]) for part in parts]
    suffix = re.search(r"\.[A-Za-z0-9]{1,5}$", short[0])
    if suffix and all(name.endswith(suffix.group()) and len(name) > len(suffix.group()) for name in short):
        short = [name[: -len(suffix.group())] for name in short]
    return tuple(short)


def _numbers(table: pa.Table, name: str) -> NDArray[np.float64]:
    return np.array([np.nan if value is None else value for value in table[name].to_pylist()], np.float64)
