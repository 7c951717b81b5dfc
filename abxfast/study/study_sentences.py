"""Sentences and rows that take several analyses, or none: comparisons of lengths and variants, copies, channels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abxfast.study.comparisons import best_variant_row, describe_best_variant, describe_lengths
from abxfast.study.copies import describe_channels, describe_copies

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from abxfast.audio import AudioQuality
    from abxfast.results import Row
    from abxfast.study.resolve import ResolvedStudy

_ANALYSES = ("experiment", "encoder", "variant", "snippet_s")


def best_variant_rows(summary: Sequence[Row]) -> list[Row]:
    """Return the rows of the table ``best_variants``.

    Parameters
    ----------
    summary : sequence of dict
        Rows of the table ``summary``.
    """
    groups = _group(summary, ("experiment", "encoder", "snippet_s"))
    return [best for rows in groups if (best := best_variant_row(rows)) is not None]


def study_sentences(
    resolved: ResolvedStudy, quality: Mapping[str, AudioQuality], rows: Mapping[str, Sequence[Row]]
) -> list[Row]:
    """Return the rows of the table ``sentences`` that are not about one analysis.

    Parameters
    ----------
    resolved : ResolvedStudy
    quality : mapping of str to AudioQuality
        By recording.
    rows : mapping of str to sequence of dict
        Rows of the result tables.
    """
    key = dict.fromkeys(_ANALYSES) | {"standardise": resolved.study.standardise or "none"}
    return [key | row for row in _sentences(resolved, quality, rows)]


def _sentences(
    resolved: ResolvedStudy, quality: Mapping[str, AudioQuality], rows: Mapping[str, Sequence[Row]]
) -> Iterator[Row]:
    for selection in resolved.selections:
        sentences = [*describe_copies(rows["copies"], selection.recordings)]
        if resolved.study.channel == "mix":
            sentences += describe_channels(quality, selection.recordings)
        for kind, text in sentences:
            yield {"experiment": selection.experiment.name, "kind": kind, "text": text}
    shown = {(encoder.info.name, resolved.shown_variant(name)) for name, encoder in resolved.encoders.items()}
    for curve in _group(rows["summary"], ("experiment", "encoder", "variant")):
        if (curve[0]["encoder"], curve[0]["variant"]) in shown:
            for kind, text in describe_lengths(curve):
                key = {name: curve[0][name] for name in ("experiment", "encoder", "variant")}
                yield key | {"kind": kind, "text": text}
    for best in rows["best_variants"]:
        for kind, text in describe_best_variant(best):
            key = {name: best[name] for name in ("experiment", "encoder", "snippet_s")}
            yield key | {"variant": best["variant"] or None, "kind": kind, "text": text}


def _group(rows: Sequence[Row], columns: Sequence[str]) -> list[list[Row]]:
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in columns), []).append(row)
    return list(groups.values())
