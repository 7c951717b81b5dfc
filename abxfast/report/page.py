"""Fills the page."""

from __future__ import annotations

import base64
import hashlib
import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from jinja2 import ChainableUndefined, Environment, PackageLoader
from markupsafe import Markup

from abxfast._files import write_atomic
from abxfast.encoders import PARITY_COLUMNS, format_parity_value
from abxfast.report.links import file_url
from abxfast.report.methods import write_methods
from abxfast.report.payload import embed_json, make_payload
from abxfast.results import Results, read_results

if TYPE_CHECKING:
    from pathlib import Path

NAME = "report.html"
_LARGEST_SVG = 300_000
"""Bytes of a figure beyond which the page has the PNG, where that is smaller."""
_SUMMARY = ("encoder", "variant", "snippet_s", "score", "low", "high", "p", "cells", "triplets", "recordings", "note")


def write_page(folder: Path) -> Path:
    """Write ``report.html`` into a results folder."""
    results = read_results(folder)
    style, script = _asset("page.css"), _asset("page.js")
    environment = Environment(
        loader=PackageLoader("abxfast.report", "templates"),
        autoescape=True,
        undefined=ChainableUndefined,  # a fact that run.json lacks is left out; a night's work gets its page
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": _number, "count": _count, "told": _told, "parity": _parity, "file_url": file_url}
    paragraphs, references = write_methods(results)
    page = environment.get_template("page.html.j2").render(
        run=results.run,
        policy=_policy(style, script),
        # Ours, not the user's: the only texts that are not escaped.
        style=Markup(style),  # noqa: S704
        script=Markup(script),  # noqa: S704
        payload=Markup(embed_json(make_payload(results) | {"meanings": _meanings(folder)})),  # noqa: S704
        experiments=_experiments(results),
        parity_columns=PARITY_COLUMNS,
        recordings=_recordings(results),
        tables=sorted(
            path.name for path in (folder / "tables").iterdir() if path.suffix in (".csv", ".parquet", ".json")
        ),
        paragraphs=paragraphs,
        references=references,
    )
    target = folder / NAME
    write_atomic(target, page.encode("utf-8", "replace"))
    return target


def _policy(style: str, script: str) -> str:
    """Give a Content-Security-Policy: our script and style by their hashes, pictures in the page, sound from files."""
    hashes = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script))
    style_hash, script_hash = hashes
    return (
        f"default-src 'none'; script-src 'sha256-{script_hash}'; style-src 'sha256-{style_hash}'; img-src data:; "
        "media-src 'self' file:; base-uri 'none'; form-action 'none'"
    )


def _asset(name: str) -> str:
    text = (files("abxfast.report") / "templates" / name).read_text(encoding="utf-8")
    # A hash is of the text as the browser sees it: line ends are LF.
    return "\n" + text.replace("\r\n", "\n")


def _experiments(results: Results) -> list[dict[str, Any]]:
    """Give each experiment with its summary and its figures."""
    summary = results.tables["summary"].to_pylist()
    figures = _figures(results.folder)
    names = dict.fromkeys(row["experiment"] for row in summary)
    found = []
    for number, name in enumerate(names):
        rows = [{column: row[column] for column in _SUMMARY} for row in summary if row["experiment"] == name]
        mine = [figure for figure in figures if figure["experiment"] == name]
        found.append(
            {
                "id": f"experiment-{number + 1}",
                "name": name,
                "about": results.experiment(name),
                "summary": rows,
                "figures": [figure for figure in mine if figure["kind"] in ("curve", "layers")],
                "maps": [figure for figure in mine if figure["kind"] == "map"],
                "matrices": [figure for figure in mine if figure["kind"] == "matrix"],
            }
        )
    return found


def _figures(folder: Path) -> list[dict[str, Any]]:
    """Read the figures that are there, each as a data URI."""
    try:
        entries = json.loads((folder / "figures" / "figures.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    shown = []
    for entry in entries:
        pictures = {name.rpartition(".")[2]: folder / "figures" / name for name in entry["files"]}
        try:
            content = {suffix: path.read_bytes() for suffix, path in pictures.items()}
        except OSError:
            continue
        small = len(content["svg"]) <= max(_LARGEST_SVG, len(content["png"]))
        kind, data = ("image/svg+xml", content["svg"]) if small else ("image/png", content["png"])
        view = None if entry["view"] is None else json.dumps(entry["view"], ensure_ascii=False)
        shown.append(entry | {"uri": f"data:{kind};base64,{base64.b64encode(data).decode()}", "view": view})
    return shown


def _recordings(results: Results) -> dict[str, Any]:
    table = results.tables["recordings"]
    return {"columns": table.column_names, "rows": table.to_pylist()}


def _meanings(folder: Path) -> dict[str, dict[str, str]]:
    """Say what each column means, from the data dictionary, where there is one."""
    try:
        tables = json.loads((folder / "tables" / "dictionary.json").read_text(encoding="utf-8"))
        return {
            name: {column: str(told["meaning"]) for column, told in table["columns"].items()}
            for name, table in tables.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _number(value: object) -> str:
    """Write a number as a reader wants it; what is not there is a dash."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return _count(value)
    if isinstance(value, float):
        if value and abs(value) < 0.001:  # noqa: PLR2004
            return f"{value:.1e}"
        return f"{value:.3f}" if abs(value) < 10 else f"{value:,.1f}"  # noqa: PLR2004
    return str(value)


def _told(value: object) -> str:
    """Write what an encoder says of itself: a list with commas, an empty one as none."""
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return str(value) if isinstance(value, str | dict) else _number(value)


def _parity(value: object, key: str) -> str:
    return format_parity_value(key, value) if isinstance(value, str | int | float) else "–"


def _count(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
