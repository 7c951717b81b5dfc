"""The data of the page's script: every matrix, its tables and its listening list, as one JSON text."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from abxfast.figures import DIVERGING, DIVERGING_DARK
from abxfast.report.links import file_url
from abxfast.report.shared_order import shared_order
from abxfast.results import ResultKey, Results, short_names

if TYPE_CHECKING:
    import pyarrow as pa

_TABLES = ("pairs", "self_baselines", "confounds", "accuracy", "confusion", "classification", "sentences", "listening")
"""Tables of which the page shows one experiment, encoder, variant and length at a time."""
_MAX_LISTENING_ROWS = 400_000
"""Rows of the listening list beyond which only default variants keep theirs, so that the page still opens."""
_DIGITS = 5


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


def make_payload(results: Results) -> dict[str, Any]:
    """Return what the page's script needs: plain numbers, and texts that it inserts as text only."""
    strings = _StringTable()
    groups = {name: results.groups(name) for name in _TABLES}
    listening_complete = results.tables["listening"].num_rows <= _MAX_LISTENING_ROWS
    if not listening_complete:
        groups["listening"] = results.shown("listening")
    paths = dict.fromkeys(
        path for table in groups["listening"].values() for path in table["path"].unique().to_pylist() if path
    )
    return {
        "views": _views(results, groups, strings),
        "strings": strings.texts,
        "series": _series(groups["sentences"]),
        "urls": {path: file_url(path) for path in paths},
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
    results: Results, groups: dict[str, dict[ResultKey, pa.Table]], strings: _StringTable
) -> list[dict[str, Any]]:
    """Return what the page shows of each experiment, encoder, variant and length."""
    orders = shared_order(results)
    views = []
    for key in results.groups("summary"):
        order = orders.get(key.experiment, [])
        views.append(
            {
                **key._asdict(),
                "length": key.length,
                "default": key.variant == results.default_variant(key.experiment, key.encoder),
                "order": [strings.number(name) for name in order],
                "short": short_names(tuple(order)),
                "tables": {name: _columns(groups[name][key], strings) for name in _TABLES if key in groups[name]},
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


def _columns(table: pa.Table, strings: _StringTable) -> dict[str, list[Any]]:
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
            columns[name] = [_round(value) for value in values]
    return columns


def _round(value: Any) -> Any:
    """Round a float to the digits that the page keeps; None if it is not finite."""
    if not isinstance(value, float):
        return value
    return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
