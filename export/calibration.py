"""Calibration: int8 weights and smoothing scales from real audio, and what each of them costs in accuracy."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from abxfast.export.linear import LinearLayers, QuantizedWeight
from abxfast.export.rounding import MIN_POWER, GptqRounder, smoothing_scales
from abxfast.export.stages import run_stage, run_stages
from abxfast.export.transformer import Transformer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from abxfast.export.architecture import Architecture
    from abxfast.export.linear import LinearLayer

logger = logging.getLogger(__name__)

LOSS_WAVES = 2
"""Waveforms on which `quantization_loss` is measured."""
SMOOTHING_FRAMES = 512
"""Frames on which the strength of smoothing is chosen."""


class Calibration(NamedTuple):
    """Result of `calibrate`.

    Attributes
    ----------
    smoothing : dict of str to ndarray of float32
        Scales of the channels, by the name of the input.
    quantized : dict of str to QuantizedWeight
        Weights in int8, by the name of the linear layer.
    hidden_peaks : list of float
        Maximum |x| of each hidden state, from 0 on.
    input_peaks : dict of str to float
        Maximum |x| in any frame of the inputs, constants and outputs of the linear layers on an input; attention scores
        count as outputs of ``qkv``. Empty if weights are quantized, since measuring is slow.
    """

    smoothing: dict[str, NDArray[np.float32]]
    quantized: dict[str, QuantizedWeight]
    hidden_peaks: list[float]
    input_peaks: dict[str, float]


def calibrate(
    architecture: Architecture,
    weights: Mapping[str, NDArray[np.float32]],
    waves: Sequence[NDArray[np.float32]],
    n_blocks: int,
    *,
    normalise: bool,
    quantize: bool = True,
) -> Calibration:
    """Run a checkpoint in fp32 over audio, stage by stage, and quantize the weights of each stage for its inputs.

    Parameters
    ----------
    architecture : Architecture
    weights : mapping of str to ndarray of float32
        See `read_weights`.
    waves : sequence of ndarray of float32, shape (samples,)
        16 kHz mono.
    n_blocks : int
        Blocks that the encoder keeps.
    normalise : bool
        Whether waveforms are normalised to zero mean and unit variance first.
    quantize : bool
        Whether weights are quantized; otherwise only peaks are measured.

    Returns
    -------
    Calibration
    """
    result = Calibration({}, {}, [], {})
    stages = run_stages(architecture, weights, waves, n_blocks, normalise=normalise, measure_peaks=not quantize)
    for i, stage in enumerate(stages):
        result.hidden_peaks.append(max(float(np.abs(value).max()) for value in stage.outputs))
        for name, (x, layers, peak) in stage.layer_inputs.items():
            if quantize:
                _quantize(result, name, x, layers, folded=_smoothing_is_folded(name, architecture))
                continue
            constants = [value for layer in layers for value in (layer.weight, layer.bias) if value is not None]
            result.input_peaks[name] = max(peak, *(float(np.abs(value).max()) for value in constants))
        if quantize:
            logger.info("quantized stage %d of %d", i, n_blocks)
    return result


def quantization_loss(
    architecture: Architecture,
    weights: Mapping[str, NDArray[np.float32]],
    waves: Sequence[NDArray[np.float32]],
    n_blocks: int,
    calibration: Calibration,
    *,
    normalise: bool,
) -> dict[str, float]:
    """Measure the loss of quantizing the layers on each input, with the rest of their stage in fp32.

    Parameters
    ----------
    architecture, weights, waves, n_blocks, normalise
        As for `calibrate`; only the first `LOSS_WAVES` waveforms are used.
    calibration : Calibration

    Returns
    -------
    dict of str to float
        Share of the power of the stage's output that is lost, by the name of the input.
    """
    losses: dict[str, float] = {}
    stages = run_stages(architecture, weights, waves[:LOSS_WAVES], n_blocks, normalise=normalise)
    for i, stage in enumerate(stages):
        names = [*stage.layer_inputs, *(() if i else architecture.convolution_inputs)]
        power = sum(float(np.square(value - value.mean(axis=1, keepdims=True)).sum()) for value in stage.outputs)
        for name in names:
            layers = LinearLayers(
                "int8", frozenset(names) - {name}, calibration.quantized, row_scaled=architecture.row_scaled
            )
            transformer = Transformer(architecture, weights, layers, calibration.smoothing)
            outputs, _ = run_stage(stage.add, transformer, layers, stage.inputs)
            error = sum(float(np.square(a - b).sum()) for a, b in zip(outputs, stage.outputs, strict=True))
            losses[name] = error / max(power, MIN_POWER)
    return losses


def _smoothing_is_folded(name: str, architecture: Architecture) -> bool | None:
    """Return whether smoothing an input costs nothing at run time; None if it cannot be smoothed."""
    kind = name.rpartition(".")[2]
    if kind not in ("qkv", "out", "ffn1", "ffn2"):
        return None
    return kind == "out" or (kind in ("qkv", "ffn1") and architecture.pre_norm)


def _quantize(
    result: Calibration, name: str, x: NDArray[np.float32], layers: list[LinearLayer], *, folded: bool | None
) -> None:
    """Choose smoothing and int8 weights of the layers on an input, and add them to the result."""
    if folded is not None:
        weight = np.concatenate([layer.weight for layer in layers], axis=1)
        scale = smoothing_scales(_representative_frames(x), weight, folded=folded)
        if scale is not None:
            result.smoothing[name] = scale
            x = x / scale
            if name.endswith(".out"):  # the value projection, already quantized, is divided: its scales change
                value_name = name.removesuffix("out") + "v"
                weight8, columns = result.quantized[value_name]
                result.quantized[value_name] = QuantizedWeight(weight8, columns / scale)
            layers = [layer._replace(weight=layer.weight * scale[:, None]) for layer in layers]
    rounder = GptqRounder(x)
    for layer in layers:
        result.quantized[layer.name] = rounder.round(layer.weight)


def _representative_frames(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return evenly spaced frames, and for each channel the one of its peak.

    A single frame with an outlier sets the quantization step of all frames of its snippet.
    """
    rows = np.union1d(np.arange(0, len(x), max(1, len(x) // SMOOTHING_FRAMES)), np.abs(x).argmax(axis=0))
    frames: NDArray[np.float32] = x[rows]
    return frames
