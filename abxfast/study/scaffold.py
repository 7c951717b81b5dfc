"""``abxfast init``: a study file for the recordings at hand, after one of the paper's three designs, with remarks."""

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
_LENGTHS = (1, 5, 10, 20)
_MIN_SNIPPETS = 2
_MAX_TOKEN_S = 3.0
_MAX_SHOWN = 5
_MAX_CLASSIFIED = 3
_WORDS = {
    "recording-conditions": ("microphone", "mic", "session", "room", "condition", "device", "codec", "format", "year"),
    "voice": ("voice", "speaker", "singer", "genre", "style", "narrator"),
    "segments": ("segment", "syllable", "phone", "phoneme", "word", "vowel", "tone", "token", "item_text", "text"),
}
"""Names of columns that a design asks about, the likeliest first."""


def write_study(source: Path, output: Path, design: str | None = None) -> None:
    """Write a study file.

    Parameters
    ----------
    source : Path
        A manifest, or a folder of recordings.
    output : Path
        The file to write; it must not be there.
    design : str, optional
        One of `DESIGNS`; the one that the columns speak for unless given.

    Raises
    ------
    AbxfastError
        Where the manifest cannot be read, the file is there already, or no column fits the design.
    """
    if design is not None and design not in DESIGNS:
        raise StudyError(f"--design: found {design!r}; {suggest(design, DESIGNS)}")
    if output.exists():
        raise StudyError(f"{output}: is there already; give -o a new name, or remove it first")
    manifest = load_manifest(source)
    columns = _usable(manifest)
    design = design or _guess(manifest, columns)
    text = Template(files("abxfast.study").joinpath("templates", f"{design}.toml").read_text(encoding="utf-8"))
    on = _column(design, columns)
    if on is None and design != "recording-conditions":
        raise StudyError(
            f"{source}: design {design!r} needs a column that names a {_WORDS[design][0]} in more than one row; "
            f"{suggest(_WORDS[design][0], manifest.columns)}"
        )
    here = Path(os.path.relpath(source, output.absolute().parent)).as_posix()
    filled = text.substitute(
        title=_quoted(source.stem),
        source=f"{'recordings' if source.is_dir() else 'manifest'} = {_quoted(here)}",
        snippets=_snippets(manifest, tokens=design == "segments"),
        columns=_remarks(manifest, columns),
        classify=json.dumps(_classified(manifest, columns, on), ensure_ascii=False),
        on=_quoted(on or ""),
        different=_different(manifest, on),
        across=_across(manifest, columns, on),
    )
    before, _, after = filled.partition(_OPTIONAL)
    write_atomic(output, (before + (after and f"\n{after}" if on else "")).encode())


def _usable(manifest: Manifest) -> list[str]:
    """Give the columns that could be compared: several values, at least one of them twice, hardly a cell empty."""
    found = []
    for name in manifest.columns:
        values = Counter(item.labels.get(name) for item in manifest.items)
        filled = sum(values.values()) - values.pop(None, 0)
        if 1 < len(values) < filled and filled > len(manifest.items) / 2:
            found.append(name)
    return found


def _guess(manifest: Manifest, columns: list[str]) -> str:
    """Give the design that the columns speak for; a column of texts or words names segments only of short rows."""
    for design in ("segments", "voice"):
        if any(name.lower() in _WORDS[design] for name in columns) and (design != "segments" or _are_tokens(manifest)):
            return design
    return DESIGNS[0]


def _are_tokens(manifest: Manifest) -> bool:
    """Say whether most rows are as short as elicited words, or stretches of recordings."""
    known = sorted(length for item in manifest.items if (length := _seconds(item)))
    stretches = any(item.end_s is not None for item in manifest.items)
    return stretches or not known or known[len(known) // 2] <= _MAX_TOKEN_S


def _column(design: str, columns: list[str]) -> str | None:
    """Give the column that a design asks about: by its name, else the first."""
    by_name = {name.lower(): name for name in columns}
    for word in _WORDS[design]:
        if word in by_name:
            return by_name[word]
    return columns[0] if columns else None


def _classified(manifest: Manifest, columns: list[str], on: str | None) -> list[str]:
    """Give the columns whose labels can be guessed, that of the design first."""
    constant = [name for name in columns if _constant(manifest, name)]
    return sorted(constant, key=lambda name: name != on)[:_MAX_CLASSIFIED]


def _constant(manifest: Manifest, name: str) -> bool:
    """Say whether a column has one value in each recording, and every row one."""
    seen: dict[str, str | None] = {}
    return all(
        item.labels.get(name) is not None and seen.setdefault(item.recording, item.labels[name]) == item.labels[name]
        for item in manifest.items
    )


def _different(manifest: Manifest, on: str | None) -> str:
    recordings: dict[str | None, set[str]] = {}
    for item in manifest.items:
        recordings.setdefault(item.labels.get(on or ""), set()).add(item.recording)
    if all(len(own) > 1 for value, own in recordings.items() if value is not None):
        return 'different = ["recording"]'
    return '# different = ["recording"]  # needs two recordings of every value; here, some have one'


def _across(manifest: Manifest, columns: list[str], on: str | None) -> str:
    """Give the line for ACROSS: a column of voices that some value of ON has two of."""
    voices = [name for name in columns if name.lower() in _WORDS["voice"] and name != on]
    for name in voices:
        pairs = {(item.labels.get(on or ""), item.labels.get(name)) for item in manifest.items}
        if max(Counter(value for value, _ in pairs).values()) > 1:
            return f"across = [{_quoted(name)}]"
    return '# across = ["speaker"]'


def _snippets(manifest: Manifest, *, tokens: bool) -> str:
    seconds = [_seconds(item) for item in manifest.items]
    known = [length for length in seconds if length]
    if tokens and (not known or max(known) <= _MAX_TOKEN_S or any(i.end_s is not None for i in manifest.items)):
        return '["whole"]'
    if not known:
        return "[1, 10]"
    fitting = [length for length in _LENGTHS if length * _MIN_SNIPPETS <= sorted(known)[len(known) // 2]]
    return str(fitting) if fitting else '["whole"]'


def _seconds(item: Item) -> float:
    try:
        whole = audio.probe(item.path).duration_s
    except AudioError:
        return 0.0
    return max(0.0, (item.end_s if item.end_s is not None else whole) - (item.start_s or 0.0))


def _remarks(manifest: Manifest, columns: list[str]) -> str:
    """Tell the columns of the manifest, as remarks."""
    hours = math.fsum(_seconds(item) for item in manifest.items) / 3600
    lines = [f"{len(manifest.items)} rows, {hours:.1f} hours."]
    for name in manifest.columns:
        values = Counter(item.labels.get(name) for item in manifest.items)
        empty = values.pop(None, 0)
        shown = ", ".join(f"{value} ({count})" for value, count in values.most_common(_MAX_SHOWN))
        more = f" and {len(values) - _MAX_SHOWN} more" if len(values) > _MAX_SHOWN else ""
        gaps = f"; empty in {empty}" if empty else ""
        no = "" if name in columns else "; nothing to compare"
        lines.append(f"{name}: {shown}{more}{gaps}{no}")
    wrapped = (textwrap.wrap(line, 116, initial_indent="# ", subsequent_indent="#   ") for line in lines)
    return "\n# What the manifest holds:\n" + "\n".join(line for group in wrapped for line in group) + "\n"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
