"""The parts that a study is computed in, analyses and measured recordings, each with everything that it depends on."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from abxfast import audio
from abxfast._files import relative_path
from abxfast._version import __version__
from abxfast.audio import AudioQuality, measure_quality
from abxfast.results import FORMAT
from abxfast.study.analysis import Analysis
from abxfast.study.embedding_jobs import exclusion_notes, fits, stored_entries

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from pathlib import Path

    from abxfast.store import Store
    from abxfast.study.resolve import ResolvedStudy
    from abxfast.study.results_folder import ResultCache
    from abxfast.study.selection import Selection


@dataclass(frozen=True)
class CachedAnalysis:
    """An analysis, and what its result is cached by.

    Attributes
    ----------
    encoder : str
        Name that the study uses.
    analysis : Analysis
    title : str
        Beginning of the file name.
    depends_on : list
        Plain values for JSON; a change of any of them is another result.
    """

    encoder: str
    analysis: Analysis
    title: str
    depends_on: list[Any]


def make_analyses(
    resolved: ResolvedStudy, stores: Mapping[str, Store], quality: Mapping[str, AudioQuality], folder: Path
) -> list[CachedAnalysis]:
    """Return the analyses of a study in its order: by experiment, encoder, length and variant.

    Parameters
    ----------
    resolved : ResolvedStudy
    stores : mapping of str to Store
        By encoder.
    quality : mapping of str to AudioQuality
        By recording.
    folder : Path
        The results folder.
    """
    stored = {name: stored_entries(store, resolved) for name, store in stores.items()}
    paths = {item.recording: relative_path(item.path, folder) for item in resolved.manifest.items}
    analyses = []
    for selection in resolved.selections:
        for name, encoder in resolved.encoders.items():
            for length in selection.experiment.snippets:
                keys = {item.item: stored[name].get((item.item, length)) for item in selection.items}
                notes = _left_out(resolved, selection, length, keys)
                for variant in resolved.variants[name]:
                    analysis = Analysis(
                        selection=selection,
                        encoder=encoder.info,
                        dim=encoder.dim,
                        variant=variant,
                        length_s=length,
                        paths=paths,
                        quality=quality,
                        n_variants=len(resolved.variants[name]),
                        has_sentences=variant == resolved.shown_variant(name),
                        left_out=notes,
                        permutations=resolved.study.permutations,
                        seed=resolved.study.seed,
                        margin=resolved.study.margin,
                        standardise=resolved.study.standardise,
                    )
                    title = f"{selection.experiment.name}-{encoder.info.name}-{variant}"
                    depends_on = [__version__, FORMAT, encoder.sha256, keys, analysis.describe()]
                    analyses.append(CachedAnalysis(name, analysis, title, depends_on))
    return analyses


def _left_out(
    resolved: ResolvedStudy, selection: Selection, length: float | None, keys: Mapping[str, str | None]
) -> tuple[str, ...]:
    """Return why rows are missing; `keys` are those of the entries in the store, None for a row without one."""
    notes = exclusion_notes(resolved, selection, length)
    failed = sum(keys[item.item] is None and fits(resolved, item, length) for item in selection.items)
    return (*notes, f"{failed} row{'s' * (failed > 1)} could not be embedded") if failed else notes


def measure_recordings(
    resolved: ResolvedStudy,
    cache: ResultCache,
    crashed: Collection[str] = (),
    begin: Callable[[str, int, int], None] | None = None,
) -> dict[str, AudioQuality]:
    """Measure the audio quality of every recording that takes part, or read it from the cache.

    Parameters
    ----------
    resolved : ResolvedStudy
    cache : ResultCache
    crashed : collection of str
        Recordings that are not decoded, since an earlier run crashed on them.
    begin : callable, optional
        Called before each recording that is not cached: with its name, the number of those done, and of all.
    """
    channel = audio.parse_channel(resolved.study.channel)
    recordings = list(_recordings(resolved))
    quality = {}
    for number, (recording, path, depends_on) in enumerate(recordings):
        if recording in crashed:
            quality[recording] = AudioQuality(note="decoding it crashed")
            continue
        if begin and not cache.has("recording", depends_on):
            begin(recording, number, len(recordings))
        quality[recording] = AudioQuality(**cache.get("recording", depends_on, partial(_measure, path, channel)))
    return quality


def cached_quality(resolved: ResolvedStudy, cache: ResultCache) -> dict[str, AudioQuality] | None:
    """Return the audio quality of every recording if all of it is in the cache; otherwise, None."""
    if not all(cache.has("recording", depends_on) for _, _, depends_on in _recordings(resolved)):
        return None
    return measure_recordings(resolved, cache)


def _recordings(resolved: ResolvedStudy) -> Iterator[tuple[str, Path, list[Any]]]:
    """Yield the name and path of every recording that takes part, and what its measures depend on."""
    channel = audio.parse_channel(resolved.study.channel)
    paths = {item.recording: item.path for selection in resolved.selections for item in selection.items}
    for recording, path in paths.items():
        stat = path.stat()
        yield recording, path, [__version__, recording, stat.st_size, stat.st_mtime_ns, channel]


def _measure(path: Path, channel: int | None) -> dict[str, Any]:
    return asdict(measure_quality(path, channel))
