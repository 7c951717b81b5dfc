"""Parity: the vectors of an encoder compared with those of PyTorch on the original checkpoint."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from textwrap import shorten
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from abxfast._threads import usable_threads
from abxfast.encoders import Encoder
from abxfast.errors import ExportError
from abxfast.export.architecture import SAMPLE_RATE_HZ
from abxfast.export.checkpoint_files import PREPROCESSOR
from abxfast.scoring import score_embeddings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from abxfast.export.calibration_audio import CalibrationAudio
    from abxfast.export.checkpoint import Checkpoint

logger = logging.getLogger(__name__)

LENGTHS_S = (1.0, 5.0, 10.0, 20.0)
SNIPPETS_PER_HALF = 23
"""23 · 22 · 23 = 11,638 triplets in a cell."""
MIN_HOP_S = 0.1
"""Between the starts of two snippets; closer ones are too alike to add information."""


class ParityRow(NamedTuple):
    """The parity of one variant at one snippet length.

    Attributes
    ----------
    variant : str
    snippet_s : float
    difference : float
        Maximum |Δ| over maximum |reference|.
    angle : float
        Maximum 1 − cos of a vector and its reference.
    drift, drift95 : float
        Mean and 95th percentile of (1 − cos(vector, reference)) / mean distance between snippets.
    abx : float
        Maximum change of an ABX score.
    """

    variant: str
    snippet_s: float
    difference: float
    angle: float
    drift: float
    drift95: float
    abx: float


class ReferenceVectors(NamedTuple):
    """Snippets of one length, and the vectors that PyTorch computes for them.

    Attributes
    ----------
    snippet_s : float
    waves : ndarray of float32, shape (snippets, samples)
    vectors : ndarray of float64, shape (snippets, variants, hidden)
    """

    snippet_s: float
    waves: NDArray[np.float32]
    vectors: NDArray[np.float64]


class TorchReference:
    """The complete original checkpoint in PyTorch, in fp32.

    Parameters
    ----------
    checkpoint : Checkpoint
    layers : sequence of int
    poolings : sequence of str
        Of the variants.

    Raises
    ------
    ExportError
        If transformers cannot load the checkpoint, or would initialise missing weights.
    """

    def __init__(self, checkpoint: Checkpoint, layers: Sequence[int], poolings: Sequence[str]) -> None:
        import torch
        from transformers import AutoFeatureExtractor, AutoModel
        from transformers.utils import logging as transformers_logging

        transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
        try:
            model, loading_info = AutoModel.from_pretrained(
                checkpoint.folder, local_files_only=True, output_loading_info=True, dtype=torch.float32
            )
            extract: Any = AutoFeatureExtractor
            has_settings = (checkpoint.folder / PREPROCESSOR).is_file()
            extract = extract.from_pretrained(checkpoint.folder, local_files_only=True) if has_settings else None
        except Exception as error:
            reason = shorten(str(error) or type(error).__name__, 200, placeholder=" …")
            raise ExportError(
                f"{checkpoint.source}: transformers, the reference for encoders, cannot load it ({reason})"
            ) from error
        architecture = checkpoint.architecture
        prefix, is_unused = architecture.weight_prefix, architecture.unused_weights.match
        missing = [name for name in loading_info["missing_keys"] if not is_unused(name.removeprefix(prefix))]
        if missing:
            raise ExportError(
                f"{checkpoint.source}: transformers does not find {missing[0]}, and would initialise it at random"
            )
        self.states = architecture.reference(model.eval(), extract, normalise=checkpoint.normalise)
        self._layers, self._poolings = layers, poolings

    def __call__(self, wave: NDArray[np.float32]) -> NDArray[np.float64]:
        """Compute the vectors of one snippet: float64 ``(variants, hidden)``."""
        states = self.states(wave)
        vectors = []
        for layer in self._layers:
            frames = np.asarray(states[layer], np.float64)
            vectors += [getattr(frames, pooling)(axis=0) for pooling in self._poolings]
        return np.stack(vectors)


def compute_references(
    reference: TorchReference, audio: CalibrationAudio, most_samples: int | None = None
) -> list[ReferenceVectors]:
    """Compute the vectors of snippets of each of `LENGTHS_S` for which the audio, and the model, is long enough."""
    references, omitted = [], []
    for length_s in LENGTHS_S:
        if most_samples is not None and length_s * SAMPLE_RATE_HZ > most_samples:
            continue
        waves = cut_snippets(audio, length_s)
        if waves is None:
            omitted.append(f"{length_s:g}")
            continue
        logger.info("reference: PyTorch on %d snippets of %g s", len(waves), length_s)
        references.append(ReferenceVectors(length_s, waves, np.stack([reference(wave) for wave in waves])))
    if omitted:
        logger.warning("parity: the audio is too short to check snippets of %s s", ", ".join(omitted))
    return references


def cut_snippets(audio: CalibrationAudio, length_s: float) -> NDArray[np.float32] | None:
    """Cut evenly spaced snippets of one length from each half of the audio for the parity check.

    Returns
    -------
    ndarray of float32, shape (2 · SNIPPETS_PER_HALF, samples), or None
        None if a half is too short.
    """
    samples = round(length_s * SAMPLE_RATE_HZ)
    snippets = []
    for half in audio.parity_halves:
        last_start = len(half) - samples
        if last_start < (SNIPPETS_PER_HALF - 1) * MIN_HOP_S * SAMPLE_RATE_HZ:
            return None
        starts = np.linspace(0, last_start, SNIPPETS_PER_HALF).astype(int)
        snippets += [half[start : start + samples] for start in starts]
    return np.stack(snippets)


def measure_parity(path: Path, references: Sequence[ReferenceVectors]) -> list[ParityRow]:
    """Compare an encoder file with the references; return a row for each variant and length.

    Raises
    ------
    EncoderError
        If the file does not keep the encoder contract, or the graph fails.
    """
    encoder = Encoder(path, "cpu")
    rows = []
    for reference in references:
        with ThreadPoolExecutor(usable_threads()) as pool:
            vectors = np.concatenate(list(pool.map(lambda wave: encoder.encode(wave[None]), reference.waves)))
        for i, variant in enumerate(encoder.info.variants):
            rows.append(
                compare(variant, reference.snippet_s, vectors[:, i].astype(np.float64), reference.vectors[:, i])
            )
    return rows


def compare(variant: str, snippet_s: float, vectors: NDArray[np.float64], exact: NDArray[np.float64]) -> ParityRow:
    """Compare vectors with their references.

    Parameters
    ----------
    variant : str
    snippet_s : float
    vectors, exact : ndarray of float64, shape (snippets, hidden)
        As many snippets of the first half of the audio as of the second.
    """
    unit, unit_exact = _normalise(vectors), _normalise(exact)
    angles = 1 - (unit * unit_exact).sum(axis=1)
    distances = 1 - unit_exact @ unit_exact.T
    mean_distance = distances[np.triu_indices(len(exact), 1)].mean()
    drift = angles / max(float(mean_distance), np.finfo(np.float64).tiny)
    labels = {"half": np.repeat(["first", "second"], len(exact) // 2)}
    scores = [
        np.array(score_embeddings(np.ascontiguousarray(v), labels, on="half").table["score"]) for v in (vectors, exact)
    ]
    return ParityRow(
        variant,
        snippet_s,
        float(np.abs(vectors - exact).max() / np.abs(exact).max()),
        float(angles.max()),
        float(drift.mean()),
        float(np.percentile(drift, 95)),
        float(np.abs(scores[0] - scores[1]).max()),
    )


def parity_metadata(rows: Sequence[ParityRow], audio_name: str) -> dict[str, object]:
    """Return the report as it is kept in the metadata of an encoder."""
    rounded = [
        {key: float(f"{value:.3g}") if isinstance(value, float) else value for key, value in row._asdict().items()}
        for row in rows
    ]
    return {"against": "PyTorch fp32 on the original checkpoint", "audio": audio_name, "rows": rounded}


def _normalise(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: NDArray[np.float64] = vectors / np.maximum(norms, np.finfo(np.float64).tiny)
    return unit
