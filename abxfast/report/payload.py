"""The numbers that the page draws itself: every matrix, its tables, its listening list, as one JSON text."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from abxfast.figures import DIVERGING, DIVERGING_DARK
from abxfast.report.links import file_url
from abxfast.report.shared_order import series_order
from abxfast.results import ResultKey, Results, short_names

if TYPE_CHECKING:
    import pyarrow as pa

VIEWED = ("pairs", "self_baselines", "confounds", "accuracy", "confusion", "classification", "sentences", "listening")
"""Tables that the page shows for one experiment, encoder, variant and length."""
MAX_HEARD = 400_000
"""Rows of the listening list beyond which only default variants keep theirs: the page must still open."""
_DIGITS = 5


class _Strings:
    """Texts, each kept once; a table holds their numbers."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._number: dict[str, int] = {}

    def number(self, text: str) -> int:
        found = self._number.setdefault(text, len(self.texts))
        if found == len(self.texts):
            self.texts.append(text)
        return found


def make_payload(results: Results) -> dict[str, Any]:
    """Gather what the page's script needs: plain numbers, and texts that it only ever writes as text."""
    strings = _Strings()
    groups = {name: results.groups(name) for name in VIEWED}
    heard = results.tables["listening"].num_rows
    shown = results.shown("listening") if heard > MAX_HEARD else groups["listening"]
    orders = series_order(results)
    views, series = [], []
    for key in results.groups("summary"):
        tables = {
            name: _columns(groups[name][key], strings)
            for name in VIEWED
            if key in groups[name] and (name != "listening" or key in shown)
        }
        order = orders.get(key[:3], [])
        views.append(
            {
                **key._asdict(),
                "length": key.length,
                "default": key.variant == results.default_variant(key.experiment, key.encoder),
                "order": [strings.number(name) for name in order],
                "short": short_names(tuple(order)),
                "tables": tables,
            }
        )
    for key, rows in groups["sentences"].items():
        said = [row["text"] for row in rows.to_pylist() if row["kind"] == "length"]
        if said:
            series.append({"experiment": key.experiment, "encoder": key.encoder, "variant": key.variant, "texts": said})
    paths = dict.fromkeys(path for table in shown.values() for path in table["path"].unique().to_pylist() if path)
    return {
        "strings": strings.texts,
        "views": views,
        "series": series,
        "urls": {path: file_url(path) for path in paths},
        "colours": {"light": DIVERGING, "dark": DIVERGING_DARK},
        "heard_all": heard <= MAX_HEARD,
    }


def embed_json(value: object) -> str:
    """Write JSON that can stand in a script element: ASCII only, and nothing in it can end the element.

    The letters ``<``, ``>`` and ``&`` are written as escapes, U+2028 and U+2029 too, as all beyond ASCII.
    """
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _columns(table: pa.Table, strings: _Strings) -> dict[str, list[Any]]:
    """Give a table without its key, a list a column; a text is its number, a column of texts ends with a $."""
    columns: dict[str, list[Any]] = {}
    for name in table.column_names:
        if name in ResultKey._fields:
            continue
        values = table[name].to_pylist()
        if str(table.schema.field(name).type) == "string":
            columns[f"{name}$"] = [None if value is None else strings.number(value) for value in values]
        else:
            columns[name] = [_rounded(value) for value in values]
    return columns


def _rounded(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
