"""Checkpoints: published models, in a folder or on the Hugging Face hub, and what they declare about themselves."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from abxfast.errors import ExportError
from abxfast.export.architecture import SAMPLE_RATE_HZ
from abxfast.export.checkpoint_files import CONFIG, MODEL_CARD, PREPROCESSOR, find_weights, read_json
from abxfast.export.families import read_architecture
from abxfast.export.hub import download_weights, fetch_description

if TYPE_CHECKING:
    from abxfast.export.architecture import Architecture


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint on this machine.

    Attributes
    ----------
    source : str
        Id on the hub, or name of the folder.
    revision : str
        Commit on the hub; empty for a folder.
    folder : Path
    architecture : Architecture
    normalise : bool
        Whether the model takes waveforms of zero mean and unit variance.
    normalise_from : str
        Source of `normalise`: a file, or the rule that is used without one.
    licence : str
        Licence according to the model card; empty if it names none.
    weights : tuple of Path
        The files that hold the weights; empty before `fetch_weights`.
    """

    source: str
    revision: str
    folder: Path
    architecture: Architecture
    normalise: bool
    normalise_from: str
    licence: str
    weights: tuple[Path, ...] = ()

    def sha256(self) -> str:
        """Return the SHA-256 of the file of weights; of several files, that of their concatenated digests."""
        digests = []
        for path in self.weights:
            with path.open("rb") as file:
                digests.append(hashlib.file_digest(file, "sha256"))
        if len(digests) == 1:
            return digests[0].hexdigest()
        return hashlib.sha256(b"".join(digest.digest() for digest in digests)).hexdigest()


def describe_checkpoint(source: str, revision: str | None = None, pad_s: float = 0.0) -> Checkpoint:
    """Find a checkpoint and read all of it but the weights, which are not fetched yet.

    Parameters
    ----------
    source : str
        A folder with config.json and weights, or an id on the Hugging Face hub such as
        ``facebook/wav2vec2-large-xlsr-53``. Models that were fetched before need no network.
    revision : str, optional
        Branch, tag or commit on the hub.
    pad_s : float
        Seconds to which shorter snippets are to be padded; 0 for none.

    Raises
    ------
    ExportError
        If there is no such checkpoint, or it is of an unsupported type, or takes no such padding.
    """
    folder, commit = _locate(source, revision)
    architecture = read_architecture(read_json(folder / CONFIG), f"{source}: {CONFIG}")
    architecture = replace(architecture, pad_samples=_pad_samples(architecture, pad_s))
    normalise, normalise_from = _read_normalisation(folder, architecture, source)
    return Checkpoint(
        source=source if commit else folder.resolve().name,
        revision=commit,
        folder=folder,
        architecture=architecture,
        normalise=normalise,
        normalise_from=normalise_from,
        licence=_read_licence(folder),
    )


def fetch_weights(checkpoint: Checkpoint) -> Checkpoint:
    """Find the files of weights of a checkpoint, after fetching them if it is on the hub.

    Returns
    -------
    Checkpoint
        With `Checkpoint.weights`.

    Raises
    ------
    ExportError
        If there are none, or they cannot be fetched.
    """
    if checkpoint.revision:
        download_weights(checkpoint.source, checkpoint.revision)
    return replace(checkpoint, weights=find_weights(checkpoint.folder, checkpoint.source))


def _locate(source: str, revision: str | None) -> tuple[Path, str]:
    """Return the folder of a checkpoint and its commit on the hub, empty for a folder of the user."""
    folder = Path(source)
    if folder.is_dir():
        if revision:
            raise ExportError(f"`revision='{revision}'`: {source} is a folder, which has no revisions; omit it")
        if not (folder / CONFIG).is_file():
            raise ExportError(f"{source}: no {CONFIG}; expected the folder of a checkpoint")
        return folder, ""
    if folder.exists() or not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", source):
        raise ExportError(f"{source}: neither a folder nor an id on the Hugging Face hub such as owner/name")
    return fetch_description(source, revision)


def _pad_samples(architecture: Architecture, pad_s: float) -> int:
    n_samples, most = round(pad_s * SAMPLE_RATE_HZ), architecture.most_samples
    if n_samples and most is None:
        raise ExportError(f"`pad_s={pad_s:g}`: {architecture.model_type} was not trained on padded snippets; omit it")
    if most is not None and n_samples > most:
        raise ExportError(f"`pad_s={pad_s:g}`: the model takes at most {most / SAMPLE_RATE_HZ:g} s")
    return n_samples


def _read_normalisation(folder: Path, architecture: Architecture, source: str) -> tuple[bool, str]:
    """Return whether the model takes normalised waveforms, and where that is declared."""
    path = folder / PREPROCESSOR
    file = f"{source}: {PREPROCESSOR}"
    settings = read_json(path) if path.is_file() else None
    rate_hz = SAMPLE_RATE_HZ if settings is None else settings.get("sampling_rate", SAMPLE_RATE_HZ)
    if rate_hz != SAMPLE_RATE_HZ:
        raise ExportError(f"{file}: sampling_rate is {rate_hz}, expected {SAMPLE_RATE_HZ}")
    return architecture.read_preprocessor(settings, file)


def _read_licence(folder: Path) -> str:
    """Return the licence in the front matter of the model card."""
    card = folder / MODEL_CARD
    if not card.is_file():
        return ""
    text = card.read_text(encoding="utf-8-sig", errors="replace")
    front_matter = re.match(r"---\s*\n(.*?)\n---", text, re.DOTALL)
    entry = re.search(r"^license:(.*(?:\n\s*-.*)*)", front_matter[1], re.MULTILINE) if front_matter else None
    value = re.sub(r"\s#.*", "", entry[1]) if entry else ""
    return ", ".join(word for part in re.split(r"[\n,]", value) if (word := part.strip("[] -'\"\t")))
