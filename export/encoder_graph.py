"""The whole encoder as one ONNX model: waveform, front end, blocks, pooling."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from onnx import helper

from abxfast.encoders import INPUT_NAME, OUTPUT_NAME
from abxfast.export.frontend import normalise_waves
from abxfast.export.graph import Graph, value_info
from abxfast.export.linear import LinearLayers, QuantizedWeight
from abxfast.export.transformer import Transformer

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import onnx
    from numpy.typing import NDArray

    from abxfast.export.architecture import Architecture

CHUNK_FRAMES = 25
"""Frames (half a second) that the front end computes at once on a CPU."""


@dataclass(frozen=True)
class GraphOptions:
    """The choices by which two graphs of one checkpoint differ.

    Attributes
    ----------
    layers : tuple of int
        Hidden states in the output, ascending.
    poolings : tuple of str
        Of ``max``, ``mean`` and ``std``.
    precision : str
        ``fp32``, ``fp16`` or ``int8``.
    fp32_inputs : frozenset of str
        Inputs whose linear layers stay in fp32.
    smoothing : mapping of str to ndarray of float32
        Scales of the channels of inputs of linear layers.
    quantized : mapping of str to QuantizedWeight
        Weights in int8, by the name of the linear layer.
    chunk_frames : int
        Frames that the front end computes at once; 0 for all.
    """

    layers: tuple[int, ...]
    poolings: tuple[str, ...] = ("max",)
    precision: str = "fp32"
    fp32_inputs: frozenset[str] = frozenset()
    smoothing: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    quantized: Mapping[str, QuantizedWeight] = field(default_factory=dict)
    chunk_frames: int = CHUNK_FRAMES

    @property
    def variants(self) -> tuple[str, ...]:
        """Names of the vectors, in the order of the output."""
        return tuple(f"layer{layer}.{pooling}" for layer in self.layers for pooling in self.poolings)


def build_encoder(
    architecture: Architecture, weights: Mapping[str, NDArray[np.float32]], options: GraphOptions, *, normalise: bool
) -> onnx.ModelProto:
    """Build the model, without metadata.

    Parameters
    ----------
    architecture : Architecture
    weights : mapping of str to ndarray of float32
        See `read_weights`.
    options : GraphOptions
    normalise : bool
        Whether waveforms are normalised to zero mean and unit variance first.

    Returns
    -------
    onnx.ModelProto
        Input ``input_values`` float32 ``[batch, samples]``; output ``embeddings`` float32
        ``[batch, variants, hidden]``.
    """
    g = Graph()
    wave = normalise_waves(g, INPUT_NAME) if normalise else INPUT_NAME
    layers = LinearLayers(options.precision, options.fp32_inputs, options.quantized, row_scaled=architecture.row_scaled)
    snippet_frames = architecture.add_snippet_frames(g, wave)
    hidden = architecture.add_front_end(g, wave, weights, layers, options.chunk_frames)
    transformer = Transformer(architecture, weights, layers, options.smoothing)
    pooled = []
    for layer in range(max(options.layers) + 1):
        if layer:
            hidden = transformer.block(g, hidden, layer - 1)
        if layer in options.layers:
            state = transformer.last_norm(g, hidden) if layer == architecture.n_blocks else hidden
            if snippet_frames is not None:
                state = g.slice(state, g.vector(0), snippet_frames, 1)
            pooled += [_pool(g, state, pooling) for pooling in options.poolings]
    g.nodes.append(helper.make_node("Concat", pooled, [OUTPUT_NAME], axis=1))
    return g.model(
        "abxfast",
        [value_info(INPUT_NAME, ["batch", "samples"])],
        [value_info(OUTPUT_NAME, ["batch", len(options.variants), architecture.hidden_size])],
    )


def _pool(g: Graph, frames: str, pooling: str) -> str:
    """Pool ``[batch, frames, hidden]`` to ``[batch, 1, hidden]``."""
    time = g.vector(1)
    if pooling == "max":
        return g("ReduceMax", frames, time)
    mean = g("ReduceMean", frames, time)
    if pooling == "mean":
        return mean
    deviation = g("Sub", frames, mean)
    return g("Sqrt", g("ReduceMean", g("Mul", deviation, deviation), time))
