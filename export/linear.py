"""Linear layers of the graph, each in the precision that it is to run in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from abxfast.export.graph import CONTRIB, FLOAT, FLOAT16

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from abxfast.export.graph import Graph

MIN_PEAK = 1e-20
"""Lower bound of the maximum of a frame by which it is divided."""
INT8_MAX = 127
"""Weights are symmetric signed int8: the only ones for which every processor has fast kernels."""


class LinearLayer(NamedTuple):
    """A product with a constant matrix, and a bias.

    Attributes
    ----------
    name : str
        Such as ``blocks.3.ffn2``.
    weight : ndarray of float32, shape (inner, outer)
    bias : ndarray of float32, shape (outer,), or None
    """

    name: str
    weight: NDArray[np.float32]
    bias: NDArray[np.float32] | None


class QuantizedWeight(NamedTuple):
    """A matrix in int8, whose value is ``weight · scale``.

    Attributes
    ----------
    weight : ndarray of int8, shape (inner, outer)
    scale : ndarray of float32, shape (outer,)
    """

    weight: NDArray[np.int8]
    scale: NDArray[np.float32]


def round_to_nearest(weight: NDArray[np.float32]) -> QuantizedWeight:
    """Round a matrix ``(inner, outer)`` to int8, with a scale for each column."""
    scale = np.abs(weight).max(axis=0) / INT8_MAX
    scale[scale == 0] = 1
    return QuantizedWeight(np.round(weight / scale).astype(np.int8), scale.astype(np.float32))


class LayerRecord(NamedTuple):
    """The layers of a graph that share an input, and the values around them.

    Attributes
    ----------
    value : str
        The input.
    layers : list of LinearLayer
    fp16_values : list of str
        Values that are in float16 if the layers are: the input, and the products with and without bias.
    queries_keys : tuple of str
        Queries and keys, if the layers compute these.
    """

    value: str
    layers: list[LinearLayer]
    fp16_values: list[str]
    queries_keys: tuple[str, ...] = ()


@dataclass
class LinearLayers:
    """Adds linear layers to a graph, and optionally records them.

    Attributes
    ----------
    precision : str
        ``fp32``, ``fp16`` or ``int8``: of every layer whose input is not in `fp32_inputs`.
    fp32_inputs : frozenset of str
        Names of inputs (``blocks.3.qkv``) whose layers stay in fp32.
    quantized : mapping of str to QuantizedWeight
        Weights in int8 by the name of the layer. Others are rounded to nearest.
    records : dict of str to LayerRecord, or None
        Filled with the layers that are added in fp32, by the name of the input; None to record nothing.
    row_scaled : frozenset of str
        Kinds of inputs (``ffn2``) of which each frame is divided by its maximum before it is quantized.
    fp16_values : set of str
        Filled with the values that are in float16; all others are in float32.
    """

    precision: str = "fp32"
    fp32_inputs: frozenset[str] = frozenset()
    quantized: Mapping[str, QuantizedWeight] = field(default_factory=dict)
    records: dict[str, LayerRecord] | None = None
    row_scaled: frozenset[str] = frozenset()
    fp16_values: set[str] = field(default_factory=set)

    def precision_of(self, name: str) -> str:
        """Return the precision of the layers on an input."""
        return "fp32" if name in self.fp32_inputs else self.precision

    def add(self, g: Graph, value: str, layers: Sequence[LinearLayer], name: str) -> list[str]:
        """Add layers that share an input.

        Parameters
        ----------
        g : Graph
        value : str
            The input, ``[..., inner]``.
        layers : sequence of LinearLayer
        name : str
            Name of the input.

        Returns
        -------
        list of str
            Outputs ``[..., outer]``, in float16 if the precision is fp16; see `to_float32`.
        """
        precision = self.precision_of(name)
        if precision == "int8" and name.rpartition(".")[2] in self.row_scaled:
            return self._add_row_scaled(g, value, layers)
        if precision == "int8":
            uint8_input = quantize_dynamically(g, value)
            return [self.add_int8(g, uint8_input, layer) for layer in layers]
        if precision == "fp16":
            half = value if value in self.fp16_values else g("Cast", value, to=FLOAT16)
            outputs = [_add_product(g, half, layer, np.float16)[-1] for layer in layers]
            self.fp16_values.update(outputs)
            return outputs
        value = self.to_float32(g, value)
        products = [_add_product(g, value, layer, np.float32) for layer in layers]
        if self.records is not None:
            fp16_values = [value, *(output for product in products for output in product)]
            self.records[name] = LayerRecord(value, list(layers), fp16_values)
        return [product[-1] for product in products]

    def add_unfolded(self, g: Graph, value: str, layer: LinearLayer, unfold: Callable[[str], str]) -> str:
        """Add a layer on an unfolded value; int8 is unfolded after quantization, which moves a quarter of the bytes."""
        if self.precision_of(layer.name) == "int8":
            value, scale, zero_point = quantize_dynamically(g, value)
            return self.add_int8(g, (unfold(value), scale, zero_point), layer)
        return self.add(g, unfold(value), [layer], layer.name)[0]

    def add_int8(self, g: Graph, value: tuple[str, str, str], layer: LinearLayer) -> str:
        """Add a layer in int8 on a uint8 value, given with its scale and zero point."""
        weight, scale = self.quantized.get(layer.name) or round_to_nearest(layer.weight)
        return g(
            "MatMulIntegerToFloat",
            value[0],
            g.constant(weight, np.int8),
            value[1],
            g.constant(scale, np.float32),
            value[2],
            "",
            "" if layer.bias is None else g.constant(layer.bias, np.float32),
            domain=CONTRIB,
        )

    def _add_row_scaled(self, g: Graph, value: str, layers: Sequence[LinearLayer]) -> list[str]:
        """Add layers in int8 on an input of which each frame has a scale of its own.

        Quantization has a single scale for all frames of a snippet. A frame with a value a hundred times as large as
        those of the others, which trained transformers have, would leave hardly a step for these.
        """
        peaks = g("Max", g("ReduceMax", g("Abs", value), g.vector(-1)), g.constant(MIN_PEAK, np.float32))
        uint8_input = quantize_dynamically(g, g("Div", value, peaks))
        outputs = []
        for layer in layers:
            product = g("Mul", self.add_int8(g, uint8_input, layer._replace(bias=None)), peaks)
            outputs.append(product if layer.bias is None else g("Add", product, g.constant(layer.bias, np.float32)))
        return outputs

    def to_float32(self, g: Graph, value: str) -> str:
        """Return a value in float32."""
        return g("Cast", value, to=FLOAT) if value in self.fp16_values else value

    def mark_same_type(self, value: str, other: str) -> str:
        """Record that a value has the type of another, and return it."""
        if other in self.fp16_values:
            self.fp16_values.add(value)
        return value


def quantize_dynamically(g: Graph, value: str) -> tuple[str, str, str]:
    """Return a value in uint8, its scale and its zero point, all computed at run time."""
    quantized, scale, zero_point = g.op("DynamicQuantizeLinear", value, outputs=3)
    return quantized, scale, zero_point


def _add_product(g: Graph, value: str, layer: LinearLayer, dtype: type) -> list[str]:
    """Add a layer; return the product without its bias, if it has one, and the output."""
    product = g("MatMul", value, g.constant(layer.weight, dtype))
    return [product] if layer.bias is None else [product, g("Add", product, g.constant(layer.bias, dtype))]
