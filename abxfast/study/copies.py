"""Recordings of a study that hold the same audio, and recordings whose channels cancel each other."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from abxfast.audio import find_audio_copies
from abxfast.store import find_byte_copies
from abxfast.study.wording import is_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from abxfast.audio import AudioQuality
    from abxfast.results import Row
    from abxfast.store import Store
    from abxfast.study.results_folder import ResultCache
    from abxfast.study.wording import Sentences

_MAX_NAMED = 4
"""Groups of copies, and recordings of each, that a sentence names."""


def copy_rows(stores: Iterable[Store], quality: Mapping[str, AudioQuality], cache: ResultCache) -> list[Row]:
    """Return a row per pair of recordings that hold the same audio, byte for byte or up to their encoding.

    Parameters
    ----------
    stores : iterable of Store
        Of the study, for the hashes of files.
    quality : mapping of str to AudioQuality
        By recording.
    cache : ResultCache
        Keeps what comparing all pairs of fingerprints yields.
    """
    same_bytes = sorted({pair for store in stores for pair in find_byte_copies(store) if quality.keys() >= set(pair)})
    duplicates = {copy for _, copy in same_bytes}
    distinct = {name: measured for name, measured in quality.items() if name not in duplicates and measured.seconds}
    fingerprints = {name: measured.fingerprint for name, measured in distinct.items()}

    def compare() -> list[Row]:
        seconds = {name: measured.seconds for name, measured in distinct.items()}
        return [asdict(copy) for copy in find_audio_copies(fingerprints, seconds)]

    same_audio: list[Row] = cache.get("copies", sorted(fingerprints.items()), compare)
    return [
        *({"recording": a, "other": b, "kind": "bytes", "correlation": 1.0} for a, b in same_bytes),
        *({"kind": "audio"} | row for row in same_audio),
    ]


def describe_copies(copies: Sequence[Row], recordings: Sequence[str]) -> Sentences:
    """Describe which recordings of an experiment hold the same audio.

    Parameters
    ----------
    copies : sequence of dict
        Rows of the table ``copies``.
    recordings : sequence of str
        The recordings of the experiment.
    """
    for kind, how in (("bytes", "byte for byte"), ("audio", "up to codec and level")):
        edges = [(row["recording"], row["other"]) for row in copies if row["kind"] == kind]
        groups = list(_connected([pair for pair in edges if set(pair) <= set(recordings)], recordings))
        if not groups:
            continue
        named = "; ".join(_enumerate(group) for group in groups[:_MAX_NAMED])
        more = f"; and {len(groups) - _MAX_NAMED} more groups (table copies)" if len(groups) > _MAX_NAMED else ""
        yield (
            "copy",
            (
                f"These recordings hold the same audio, {how}: {named}{more}. They count as independent recordings in "
                "intervals and tests, which they are not."
            ),
        )


def _connected(edges: Sequence[tuple[str, str]], recordings: Sequence[str]) -> Iterator[list[str]]:
    """Yield the groups of recordings that are connected, each in the order of `recordings`."""
    group = {name: name for edge in edges for name in edge}
    for a, b in edges:
        old, new = group[b], group[a]
        group = {name: new if root == old else root for name, root in group.items()}
    for root in dict.fromkeys(group[name] for name in recordings if name in group):
        yield [name for name in recordings if group.get(name) == root]


def _enumerate(names: Sequence[str]) -> str:
    shown = list(names[:_MAX_NAMED])
    if len(names) > _MAX_NAMED:
        shown[-1] = f"{len(names) - _MAX_NAMED + 1} more"
    return f"{', '.join(shown[:-1])} and {shown[-1]}"


def describe_channels(quality: Mapping[str, AudioQuality], recordings: Sequence[str]) -> Sentences:
    """Describe the recordings of an experiment whose channels cancel each other.

    Parameters
    ----------
    quality : mapping of str to AudioQuality
    recordings : sequence of str
        The recordings of the experiment.
    """
    cancelled = [name for name in recordings if "channels cancel" in quality[name].note]
    if cancelled:
        lowest = min((quality[name].mix_db for name in cancelled if is_number(quality[name].mix_db)), default=None)
        level = "" if lowest is None else f", down to {lowest:.0f} dB of a single channel"
        names = cancelled[0] if len(cancelled) == 1 else _enumerate(cancelled)
        yield (
            "cancellation",
            (
                f"The channels of {names} cancel each other{level}, so that little but noise is scored: set "
                "channel = 0 in the study file."
            ),
        )
