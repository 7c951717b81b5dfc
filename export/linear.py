"""Linear layers of the graph, in the precision that each is to run in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from abxfast.export.graph import CONTRIB, FLOAT, FLOAT16

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from abxfast.export.graph import Graph

INT8_MAX = 127
"""Weights are symmetric signed int8: the only ones that the fast kernels of every processor take."""


class Linear(NamedTuple):
    """A product with a constant matrix.

    Attributes
    ----------
    name : str
        ``blocks.3.ffn2``.
    weight : ndarray of float32, shape (inner, outer)
    bias : ndarray of float32, shape (outer,), or None
    """

    name: str
    weight: NDArray[np.float32]
    bias: NDArray[np.float32] | None


class Rounded(NamedTuple):
    """A matrix in int8: ``weight · scale``.

    Attributes
    ----------
    weight : ndarray of int8, shape (inner, outer)
    scale : ndarray of float32, shape (outer,)
    """

    weight: NDArray[np.int8]
    scale: NDArray[np.float32]


def nearest(weight: NDArray[np.float32]) -> Rounded:
    """Round a matrix ``(inner, outer)`` to int8, column by column, each weight by itself."""
    scale = np.abs(weight).max(axis=0) / INT8_MAX
    scale[scale == 0] = 1
    return Rounded(np.round(weight / scale).astype(np.int8), scale.astype(np.float32))


class Watched(NamedTuple):
    """What a graph holds of the layers on an input.

    Attributes
    ----------
    value : str
        The input.
    layers : list of Linear
    numbers : list of str
        Values that are in float16 where the layers are: the input, and products with and without bias.
    attention : tuple of str
        Queries and keys, where that is what the layers give.
    """

    value: str
    layers: list[Linear]
    numbers: list[str]
    attention: tuple[str, ...] = ()


@dataclass
class Linears:
    """Puts linear layers into a graph, and takes note of what it put there.

    Attributes
    ----------
    precision : str
        ``fp32``, ``fp16`` or ``int8``: of every layer whose input `kept` does not name.
    kept : frozenset of str
        Names of inputs (``blocks.3.qkv``) whose layers stay in fp32.
    rounded : mapping of str to Rounded
        Weights in int8 by the name of the layer; `nearest` for those that it lacks.
    watched : dict of str to Watched, or None
        Filled with what is put into the graph, by the name of the input; None where nobody asks.
    halves : set of str
        Filled with the values that are in float16; all others are in float32.
    """

    precision: str = "fp32"
    kept: frozenset[str] = frozenset()
    rounded: Mapping[str, Rounded] = field(default_factory=dict)
    watched: dict[str, Watched] | None = None
    halves: set[str] = field(default_factory=set)

    def of(self, name: str) -> str:
        """Give the precision of the layers on an input."""
        return "fp32" if name in self.kept else self.precision

    def put(self, g: Graph, value: str, layers: Sequence[Linear], name: str) -> list[str]:
        """Put layers that share an input ``[..., inner]``, and give their outputs ``[..., outer]``.

        In fp16 these are in float16; see `full`.
        """
        precision = self.of(name)
        if precision == "int8":
            rounded = _rounded(g, value)
            return [self.integer(g, rounded, layer) for layer in layers]
        if precision == "fp16":
            half = value if value in self.halves else g("Cast", value, to=FLOAT16)
            outputs = [_product(g, half, layer, np.float16)[-1] for layer in layers]
            self.halves.update(outputs)
            return outputs
        value = self.full(g, value)
        products = [_product(g, value, layer, np.float32) for layer in layers]
        if self.watched is not None:
            numbers = [value, *(number for product in products for number in product)]
            self.watched[name] = Watched(value, list(layers), numbers)
        return [product[-1] for product in products]

    def full(self, g: Graph, value: str) -> str:
        """Give a value in float32."""
        return g("Cast", value, to=FLOAT) if value in self.halves else value

    def like(self, value: str, other: str) -> str:
        """Take note that a value is of the type of another."""
        if other in self.halves:
            self.halves.add(value)
        return value

    def convolve(self, g: Graph, value: str, layer: Linear, views: Callable[[str], str]) -> str:
        """Put a layer on views of a value; in int8 they are laid out after rounding, at a quarter of the traffic."""
        if self.of(layer.name) == "int8":
            value, scale, zero = _rounded(g, value)
            return self.integer(g, (views(value), scale, zero), layer)
        return self.put(g, views(value), [layer], layer.name)[0]

    def integer(self, g: Graph, value: tuple[str, str, str], layer: Linear) -> str:
        """Put a layer on a value in uint8, given with its scale and its zero."""
        weight, scale = self.rounded.get(layer.name) or nearest(layer.weight)
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


def _rounded(g: Graph, value: str) -> tuple[str, str, str]:
    integer, scale, zero = g.op("DynamicQuantizeLinear", value, outputs=3)
    return integer, scale, zero


def _product(g: Graph, value: str, layer: Linear, dtype: type) -> list[str]:
    """Put a product, and give it without its bias, if it has one, and as it is."""
    out = g("MatMul", value, g.constant(layer.weight, dtype))
    return [out] if layer.bias is None else [out, g("Add", out, g.constant(layer.bias, dtype))]
