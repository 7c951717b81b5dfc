"""The pieces that a study is made of: recordings measured, steps scored; each known by all that it depends on."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from abxfast import audio
from abxfast._files import relative_path
from abxfast._version import __version__
from abxfast.audio import AudioQuality, measure_quality
from abxfast.study.analysis import Analysis
from abxfast.study.embedding_jobs import exclusion_notes, fits, stored_entries

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from abxfast.store import Store
    from abxfast.study.results_folder import ResultCache
    from abxfast.study.selection import ResolvedStudy


@dataclass(frozen=True)
class CachedAnalysis:
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
    step: Analysis
    title: str
    depends_on: list[Any]


def make_analyses(
    material: ResolvedStudy, stores: Mapping[str, Store], levels: Mapping[str, AudioQuality], folder: Path
) -> list[CachedAnalysis]:
    """Give the steps of a study, in its order: by experiment, encoder, length and variant."""
    there = {name: stored_entries(store, material) for name, store in stores.items()}
    paths = {item.recording: relative_path(item.path, folder) for item in material.manifest.items}
    pieces = []
    for selection in material.selections:
        for name, encoder in material.encoders.items():
            for length in selection.experiment.snippets:
                keys = {item.item: there[name].get((item.item, length)) for item in selection.items}
                notes = exclusion_notes(material, selection, length)
                failed = sum(keys[item.item] is None and fits(material, item, length) for item in selection.items)
                if failed:
                    notes = (*notes, f"{failed} row{'s' * (failed > 1)} could not be embedded")
                for variant in material.variants[name]:
                    step = Analysis(
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
                        CachedAnalysis(
                            name, step, f"{selection.experiment.name}-{encoder.info.name}-{variant}", depends_on
                        )
                    )
    return pieces


def measure_recordings(material: ResolvedStudy, kept: ResultCache) -> dict[str, AudioQuality]:
    """Measure every recording that takes part, or take what an earlier run measured."""
    channel = audio.parse_channel(material.study.channel)
    return {
        recording: AudioQuality(**kept.get("recording", depends_on, partial(_measured, path, channel)))
        for recording, path, depends_on in _recordings(material)
    }


def known_levels(material: ResolvedStudy, kept: ResultCache) -> dict[str, AudioQuality] | None:
    """Give what an earlier run measured, if it measured them all."""
    if not all(kept.has("recording", depends_on) for _, _, depends_on in _recordings(material)):
        return None
    return measure_recordings(material, kept)


def _recordings(material: ResolvedStudy) -> Iterator[tuple[str, Path, list[Any]]]:
    channel = audio.parse_channel(material.study.channel)
    files = {item.recording: item.path for selection in material.selections for item in selection.items}
    for recording, path in files.items():
        stat = path.stat()
        yield recording, path, [__version__, recording, stat.st_size, stat.st_mtime_ns, channel]


def _measured(path: Path, channel: int | None) -> dict[str, Any]:
    return asdict(measure_quality(path, channel))
