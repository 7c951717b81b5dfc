"""What a study still needs embedded: audio, disk space, and time on this machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from abxfast.store import is_store, open_store
from abxfast.study.embedding_jobs import missing_snippets, store_path
from abxfast.study.throughput import encoding_speeds

if TYPE_CHECKING:
    from pathlib import Path

    from abxfast.manifest import Item
    from abxfast.study.embedding_jobs import ItemLength
    from abxfast.study.resolve import EncoderSummary, ResolvedStudy

_ROW_BYTES = 60
"""Bytes of a snippet in a store, besides its vectors."""


@dataclass
class EmbeddingEstimate:
    """What is left to embed, summed over the encoders of a study.

    Attributes
    ----------
    total_s, left_s : float
        Seconds of audio that the encoders take in altogether, and of that, what is not in the stores yet.
    disk_bytes : int
        What the stores will grow by.
    embed_s : float
        Time left on this machine, in seconds.
    speeds : dict of str to float
        Speed of each encoder, × real time; 0 if it has nothing left to embed.
    """

    total_s: float = 0.0
    left_s: float = 0.0
    disk_bytes: int = 0
    embed_s: float = 0.0
    speeds: dict[str, float] = field(default_factory=dict)

    @property
    def share_done(self) -> float:
        """Share of the audio that is in the stores already."""
        return 1 - self.left_s / self.total_s if self.total_s else 1.0


def estimate_embedding(
    resolved: ResolvedStudy, folder: Path, required: list[ItemLength], provider: str, threads: int
) -> EmbeddingEstimate:
    """Estimate what is left to embed, measuring the speed of each encoder that has something left.

    Parameters
    ----------
    resolved : ResolvedStudy
    folder : Path
        The results folder.
    required : list of (Item, float or None)
        As `required_snippets` returns it.
    provider : str
    threads : int
    """
    estimate = EmbeddingEstimate()
    total_s = sum(encoded_s(resolved, item, length) for item, length in required)
    estimate.total_s = total_s * len(resolved.encoders)
    for name, encoder in resolved.encoders.items():
        path = store_path(resolved, name, folder)
        if is_store(path):
            open_store(path)  # raises if it is damaged
        missing = missing_snippets(resolved, encoder, path, required)
        n_snippets = sum(count_snippets(resolved, item, length) for item, length in missing)
        estimate.disk_bytes += n_snippets * _snippet_bytes(encoder)
        audio_s = [(length, encoded_s(resolved, item, length)) for item, length in missing]
        left_s = sum(seconds for _, seconds in audio_s)
        estimate.left_s += left_s
        estimate.speeds[encoder.info.name] = 0.0
        if missing:
            lengths = {length for length, _ in audio_s}
            speeds = encoding_speeds(name, provider, lengths, _median_s(resolved), threads)
            embed_s = sum(seconds / speeds[length] for length, seconds in audio_s)
            estimate.embed_s += embed_s
            estimate.speeds[encoder.info.name] = left_s / embed_s if embed_s else 0.0
    return estimate


def count_snippets(resolved: ResolvedStudy, item: Item, length: float | None) -> int:
    """Return the number of snippets of a row at one length, estimated from its header."""
    seconds = resolved.seconds[item.item]
    if length is None or not seconds:
        return 1
    hop = resolved.study.hop_s or length
    if seconds < length:
        return 1 if resolved.study.remainder == "keep" else 0
    return int((seconds - length) / hop + 1e-9) + 1


def encoded_s(resolved: ResolvedStudy, item: Item, length: float | None) -> float:
    """Return the seconds of audio that an encoder takes in for a row at one length."""
    return count_snippets(resolved, item, length) * (resolved.seconds[item.item] if length is None else length)


def _snippet_bytes(encoder: EncoderSummary) -> int:
    return encoder.dim * 4 * len(encoder.info.variants) + _ROW_BYTES


def _median_s(resolved: ResolvedStudy) -> float:
    return float(np.median([seconds for seconds in resolved.seconds.values() if seconds] or [1.0]))
