"""Writes the page of a study."""

from __future__ import annotations

import base64
import hashlib
import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from jinja2 import ChainableUndefined, Environment, PackageLoader
from markupsafe import Markup

from abxfast._files import write_atomic
from abxfast.encoders import PARITY_COLUMNS
from abxfast.report.file_index import FIGURES_FOLDER, TREES_FOLDER, read_index
from abxfast.report.filters import FILTERS
from abxfast.report.findings import Finding, describe_undecidable, make_findings
from abxfast.report.methods import write_methods
from abxfast.report.payload import embed_json, make_payload
from abxfast.results import ResultKey, Results, read_results

if TYPE_CHECKING:
    from pathlib import Path

_NAME = "report.html"
_MAX_SVG_BYTES = 300_000
"""Larger SVG figures are replaced by the PNG if that is smaller."""
_SCRIPT = ("dom.js", "colours.js", "tables.js", "tooltip.js", "player.js", "matrix.js", "viewer.js", "page.js")
"""Parts of the script, in this order."""
_MAX_FOLDERS = 3
_TREE_FILES = {"ge.nwk": "Newick (average linkage)", "ng.nwk": "Newick (neighbour joining)"}
"""What a tree's file is, by the end of its name; a NEXUS file has both trees."""
_SUMMARY = (
    "encoder",
    "variant",
    "snippet_s",
    "score",
    "low",
    "high",
    "p",
    "verdict",
    "reason",
    "cells",
    "triplets",
    "recordings",
    "note",
)


def write_page(folder: Path, *, embed_audio: bool = False) -> Path:
    """Write ``report.html`` into a results folder, see `abxfast.report.write_report`."""
    results = read_results(folder)
    style, script = _read_style(), _read_script()
    environment = Environment(
        loader=PackageLoader("abxfast.report", "templates"),
        autoescape=True,
        undefined=ChainableUndefined,  # facts that run.json lacks are left out: a long run must get its page
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= FILTERS
    payload = make_payload(results, embed_audio=embed_audio) | {"meanings": _column_meanings(folder)}
    paragraphs, references = write_methods(results)
    page = environment.get_template("page.html.j2").render(
        run=results.run,
        policy=_security_policy(style, script),
        # The only texts that are not escaped: they come from this package or are escaped already.
        style=Markup(style),  # noqa: S704
        script=Markup(script),  # noqa: S704
        payload=Markup(embed_json(payload)),  # noqa: S704
        experiments=_experiments(results),
        findings=_linked(make_findings(results), payload["views"]),
        undecidable=describe_undecidable(results),
        audio_folders=_audio_folders(results),
        payload_has_clips=bool(payload["clips"]),
        parity_columns=PARITY_COLUMNS,
        recordings=_recordings(results),
        tables=sorted(
            path.name for path in (folder / "tables").iterdir() if path.suffix in (".csv", ".parquet", ".json")
        ),
        paragraphs=paragraphs,
        references=references,
    )
    path = folder / _NAME
    write_atomic(path, page.encode("utf-8", "replace"))
    return path


def _security_policy(style: str, script: str) -> str:
    """Return a Content-Security-Policy: this style and script by their hashes, embedded images, audio."""
    style_hash, script_hash = (
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script)
    )
    return (
        f"default-src 'none'; script-src 'sha256-{script_hash}'; style-src 'sha256-{style_hash}'; img-src data:; "
        "media-src 'self' file: data:; base-uri 'none'; form-action 'none'"
    )


def _read_style() -> str:
    return f"\n{_read_template('page.css')}"


def _read_script() -> str:
    """Return the script of the page: its parts, in a function of their own so that no name is global."""
    parts = "".join(map(_read_template, _SCRIPT))
    return f'\n"use strict";\n(() => {{\n{parts}}})();\n'


def _read_template(name: str) -> str:
    text = (files("abxfast.report") / "templates" / name).read_text(encoding="utf-8")
    # Browsers normalise line ends before they compute the hash of an element.
    return text.replace("\r\n", "\n")


