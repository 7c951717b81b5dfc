"""The whole encoder: waveform, front end, blocks, pooling, as one ONNX model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from onnx import helper

from abxfast.encoders import INPUT_NAME, OUTPUT_NAME
from abxfast.export.frontend import FrontEnd, normalised
from abxfast.export.graph import Graph, value_info
from abxfast.export.linear import Linears, Rounded
from abxfast.export.transformer import Transformer

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import onnx
    from numpy.typing import NDArray

    from abxfast.export.architecture import Architecture

POOLINGS = ("max", "mean", "std")
CHUNK = 25
"""Frames, half a second, that the front end takes at once on a processor."""


@dataclass(frozen=True)
class Recipe:
    """What makes two graphs of one checkpoint differ.

    Attributes
    ----------
    layers : tuple of int
        Hidden states that are put out, ascending.
    poolings : tuple of str
        Of `POOLINGS`.
    precision : str
        ``fp32``, ``fp16`` or ``int8``.
    kept : frozenset of str
        Inputs of linear layers that stay in fp32.
    smoothing : mapping of str to ndarray of float32
        Scales of the channels of inputs of linear layers.
    rounded : mapping of str to Rounded
        Weights in int8, by the name of the linear layer.
    chunk : int
        Frames that the front end takes at once; 0 for all.
    """

    layers: tuple[int, ...]
    poolings: tuple[str, ...] = ("max",)
    precision: str = "fp32"
    kept: frozenset[str] = frozenset()
    smoothing: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    rounded: Mapping[str, Rounded] = field(default_factory=dict)
    chunk: int = CHUNK

    @property
    def variants(self) -> tuple[str, ...]:
        """Names of the vectors, in the order of the output."""
        return tuple(f"layer{layer}.{pooling}" for layer in self.layers for pooling in self.poolings)


def build(
    shape: Architecture, weights: Mapping[str, NDArray[np.float32]], recipe: Recipe, *, normalise: bool
) -> onnx.ModelProto:
    """Build the model, without metadata.

    Parameters
    ----------
    shape : Architecture
    weights : mapping of str to ndarray of float32
        See `read_weights`.
    recipe : Recipe
    normalise : bool
        Whether a waveform is brought to zero mean and unit variance first.

    Returns
    -------
    onnx.ModelProto
        Input ``input_values`` float32 ``[batch, samples]``; output ``embeddings`` float32
        ``[batch, variants, hidden]``.
    """
    g = Graph()
    wave = normalised(g, INPUT_NAME) if normalise else INPUT_NAME
    linears = Linears(recipe.precision, recipe.kept, recipe.rounded)
    hidden = FrontEnd(shape, weights, linears, recipe.chunk).put(g, wave)
    transformer = Transformer(shape, weights, linears, recipe.smoothing)
    hidden = transformer.embed(g, hidden)
    pooled = []
    for layer in range(max(recipe.layers) + 1):
        if layer:
            hidden = transformer.block(g, hidden, layer - 1)
        if layer in recipe.layers:
            state = transformer.last_norm(g, hidden) if layer == shape.layers else hidden
            pooled += [_pooled(g, state, pooling) for pooling in recipe.poolings]
    g.nodes.append(helper.make_node("Concat", pooled, [OUTPUT_NAME], axis=1))
    return g.model(
        "abxfast",
        [value_info(INPUT_NAME, ["batch", "samples"])],
        [value_info(OUTPUT_NAME, ["batch", len(recipe.variants), shape.hidden])],
    )


def _pooled(g: Graph, frames: str, pooling: str) -> str:
    """Pool ``[batch, frames, hidden]`` to ``[batch, 1, hidden]``."""
    time = g.ints(1)
    if pooling == "max":
        return g("ReduceMax", frames, time)
    mean = g("ReduceMean", frames, time)
    if pooling == "mean":
        return mean
    off = g("Sub", frames, mean)
    return g("Sqrt", g("ReduceMean", g("Mul", off, off), time))
