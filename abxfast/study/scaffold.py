"""``write_study``: a study file with comments for given recordings, after one of the designs of Fily et al. (2024)."""

from __future__ import annotations

import json
import math
import os
import textwrap
from collections import Counter
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from abxfast import audio
from abxfast._files import write_atomic
from abxfast.errors import AudioError, StudyError
from abxfast.manifest import load_manifest
from abxfast.study.toml_lines import suggest

if TYPE_CHECKING:
    from abxfast.manifest import Item, Manifest

DESIGNS = ("recording-conditions", "voice", "segments")
_OPTIONAL = "# -- if there is a column for ON\n"
"""Line of a template; what follows it is only written if there is such a column."""
_LENGTHS = (1, 5, 10, 20)
_MIN_SNIPPETS = 2
"""Snippets that half of the recordings must have for a length to be proposed."""
_MAX_TOKEN_S = 3.0
_MAX_VALUES = 5
"""Values of a column that the comments list."""
_MAX_CLASSIFIED = 3
_COLUMN_NAMES = {
    "recording-conditions": ("microphone", "mic", "session", "room", "condition", "device", "codec", "format", "year"),
    "voice": ("voice", "speaker", "singer", "genre", "style", "narrator"),
    "segments": ("segment", "syllable", "phone", "phoneme", "word", "vowel", "tone", "token", "item_text", "text"),
}
"""Usual names of the column that a design compares, the likeliest first."""


def write_study(source: str | Path, output: str | Path, design: str | None = None) -> None:
    """Write a study file for recordings, with comments, to be changed in any editor.

    Parameters
    ----------
    source : path
        A manifest, or a folder of recordings.
    output : path
        The file to write; it must not exist.
    design : str, optional
        One of `DESIGNS`; by default, the one that the names of the columns suggest.

    Raises
    ------
    AbxfastError
        If the manifest cannot be read, the file exists, or no column fits the design.
    """
    source, output = Path(source), Path(output)
    if design is not None and design not in DESIGNS:
        raise StudyError(f"`design`: found {design!r}; {suggest(design, DESIGNS)}")
    if output.exists():
        raise StudyError(f"{output}: exists already; choose another name for `output`, or delete it first")
    manifest = load_manifest(source)
    columns = _comparable_columns(manifest)
    design = design or _suggest_design(manifest, columns)
    on = _on_column(design, columns)
    if on is None and design != "recording-conditions":
        raise StudyError(
            f"{source}: design {design!r} needs a column that names a {_COLUMN_NAMES[design][0]} in more than one row; "
            f"{suggest(_COLUMN_NAMES[design][0], manifest.columns)}"
        )
    relative_source = Path(os.path.relpath(source, output.absolute().parent)).as_posix()
    template = files("abxfast.study").joinpath("templates", f"{design}.toml").read_text(encoding="utf-8")
    text = Template(template).substitute(
        title=_quote(source.stem),
        source=f"{'recordings' if source.is_dir() else 'manifest'} = {_quote(relative_source)}",
        snippets=_snippets(manifest, tokens=design == "segments"),
        columns=_describe_columns(manifest, columns),
        classify=json.dumps(_classify(manifest, columns, on), ensure_ascii=False),
        on=_quote(on or ""),
        different=_different(manifest, on),
        across=_across(manifest, columns, on),
    )
    always, _, optional = text.partition(_OPTIONAL)
    write_atomic(output, (always + (optional and f"\n{optional}" if on else "")).encode())


def _comparable_columns(manifest: Manifest) -> list[str]:
    """Return the columns with several values, some value more than once, and most cells filled."""
    columns = []
    for name in manifest.columns:
        counts = Counter(item.labels.get(name) for item in manifest.items)
        n_filled = sum(counts.values()) - counts.pop(None, 0)
        if 1 < len(counts) < n_filled and n_filled > len(manifest.items) / 2:
            columns.append(name)
    return columns


def _suggest_design(manifest: Manifest, columns: list[str]) -> str:
    """Return the design that columns suggest; one of texts or words suggests segments only if rows are short."""
    for design in ("segments", "voice"):
        if any(name.lower() in _COLUMN_NAMES[design] for name in columns) and (
            design != "segments" or _are_tokens(manifest)
        ):
            return design
    return DESIGNS[0]


