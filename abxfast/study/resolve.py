"""A study file checked against the manifest, the recordings and the encoders that it names, before anything runs."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from abxfast import audio
from abxfast.encoders import open_encoder
from abxfast.errors import AudioError, EncoderError
from abxfast.manifest import Item, Manifest, load_manifest
from abxfast.study.selection import Selection, select
from abxfast.study.toml_lines import suggest
from abxfast.study.toml_table import to_study_keys

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from abxfast.encoders import EncoderInfo
    from abxfast.study.config import Study


@dataclass(frozen=True)
class EncoderSummary:
    """What a study needs to know of an encoder that was opened and closed again: it may name several large ones.

    Attributes
    ----------
    path : Path
    info : EncoderInfo
    sha256 : str
        Of the file.
    dim : int
        Dimensions of a vector.
    """

    path: Path
    info: EncoderInfo
    sha256: str
    dim: int


@dataclass(frozen=True)
class ResolvedStudy:
    """A study together with everything that it names.

    Attributes
    ----------
    study : Study
    manifest : Manifest
    files : dict of str to AudioInfo or None
        By recording; None if the header cannot be read (embedding reports why).
    seconds : dict of str to float
        Duration of each item; 0 if the header cannot be read.
    encoders : dict of str to EncoderSummary
        By the name that the study uses.
    variants : dict of str to tuple of str
        Variants to score, by encoder.
    selections : tuple of Selection
        One per experiment.
    """

    study: Study
    manifest: Manifest
    files: dict[str, audio.AudioInfo | None]
    seconds: dict[str, float]
    encoders: dict[str, EncoderSummary]
    variants: dict[str, tuple[str, ...]]
    selections: tuple[Selection, ...]

    @property
    def recordings(self) -> tuple[str, ...]:
        """The recordings of all experiments, in order of first appearance."""
        return tuple(dict.fromkeys(name for selection in self.selections for name in selection.recordings))

    def shown_variant(self, encoder: str) -> str:
        """Return the variant of an encoder that sentences are about: its default, or the first one that is scored."""
        default, variants = self.encoders[encoder].info.default_variant, self.variants[encoder]
        return default if default in variants else variants[0]


def resolve(study: Study, provider: str = "auto") -> ResolvedStudy:
    """Look up everything that a study names, and check that the study can be carried out.

    Raises
    ------
    AbxfastError
        With the line of the study file, if an experiment selects nothing, ON has a single value, a column is missing or
        mostly empty, a length exceeds every recording or what an encoder takes, or an encoder lacks a variant.
    """
    manifest = load_manifest(study.source)
    paths = {item.recording: item.path for item in manifest.items}
    files = {recording: _probe(path) for recording, path in paths.items()}
    seconds = {item.item: _duration_s(item, files[item.recording]) for item in manifest.items}
    selections = tuple(select(study, experiment, manifest, seconds) for experiment in study.experiments)
    encoders = _open_encoders(study, provider)
    variants = {name: _variants(study, encoder) for name, encoder in encoders.items()}
    for pattern in study.variants:
        if pattern != "default" and not any(_matching(pattern, encoder) for encoder in encoders.values()):
            known = [variant for encoder in encoders.values() for variant in encoder.info.variants]
            raise study.document.error(
                ("study", "variants"), f"variants: no encoder has {pattern!r}; {suggest(pattern, known)}"
            )
    _check_lengths(study, encoders.values())
    return ResolvedStudy(study, manifest, files, seconds, encoders, variants, selections)


def _probe(path: Path) -> audio.AudioInfo | None:
    try:
        return audio.probe(path)
    except AudioError:
        return None


def _duration_s(item: Item, info: audio.AudioInfo | None) -> float:
    file_s = info.duration_s if info else 0.0
    end_s = min(item.end_s, file_s) if item.end_s is not None and file_s else item.end_s or file_s
    return max(0.0, end_s - (item.start_s or 0.0))


def _open_encoders(study: Study, provider: str) -> dict[str, EncoderSummary]:
    encoders: dict[str, EncoderSummary] = {}
    names: dict[str, str] = {}
    for name in study.encoders:
        try:
            opened = open_encoder(name, provider)
        except EncoderError as error:
            if str(error).startswith("`provider`"):  # not a matter of the study file
                raise
            message = to_study_keys(str(error).removeprefix("`encoder`: "))
            raise study.document.error(("study", "encoders"), f"encoders: {message}") from error
        encoder = EncoderSummary(opened.path, opened.info, opened.sha256, opened.dim)
        other = names.setdefault(encoder.info.name, name)
        if other != name:
            raise study.document.error(
                ("study", "encoders"),
                f"encoders: {other} and {name} both have the name {encoder.info.name!r}, by which tables distinguish "
                "encoders; remove one, or export it under another name",
            )
        encoders[name] = encoder
    return encoders


def _check_lengths(study: Study, encoders: Iterable[EncoderSummary]) -> None:
    """Refuse snippets that are longer than an encoder takes."""
    for experiment in study.experiments:
        for length_s in experiment.snippets:
            for encoder in encoders:
                reason = None if length_s is None else encoder.info.describe_too_long(length_s)
                if reason:
                    experiment_key = (*experiment.key, "snippets")
                    raise study.document.error(
                        experiment_key if experiment_key in study.document.lines else ("study", "snippets"),
                        f"snippets: found {length_s:g}, but {reason}; choose shorter snippets, or remove the encoder",
                    )


def _matching(pattern: str, encoder: EncoderSummary) -> list[str]:
    if pattern == "default":
        return [encoder.info.default_variant]
    return [variant for variant in encoder.info.variants if fnmatchcase(variant, pattern)]


def _variants(study: Study, encoder: EncoderSummary) -> tuple[str, ...]:
    variants = tuple(dict.fromkeys(variant for pattern in study.variants for variant in _matching(pattern, encoder)))
    if not variants:
        raise study.document.error(
            ("study", "variants"),
            f"variants: encoder {encoder.info.name!r} has none of {', '.join(study.variants)}; it has "
            f'{", ".join(encoder.info.variants)}; name one, or add "default"',
        )
    return variants
