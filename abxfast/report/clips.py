"""Clips of the listening lists, for a page that is carried away from its recordings."""

from __future__ import annotations

import base64
import logging
from typing import TYPE_CHECKING, Any, NamedTuple

from abxfast.audio import encode_clip, parse_channel
from abxfast.errors import AudioError
from abxfast.report.findings import chosen_analyses

if TYPE_CHECKING:
    from abxfast.results import Results

logger = logging.getLogger(__name__)

MAX_CLIP_S = 5.0
"""Seconds of a longer snippet that its clip has."""
_MAX_CLIPS = 200
"""Clips of a page, which are about 25 kB each."""


class Snippet(NamedTuple):
    """A snippet of a listening list: path relative to the results folder, start and end in seconds."""

    path: str
    start_s: float
    end_s: float


def encode_clips(results: Results) -> tuple[list[dict[str, Any]], dict[Snippet, int]]:
    """Return clips of the listening lists of the default variants, those of the analyses shown first before others.

    If there are more than 200 snippets, pairs with higher scores come first.

    Returns
    -------
    clips : list of dict
        A data URI and the duration in seconds of each.
    numbers : dict of Snippet to int
        The clip of each snippet that has one.
    """
    channel = parse_channel(results.run.get("channel", "mix"))
    clips: list[dict[str, Any]] = []
    numbers: dict[Snippet, int] = {}
    unreadable: set[str] = set()
    snippets = _snippets(results)
    for snippet in snippets:
        if len(clips) == _MAX_CLIPS:
            logger.warning(
                "the page has clips of %d snippets of %d; the others need the original recordings",
                _MAX_CLIPS,
                len(snippets),
            )
            break
        if snippet.path in unreadable:
            continue
        seconds = min(MAX_CLIP_S, snippet.end_s - snippet.start_s)
        try:
            audio = encode_clip(results.folder / snippet.path, snippet.start_s, seconds, channel=channel)
        except AudioError as error:
            unreadable.add(snippet.path)
            logger.warning("no clips: %s", error)
            continue
        numbers[snippet] = len(clips)
        clips.append({"uri": f"data:audio/ogg;base64,{base64.b64encode(audio).decode()}", "seconds": seconds})
    return clips, numbers


def _snippets(results: Results) -> list[Snippet]:
    """Return the distinct snippets of the default variants, the most wanted first."""
    listening, pairs = results.shown("listening"), results.shown("pairs")
    keys = dict.fromkeys([*chosen_analyses(results), *listening])
    snippets: dict[Snippet, None] = {}
    for key in keys:
        if key not in listening:
            continue
        rows = pairs[key].select(["a", "b", "score"]).to_pylist()
        score = {(row["a"], row["b"]): row["score"] or 0.0 for row in rows}
        listed = listening[key].to_pylist()
        listed.sort(key=lambda row: -score.get((row["a"], row["b"]), 0.0))
        snippets |= {Snippet(row["path"], row["start_s"], row["end_s"]): None for row in listed if row["path"]}
    return list(snippets)