def _are_tokens(manifest: Manifest) -> bool:
    """Return whether rows are parts of recordings, or half of them at most as long as elicited words."""
    durations = sorted(seconds for item in manifest.items if (seconds := _duration_s(item)))
    are_parts = any(item.end_s is not None for item in manifest.items)
    return are_parts or not durations or durations[len(durations) // 2] <= _MAX_TOKEN_S


def _on_column(design: str, columns: list[str]) -> str | None:
    """Return the column that a design compares: one with a usual name, otherwise the first."""
    by_name = {name.lower(): name for name in columns}
    for name in _COLUMN_NAMES[design]:
        if name in by_name:
            return by_name[name]
    return columns[0] if columns else None


def _classify(manifest: Manifest, columns: list[str], on: str | None) -> list[str]:
    """Return the columns whose labels can be predicted, that of the design first."""
    constant = [name for name in columns if _is_constant(manifest, name)]
    return sorted(constant, key=lambda name: name != on)[:_MAX_CLASSIFIED]


def _is_constant(manifest: Manifest, name: str) -> bool:
    """Return whether every row has a value in a column, the same in all rows of a recording."""
    values: dict[str, str | None] = {}
    return all(
        item.labels.get(name) is not None and values.setdefault(item.recording, item.labels[name]) == item.labels[name]
        for item in manifest.items
    )


def _different(manifest: Manifest, on: str | None) -> str:
    recordings: dict[str | None, set[str]] = {}
    for item in manifest.items:
        recordings.setdefault(item.labels.get(on or ""), set()).add(item.recording)
    if all(len(names) > 1 for value, names in recordings.items() if value is not None):
        return 'different = ["recording"]'
    return '# different = ["recording"]  # needs two recordings of every value; here, some have only one'


def _across(manifest: Manifest, columns: list[str], on: str | None) -> str:
    """Return the line for ACROSS: a column of voices of which some value of ON has two."""
    voices = [name for name in columns if name.lower() in _COLUMN_NAMES["voice"] and name != on]
    for name in voices:
        pairs = {(item.labels.get(on or ""), item.labels.get(name)) for item in manifest.items}
        if max(Counter(value for value, _ in pairs).values()) > 1:
            return f"across = [{_quote(name)}]"
    return '# across = ["speaker"]'


def _snippets(manifest: Manifest, *, tokens: bool) -> str:
    """Return the value of ``snippets``: lengths of which most recordings have several snippets, or whole items."""
    durations = [seconds for item in manifest.items if (seconds := _duration_s(item))]
    are_parts = any(item.end_s is not None for item in manifest.items)
    if tokens and (not durations or max(durations) <= _MAX_TOKEN_S or are_parts):
        return '["whole"]'
    if not durations:
        return "[1, 10]"
    median_s = sorted(durations)[len(durations) // 2]
    lengths = [length for length in _LENGTHS if length * _MIN_SNIPPETS <= median_s]
    return str(lengths) if lengths else '["whole"]'


def _duration_s(item: Item) -> float:
    """Return the duration of a row; 0 if the header cannot be read."""
    try:
        file_s = audio.probe(item.path).duration_s
    except AudioError:
        return 0.0
    return max(0.0, (item.end_s if item.end_s is not None else file_s) - (item.start_s or 0.0))


def _describe_columns(manifest: Manifest, columns: list[str]) -> str:
    """Return the columns of the manifest and their values, as comments."""
    hours = math.fsum(_duration_s(item) for item in manifest.items) / 3600
    lines = [f"{len(manifest.items)} rows, {hours:.1f} hours."]
    for name in manifest.columns:
        counts = Counter(item.labels.get(name) for item in manifest.items)
        n_empty = counts.pop(None, 0)
        values = ", ".join(f"{value} ({count})" for value, count in counts.most_common(_MAX_VALUES))
        more = f" and {len(counts) - _MAX_VALUES} more" if len(counts) > _MAX_VALUES else ""
        empty = f"; empty in {n_empty}" if n_empty else ""
        unusable = "" if name in columns else "; nothing to compare"
        lines.append(f"{name}: {values}{more}{empty}{unusable}")
    wrapped = (textwrap.wrap(line, 116, initial_indent="# ", subsequent_indent="#   ") for line in lines)
    return "\n# Columns of the manifest:\n" + "\n".join(line for group in wrapped for line in group) + "\n"


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
