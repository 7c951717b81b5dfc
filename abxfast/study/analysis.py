"""One analysis of a study: an experiment with one encoder, variant and snippet length."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from abxfast.audio import QUALITY_MEASURES
from abxfast.study.selection import Selection, value_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from abxfast.audio import AudioQuality
    from abxfast.encoders import EncoderInfo
    from abxfast.results import Row


@dataclass(frozen=True)
class Analysis:
    """What is scored, and how.

    Attributes
    ----------
    selection : Selection
    encoder : EncoderInfo
    dim : int
        Dimensions of a vector.
    variant : str
    length_s : float or None
        Snippet length; None means whole items.
    paths : mapping of str to str
        Path of each recording, relative to the results folder.
    quality : mapping of str to AudioQuality
        Of each recording.
    n_variants : int
        Number of variants of the encoder that the study scores.
    has_sentences : bool
        Whether the results are put in words.
    left_out : tuple of str
        Why rows of the selection are missing, one sentence each.
    permutations, seed : int
    margin : float
    standardise : str or None
        See `Study`, like the three above.
    """

    selection: Selection
    encoder: EncoderInfo
    dim: int
    variant: str
    length_s: float | None
    paths: Mapping[str, str]
    quality: Mapping[str, AudioQuality]
    n_variants: int
    has_sentences: bool
    left_out: tuple[str, ...]
    permutations: int
    seed: int
    margin: float
    standardise: str | None

    @property
    def key(self) -> Row:
        """The columns that every result table begins with."""
        return {
            "experiment": self.selection.experiment.name,
            "encoder": self.encoder.name,
            "variant": self.variant,
            "snippet_s": self.length_s,
            "standardise": self.standardise or "none",
        }

    def __str__(self) -> str:
        """Return the experiment, encoder, variant and length in one line, for messages."""
        length = "whole items" if self.length_s is None else f"{self.length_s:g} s"
        return f"{self.selection.experiment.name}, {self.encoder.name} {self.variant}, {length}"

    def describe(self) -> dict[str, Any]:
        """Return everything that the rows of the tables depend on besides the vectors, as plain values for JSON."""
        experiment = self.selection.experiment
        columns = (*experiment.task.labels, *experiment.different, *experiment.classify)
        return {
            "key": self.key,
            "experiment": asdict(experiment),
            "rows": [
                [item.item, item.recording, *(value_of(item, name) for name in columns)]
                for item in self.selection.items
            ],
            "quality": {
                recording: [getattr(self.quality[recording], name) for name in QUALITY_MEASURES]
                for recording in self.selection.recordings
            },
            "paths": {recording: self.paths[recording] for recording in self.selection.recordings},
            "left_out": self.left_out,
            "n_variants": self.n_variants,
            "has_sentences": self.has_sentences,
            "dim": self.dim,
            "frames": [self.encoder.sample_rate_hz, self.encoder.least_samples, self.encoder.frame_hop_samples],
            "permutations": self.permutations,
            "seed": self.seed,
            "margin": self.margin,
        }
