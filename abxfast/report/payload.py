"""The data of the page's script: every matrix, its tables and its listening list, as one JSON text."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from abxfast.figures import DIVERGING, DIVERGING_DARK
from abxfast.report.clips import Snippet, encode_clips
from abxfast.report.findings import chosen_analyses
from abxfast.report.links import file_url
from abxfast.report.shared_order import shared_order
from abxfast.results import ResultKey, Results, short_names

if TYPE_CHECKING:
    from collections.abc import Mapping

_TABLES = ("pairs", "self_baselines", "confounds", "accuracy", "confusion", "classification", "sentences", "listening")
"""Tables of which the page shows one experiment, encoder, variant and length at a time."""
_MAX_LISTENING_ROWS = 60_000
"""Rows of the listening list beyond which only default variants keep theirs, so that the page still opens."""
_MATRIX_COLUMNS = (
    "on",
    "a",
    "b",
    "context",
    "score_ab",
    "score_ba",
    "score",
    "low",
    "high",
    "p_holm",
    "verdict",
    "reason",
)
"""Columns of the table ``pairs`` that the page has of a variant that is not the default, of which there may be many."""
_DIGITS, _FEW_DIGITS = 5, 3
"""Significant digits of numbers, of default variants and of others."""


class _StringTable:
    """Distinct texts, which tables refer to by number."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        """Return the number of a text, which is added if it is new."""
        number = self._numbers.setdefault(text, len(self.texts))
        if number == len(self.texts):
            self.texts.append(text)
        return number


class _ColumnTable:
    """Distinct columns of values, which tables refer to by number: many views share theirs."""

    def __init__(self) -> None:
        self.columns: list[list[Any]] = []
        self._numbers: dict[str, int] = {}

    def number(self, column: list[Any]) -> int:
        """Return the number of a column, which is added if it is new."""
        number = self._numbers.setdefault(json.dumps(column), len(self.columns))
        if number == len(self.columns):
            self.columns.append(column)
        return number


def make_payload(results: Results, *, embed_audio: bool = False) -> dict[str, Any]:
    """Return what the page's script needs: plain numbers, and texts that it inserts as text only.

    Parameters
    ----------
    results : Results
    embed_audio : bool
        Whether it holds clips of the listening lists.
    """
    clips, clip_of = encode_clips(results) if embed_audio else ([], {})
    strings, columns = _StringTable(), _ColumnTable()
    groups = {name: results.groups(name) for name in _TABLES}
    listening_complete = results.tables["listening"].num_rows <= _MAX_LISTENING_ROWS
    if not listening_complete:
        groups["listening"] = results.shown("listening")
    paths = dict.fromkeys(
        path for table in groups["listening"].values() for path in table["path"].unique().to_pylist() if path
    )
    return {
        "views": _views(results, groups, strings, columns, clip_of),
        "start": {key.experiment: list(key) for key in reversed(chosen_analyses(results))},
        "strings": strings.texts,
        "columns": columns.columns,
        "series": _series(groups["sentences"]),
        "urls": {path: file_url(path) for path in paths},
        "clips": clips,
        "colours": {"light": DIVERGING, "dark": DIVERGING_DARK},
        "listening_complete": listening_complete,
    }


def embed_json(value: object) -> str:
    """Return JSON that can stand in a script element: ASCII without ``<``, ``>`` and ``&``, which are escaped.

    Nothing in it can end the element or begin a comment. U+2028 and U+2029 are escaped like all beyond ASCII.
    """
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _views(
    results: Results,
    groups: dict[str, dict[ResultKey, pa.Table]],
    strings: _StringTable,
    columns: _ColumnTable,
    clip_of: Mapping[Snippet, int],
) -> list[dict[str, Any]]:
    """Return what the page shows of each experiment, encoder, variant and length."""
    orders = shared_order(results)
    views = []
    for key, summary in results.groups("summary").items():
        order = orders.get(key.experiment, [])
        default = key.variant == results.default_variant(key.experiment, key.encoder)
        tables = {name: groups[name][key] for name in _TABLES if key in groups[name]}
        if not default and "pairs" in tables:
            tables["pairs"] = tables["pairs"].select([*ResultKey._fields, *_MATRIX_COLUMNS])
        digits = _DIGITS if default else _FEW_DIGITS
        mean = summary.select(["score", "low", "high", "verdict", "reason"]).to_pylist()[0]
        if clip_of and "listening" in tables:
            snippets = tables["listening"].select(Snippet._fields).to_pylist()
            clips = pa.array([clip_of.get(Snippet(**snippet)) for snippet in snippets], pa.int64())
            tables["listening"] = tables["listening"].append_column("clip", clips)
        views.append(
            {
                **key._asdict(),
                **{name: _round(value, _DIGITS) for name, value in mean.items()},
                "length": key.length,
                "default": default,
                "order": columns.number([strings.number(name) for name in order]),
                "short": columns.number([strings.number(name) for name in short_names(tuple(order))]),
                "tables": {
                    name: {title: columns.number(values) for title, values in _columns(table, strings, digits).items()}
                    for name, table in tables.items()
                },
            }
        )
    return views


def _series(sentences: dict[ResultKey, pa.Table]) -> list[dict[str, Any]]:
    """Return the sentences that compare snippet lengths, by experiment, encoder and variant."""
    series = []
    for key, rows in sentences.items():
        texts = [row["text"] for row in rows.to_pylist() if row["kind"] == "length"]
        if texts:
            entry = {"experiment": key.experiment, "encoder": key.encoder, "variant": key.variant, "texts": texts}
            series.append(entry)
    return series


def _columns(table: pa.Table, strings: _StringTable, digits: int) -> dict[str, list[Any]]:
    """Return a table by columns, without those of its key.

    Columns of texts hold the numbers of the texts; a ``$`` is appended to their names.
    """
    columns: dict[str, list[Any]] = {}
    for name in table.column_names:
        if name in ResultKey._fields:
            continue
        values = table[name].to_pylist()
        if str(table.schema.field(name).type) == "string":
            columns[f"{name}$"] = [None if value is None else strings.number(value) for value in values]
        else:
            columns[name] = [_round(value, digits) for value in values]
    return columns


def _round(value: Any, digits: int) -> Any:
    """Round a float to significant digits; None if it is not finite."""
    if not isinstance(value, float):
        return value
    return float(f"{value:.{digits}g}") if math.isfinite(value) else None
