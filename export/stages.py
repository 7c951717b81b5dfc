"""A checkpoint run in fp32 over audio, one stage after another, with the inputs of its linear layers recorded.

A stage is the front end, or one block. At most one stage's weights and inputs are held at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from abxfast.encoders import INPUT_NAME
from abxfast.export.frontend import normalise_waves
from abxfast.export.graph import Graph, value_info
from abxfast.export.linear import LinearLayers
from abxfast.export.transformer import Transformer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from abxfast.export.architecture import Architecture
    from abxfast.export.linear import LayerRecord, LinearLayer

    AddStage = Callable[[Graph, Transformer, LinearLayers], str]

MAX_FRAMES = 6_000
"""Frames of each input that are kept."""


class LayerInput(NamedTuple):
    """The input of some linear layers.

    Attributes
    ----------
    x : ndarray of float32, shape (frames, inner)
        At most `MAX_FRAMES` frames of it, over all waveforms.
    layers : list of LinearLayer
    peak : float
        Maximum |x|, in any frame, of what would be in float16 if the layers were; 0 unless measured.
    """

    x: NDArray[np.float32]
    layers: list[LinearLayer]
    peak: float


class Stage(NamedTuple):
    """A stage that was run in fp32.

    Attributes
    ----------
    add : callable
        Adds the stage to a graph and returns the name of its output.
    inputs, outputs : list of ndarray of float32
        Of each waveform.
    layer_inputs : dict of str to LayerInput
        By the name of the input.
    """

    add: AddStage
    inputs: list[NDArray[np.float32]]
    outputs: list[NDArray[np.float32]]
    layer_inputs: dict[str, LayerInput]


def run_stages(
    architecture: Architecture,
    weights: Mapping[str, NDArray[np.float32]],
    waves: Sequence[NDArray[np.float32]],
    n_blocks: int,
    *,
    normalise: bool,
    measure_peaks: bool = False,
) -> Iterator[Stage]:
    """Run front end and blocks in fp32, one after another.

    Parameters
    ----------
    architecture : Architecture
    weights : mapping of str to ndarray of float32
        See `read_weights`.
    waves : sequence of ndarray of float32, shape (samples,)
        16 kHz mono.
    n_blocks : int
    normalise : bool
        Whether waveforms are normalised to zero mean and unit variance first.
    measure_peaks : bool
        Whether `LayerInput.peak` is measured, which is slow.

    Yields
    ------
    Stage
        The front end, then `n_blocks` blocks.
    """

    def add_front_end(g: Graph, transformer: Transformer, layers: LinearLayers) -> str:  # noqa: ARG001
        wave = normalise_waves(g, INPUT_NAME) if normalise else INPUT_NAME
        return architecture.add_front_end(g, wave, weights, layers)

    inputs: list[NDArray[np.float32]] = [wave[None] for wave in waves]
    for stage in range(n_blocks + 1):

        def add_block(g: Graph, transformer: Transformer, layers: LinearLayers, i: int = stage - 1) -> str:  # noqa: ARG001
            return transformer.block(g, INPUT_NAME, i)

        add = add_block if stage else add_front_end
        layers = LinearLayers(records={})
        transformer = Transformer(architecture, weights, layers, {})
        outputs, layer_inputs = run_stage(add, transformer, layers, inputs, measure_peaks=measure_peaks)
        yield Stage(add, inputs, outputs, layer_inputs)
        inputs = outputs


def run_stage(
    add: AddStage,
    transformer: Transformer,
    layers: LinearLayers,
    inputs: Sequence[NDArray[np.float32]],
    *,
    measure_peaks: bool = False,
) -> tuple[list[NDArray[np.float32]], dict[str, LayerInput]]:
    """Run one stage over each of its inputs.

    Returns
    -------
    outputs : list of ndarray of float32
    layer_inputs : dict of str to LayerInput
        Of the layers that `layers` recorded.
    """
    import onnxruntime

    g = Graph()
    output = add(g, transformer, layers)
    records = layers.records or {}
    peak_values = {name: _add_peaks(g, transformer, records[name]) if measure_peaks else [] for name in records}
    recorded = [
        *(record.value for record in records.values()),
        *(peak for some in peak_values.values() for peak in some),
    ]
    names = list(dict.fromkeys([output, *recorded]))
    model = g.model(
        "stage", [value_info(INPUT_NAME, [None] * inputs[0].ndim)], [value_info(name, None) for name in names]
    )
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    del model
    outputs: list[NDArray[np.float32]] = []
    frames: dict[str, list[NDArray[np.float32]]] = {name: [] for name in records}
    peaks = dict.fromkeys(records, 0.0)
    max_frames = max(1, MAX_FRAMES // len(inputs))
    for value in inputs:
        values = dict(zip(names, session.run(None, {INPUT_NAME: value}), strict=True))
        outputs.append(values[output])
        for name, record in records.items():
            rows = values[record.value].reshape(-1, values[record.value].shape[-1])
            frames[name].append(rows[:: max(1, -(-len(rows) // max_frames))].copy())
            peaks[name] = max([peaks[name], *(float(values[peak].max()) for peak in peak_values[name])])
    return outputs, {
        name: LayerInput(np.concatenate(frames[name]), record.layers, peaks[name]) for name, record in records.items()
    }


def _add_peaks(g: Graph, transformer: Transformer, record: LayerRecord) -> list[str]:
    """Add the maximum |x| of each value that would be in float16 if the layers were."""
    values = list(record.fp16_values)
    if record.queries_keys:
        values.append(transformer.attention_scores(g, *record.queries_keys))
    return [g("ReduceMax", g("Abs", value)) for value in values]
