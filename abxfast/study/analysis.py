"""One analysis of a study: an experiment with one encoder, variant and snippet length."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

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
    variant : str
    length_s : float or None
    paths : dict of str to str
        Of each recording, as seen from the results folder.
    levels : dict of str to Levels
        Of each recording.
    left_out : tuple of str
        Why rows of the selection are missing, in words.
    permutations, seed : int
    """

    selection: Selection
    encoder: EncoderInfo
    dim: int
    variant: str
    length_s: float | None
    paths: Mapping[str, str]
    levels: Mapping[str, AudioQuality]
    left_out: tuple[str, ...]
    permutations: int
    seed: int

    @property
    def key(self) -> Row:
        """The columns that every table of results begins with."""
        return {
            "experiment": self.selection.experiment.name,
            "encoder": self.encoder.name,
            "variant": self.variant,
            "snippet_s": self.length_s,
        }

    def __str__(self) -> str:
        """Name it for a line on the terminal."""
        length = "whole items" if self.length_s is None else f"{self.length_s:g} s"
        return f"{self.selection.experiment.name}, {self.encoder.name} {self.variant}, {length}"

    def describe(self) -> dict[str, Any]:
        """Give all that the rows depend on besides the vectors, as JSON."""
        experiment = self.selection.experiment
        needed = (*experiment.task.labels, *experiment.different, *experiment.classify)
        rows = [
            [item.item, item.recording, *(value_of(item, name) for name in needed)] for item in self.selection.items
        ]
        levels = {recording: asdict(self.levels[recording]) for recording in self.selection.recordings}
        return {
            "key": self.key,
            "experiment": asdict(experiment),
            "rows": rows,
            "levels": levels,
            "paths": {recording: self.paths[recording] for recording in self.selection.recordings},
            "left_out": self.left_out,
            "dim": self.dim,
            "frames": [self.encoder.sample_rate_hz, self.encoder.least_samples, self.encoder.frame_hop_samples],
            "permutations": self.permutations,
            "seed": self.seed,
        }
