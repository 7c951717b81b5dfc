"""The pieces that a study is made of: recordings measured, steps scored; each known by all that it depends on."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from abxfast._version import __version__
from abxfast.audio import decoding as audio
from abxfast.audio.quality import Levels, measure
from abxfast.study.analysis import Step
from abxfast.study.embedding_jobs import done, fits, left_out
from abxfast.study.results_folder import Partial, relative

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from abxfast.store.store import Store
    from abxfast.study.selection import Material


@dataclass(frozen=True)
class Piece:
    """A step, and what it is kept under.

    Attributes
    ----------
    encoder : str
        As the study names it.
    step : Step
    title : str
    depends_on : list
        As JSON.
    """

    encoder: str
    step: Step
    title: str
    depends_on: list[Any]


def make_pieces(
    material: Material, stores: Mapping[str, Store], levels: Mapping[str, Levels], folder: Path
) -> list[Piece]:
    """Give the steps of a study, in its order: by experiment, encoder, length and variant."""
    there = {name: done(store, material) for name, store in stores.items()}
    paths = {item.recording: relative(item.path, folder) for item in material.manifest.items}
    pieces = []
    for selection in material.selections:
        for name, encoder in material.encoders.items():
            for length in selection.experiment.snippets:
                keys = {item.item: there[name].get((item.item, length)) for item in selection.items}
                notes = left_out(material, selection, length)
                failed = sum(keys[item.item] is None and fits(material, item, length) for item in selection.items)
                if failed:
                    notes = (*notes, f"{failed} row{'s' * (failed > 1)} could not be embedded")
                for variant in material.variants[name]:
                    step = Step(
                        selection,
                        encoder.info,
                        encoder.dim,
                        variant,
                        length,
                        paths,
                        levels,
                        notes,
                        material.study.permutations,
                        material.study.seed,
                    )
                    depends_on = [__version__, encoder.sha256, keys, step.describe()]
                    pieces.append(
                        Piece(name, step, f"{selection.experiment.name}-{encoder.info.name}-{variant}", depends_on)
                    )
    return pieces


def measure_recordings(material: Material, kept: Partial) -> dict[str, Levels]:
    """Measure every recording that takes part, or take what an earlier run measured."""
    channel = audio.parse_channel(material.study.channel)
    return {
        recording: Levels(**kept.get("recording", depends_on, partial(_measured, path, channel)))
        for recording, path, depends_on in _recordings(material)
    }


def known_levels(material: Material, kept: Partial) -> dict[str, Levels] | None:
    """Give what an earlier run measured, if it measured them all."""
    if not all(kept.has("recording", depends_on) for _, _, depends_on in _recordings(material)):
        return None
    return measure_recordings(material, kept)


def _recordings(material: Material) -> Iterator[tuple[str, Path, list[Any]]]:
    channel = audio.parse_channel(material.study.channel)
    files = {item.recording: item.path for selection in material.selections for item in selection.items}
    for recording, path in files.items():
        stat = path.stat()
        yield recording, path, [__version__, recording, stat.st_size, stat.st_mtime_ns, channel]


def _measured(path: Path, channel: int | None) -> dict[str, Any]:
    return asdict(measure(path, channel))