def _experiments(results: Results) -> list[dict[str, Any]]:
    """Return each scored experiment with its design, its summary and its figures."""
    summary = results.tables["summary"].to_pylist()
    figures = _embedded_figures(results.folder)
    best = results.tables.get("best_variants")
    best_variants = [] if best is None else best.to_pylist()
    experiments = []
    for number, name in enumerate(dict.fromkeys(row["experiment"] for row in summary), 1):
        own_figures = [figure for figure in figures if figure["experiment"] == name]
        experiments.append(
            {
                "id": f"experiment-{number}",
                "name": name,
                "design": results.experiment(name),
                "summary": [
                    {column: row[column] for column in _SUMMARY} for row in summary if row["experiment"] == name
                ],
                "best_variants": [row for row in best_variants if row["experiment"] == name],
                "figures": [figure for figure in own_figures if figure["kind"] in ("curve", "layers")],
                "maps": [figure for figure in own_figures if figure["kind"] in ("map", "tree")],
                "matrices": [figure for figure in own_figures if figure["kind"] == "matrix"],
            }
        )
    return experiments


def _embedded_figures(folder: Path) -> list[dict[str, Any]]:
    """Return the indexed figures whose files exist, each with its image as a data URI."""
    figures = []
    trees = {json.dumps(entry["view"]): entry["files"] for entry in read_index(folder, TREES_FOLDER)}
    for entry in read_index(folder, FIGURES_FOLDER):
        paths = {name.rpartition(".")[2]: folder / FIGURES_FOLDER / name for name in entry["files"]}
        try:
            content = {suffix: path.read_bytes() for suffix, path in paths.items()}
        except OSError:
            continue
        use_svg = len(content["svg"]) <= max(_MAX_SVG_BYTES, len(content["png"]))
        media_type, image = ("image/svg+xml", content["svg"]) if use_svg else ("image/png", content["png"])
        view = None if entry["view"] is None else json.dumps(entry["view"], ensure_ascii=False)
        links = [(name.rpartition(".")[2].upper(), f"{FIGURES_FOLDER}/{name}") for name in entry["files"]]
        if entry["kind"] == "tree":
            links += [
                (_TREE_FILES.get(name[-6:], "NEXUS"), f"{TREES_FOLDER}/{name}")
                for name in trees.get(json.dumps(entry["view"]), ())
            ]
        uri = f"data:{media_type};base64,{base64.b64encode(image).decode()}"
        figures.append(entry | {"uri": uri, "view": view, "links": links})
    return figures


def _linked(findings: list[Finding], views: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return findings with the numbers of the views that show them, and of their experiments."""
    numbers = {tuple(view[name] for name in ResultKey._fields): number for number, view in enumerate(views)}
    experiments = list(dict.fromkeys(view["experiment"] for view in views))
    return [
        {
            "text": finding.text,
            "verdict": finding.verdict,
            "view": numbers[finding.key],
            "key": finding.key,
            "href": f"#experiment-{experiments.index(finding.key.experiment) + 1}",
        }
        for finding in findings
    ]


def _audio_folders(results: Results) -> list[str]:
    """Return the folders in which the page expects audio, relative to itself; at most three, then an ellipsis."""
    folders = sorted(
        {(path or "").rpartition("/")[0] or "." for path in results.tables["recordings"]["path"].to_pylist()}
    )
    return folders if len(folders) <= _MAX_FOLDERS else [*folders[: _MAX_FOLDERS - 1], "…"]


def _recordings(results: Results) -> dict[str, Any]:
    table = results.tables["recordings"]
    return {"columns": table.column_names, "rows": table.to_pylist()}


def _column_meanings(folder: Path) -> dict[str, dict[str, str]]:
    """Return the meaning of each column of each table, from the data dictionary if it can be read."""
    try:
        tables = json.loads((folder / "tables" / "dictionary.json").read_text(encoding="utf-8"))
        return {
            name: {column: str(description["meaning"]) for column, description in table["columns"].items()}
            for name, table in tables.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
