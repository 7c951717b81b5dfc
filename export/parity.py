"""Parity: what an encoder's vectors have in common with those of PyTorch on the original checkpoint."""

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
from abxfast.export.checkpoint import PREPROCESSOR
from abxfast.scoring import score_embeddings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from abxfast.export.calibration_audio import Material
    from abxfast.export.checkpoint import Checkpoint

logger = logging.getLogger(__name__)

LENGTHS_S = (1.0, 5.0, 10.0, 20.0)
PER_HALF = 23
"""Snippets of each half: 23 · 22 · 23 = 11,638 triplets a cell."""
MIN_HOP_S = 0.1
"""Between two snippets; more alike than that they say nothing new."""


class Row(NamedTuple):
    """The parity of one variant at one snippet length.

    Attributes
    ----------
    variant : str
    snippet_s : float
    difference : float
        Greatest |Δ| over greatest |reference|.
    angle : float
        Greatest 1 − cos of a vector with its reference.
    drift, drift95 : float
        Mean and 95th percentile of (1 − cos(vector, reference)) / mean distance between snippets.
    abx : float
        Greatest change of an ABX score.
    """

    variant: str
    snippet_s: float
    difference: float
    angle: float
    drift: float
    drift95: float
    abx: float


def cut(material: Material, length_s: float) -> NDArray[np.float32] | None:
    """Cut `PER_HALF` snippets of one length out of each half, evenly spread; None where a half is too short.

    Returns
    -------
    ndarray of float32, shape (2 · PER_HALF, samples), or None
    """
    samples = round(length_s * SAMPLE_RATE_HZ)
    snippets = []
    for half in material.halves:
        last = len(half) - samples
        if last < (PER_HALF - 1) * MIN_HOP_S * SAMPLE_RATE_HZ:
            return None
        starts = np.linspace(0, last, PER_HALF).astype(int)
        snippets += [half[start : start + samples] for start in starts]
    return np.stack(snippets)


class Reference:
    """PyTorch in fp32, on the original checkpoint, whole.

    Parameters
    ----------
    checkpoint : Checkpoint
    layers, poolings : sequences
        Of the variants.

    Raises
    ------
    ExportError
        Where transformers cannot load it, or had to fill in weights.
    """

    def __init__(self, checkpoint: Checkpoint, layers: Sequence[int], poolings: Sequence[str]) -> None:
        import torch
        from transformers import AutoModel
        from transformers.utils import logging as chatter

        chatter.set_verbosity_error()  # type: ignore[no-untyped-call]
        try:
            model, told = AutoModel.from_pretrained(
                checkpoint.folder, local_files_only=True, output_loading_info=True, dtype=torch.float32
            )
            self._extract = _extractor(checkpoint)
        except Exception as error:
            reason = shorten(str(error) or type(error).__name__, 200, placeholder=" …")
            raise ExportError(
                f"{checkpoint.source}: transformers, which the encoder is checked against, cannot load it ({reason})"
            ) from error
        filled = [name for name in told["missing_keys"] if "masked_spec_embed" not in name]
        if filled:
            raise ExportError(f"{checkpoint.source}: transformers finds no {filled[0]} and would fill in noise")
        self._model = model.eval()
        self._layers, self._poolings = layers, poolings

    def __call__(self, wave: NDArray[np.float32]) -> NDArray[np.float64]:
        """Give the vectors of one snippet, float64 ``(variants, hidden)``."""
        import torch

        with torch.inference_mode():
            states = self._model(torch.from_numpy(self._extract(wave))[None], output_hidden_states=True).hidden_states
        rows = []
        for layer in self._layers:
            frames = states[layer][0].numpy().astype(np.float64)
            rows += [getattr(frames, pooling)(axis=0) for pooling in self._poolings]
        return np.stack(rows)


def _extractor(checkpoint: Checkpoint) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """Give what brings a waveform to what the model takes: transformers' own, where the checkpoint has its settings."""
    if (checkpoint.folder / PREPROCESSOR).is_file():
        from transformers import AutoFeatureExtractor

        extractor: Any = AutoFeatureExtractor
        extractor = extractor.from_pretrained(checkpoint.folder, local_files_only=True)
        return lambda wave: extractor(wave, sampling_rate=SAMPLE_RATE_HZ).input_values[0].astype(np.float32)
    if not checkpoint.normalise:
        return lambda wave: wave
    return lambda wave: ((wave - wave.mean()) / np.sqrt(wave.var() + 1e-7)).astype(np.float32)


class References(NamedTuple):
    """Snippets of one length, and what PyTorch gives for them."""

    snippet_s: float
    waves: NDArray[np.float32]
    vectors: NDArray[np.float64]


def references(reference: Reference, material: Material) -> list[References]:
    """Run PyTorch over the snippets of each length that the material is long enough for."""
    found, left_out = [], []
    for length_s in LENGTHS_S:
        waves = cut(material, length_s)
        if waves is None:
            left_out.append(f"{length_s:g}")
            continue
        logger.info("reference: PyTorch on %d snippets of %g s", len(waves), length_s)
        found.append(References(length_s, waves, np.stack([reference(wave) for wave in waves])))
    if left_out:
        logger.warning("parity: the audio is too short to check snippets of %s s", ", ".join(left_out))
    return found


def measure(path: Path, wanted: Sequence[References]) -> list[Row]:
    """Hold an encoder file against the references, row by variant and length."""
    encoder = Encoder(path, "cpu")
    rows = []
    for reference in wanted:
        with ThreadPoolExecutor(usable_threads()) as pool:
            vectors = np.concatenate(list(pool.map(lambda wave: encoder.encode(wave[None]), reference.waves)))
        for i, variant in enumerate(encoder.info.variants):
            rows.append(_row(variant, reference.snippet_s, vectors[:, i].astype(np.float64), reference.vectors[:, i]))
    return rows


def _row(variant: str, snippet_s: float, vectors: NDArray[np.float64], exact: NDArray[np.float64]) -> Row:
    unit, unit_exact = _unit(vectors), _unit(exact)
    off = 1 - (unit * unit_exact).sum(axis=1)
    distances = 1 - unit_exact @ unit_exact.T
    apart = distances[np.triu_indices(len(exact), 1)].mean()
    drift = off / max(float(apart), np.finfo(np.float64).tiny)
    labels = {"half": np.repeat(["first", "second"], len(exact) // 2)}
    scores = [
        np.array(score_embeddings(np.ascontiguousarray(v), labels, on="half").table["score"]) for v in (vectors, exact)
    ]
    return Row(
        variant,
        snippet_s,
        float(np.abs(vectors - exact).max() / np.abs(exact).max()),
        float(off.max()),
        float(drift.mean()),
        float(np.percentile(drift, 95)),
        float(np.abs(scores[0] - scores[1]).max()),
    )


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: NDArray[np.float64] = vectors / np.maximum(norms, np.finfo(np.float64).tiny)
    return unit


def to_metadata(rows: Sequence[Row], name: str) -> dict[str, object]:
    """Give the report as an encoder's metadata keeps it."""
    kept = [{key: float(f"{v:.3g}") if isinstance(v, float) else v for key, v in row._asdict().items()} for row in rows]
    return {"against": "PyTorch fp32 on the original checkpoint", "audio": name, "rows": kept}
