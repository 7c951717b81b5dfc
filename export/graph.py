"""A graph under construction: nodes, constants, and names that take care of themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Sequence

OPSET = 20
"""Of the standard operators: the first with Gelu as one operator."""
IR_VERSION = 9
FLOAT, FLOAT16, DOUBLE = (int(kind) for kind in (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE))
CONTRIB = "com.microsoft"
"""Domain of onnxruntime's own operators, which every build of it brings."""


class Graph:
    """Nodes in order, and the constants that they take.

    A value is known by its name, a str. `op` gives the names of what a node puts out, and calling the graph gives
    the single one. A body, made by `body`, shares the constants of the graph that holds it, and may take its values.
    """

    def __init__(self, outer: Graph | None = None) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self._outer = outer
        self._constants: dict[str, onnx.TensorProto] = {}
        self._known: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._count = 0

    def constant(self, value: object, dtype: type | np.dtype) -> str:
        """Give the name of a constant; small ones that are equal are kept once."""
        if self._outer is not None:
            return self._outer.constant(value, dtype)
        array = np.asarray(value, dtype=dtype, order="C")
        small = array.nbytes <= 64  # noqa: PLR2004 - axes, shapes and scalars
        key = (array.dtype.str, array.shape, array.tobytes() if small else b"")
        if small and key in self._known:
            return self._known[key]
        name = f"c{len(self._constants)}"
        self._constants[name] = numpy_helper.from_array(array, name)
        if small:
            self._known[key] = name
        return name

    def ints(self, *values: int) -> str:
        """Give an int64 constant of shape ``(len(values),)``."""
        return self.constant(list(values), np.int64)

    def whole(self, value: int) -> str:
        """Give an int64 scalar."""
        return self.constant(value, np.int64)

    def op(self, kind: str, *inputs: str, outputs: int = 1, domain: str = "", **attributes: Any) -> list[str]:
        """Add a node, and give the names of its outputs."""
        stem = f"{kind.lower()}{self._next()}"
        names = [stem if i == 0 else f"{stem}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, domain=domain, **attributes))
        return names

    def __call__(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node with a single output, and give its name."""
        return self.op(kind, *inputs, domain=domain, **attributes)[0]

    def rename(self, name: str, output: str) -> None:
        """Put a value out under a name of its own."""
        self.nodes.append(helper.make_node("Identity", [name], [output]))

    def size(self, value: str, axis: int) -> str:
        """Give the length of an axis, int64 ``(1,)``."""
        return self("Shape", value, start=axis, end=axis + 1)

    def cut(self, value: str, start: str, end: str, axis: int) -> str:
        """Give ``value[start:end]`` along an axis."""
        return self("Slice", value, start, end, self.ints(axis))

    def body(self) -> Self:
        """Give a graph for a node of control flow of this one."""
        return type(self)(self)

    def model(
        self, name: str, inputs: Sequence[onnx.ValueInfoProto], outputs: Sequence[onnx.ValueInfoProto]
    ) -> onnx.ModelProto:
        """Make a model of it, which takes the constants with it."""
        graph = helper.make_graph(self.nodes, name, inputs, outputs)
        while self._constants:
            graph.initializer.append(self._constants.pop(next(iter(self._constants))))
        return helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(CONTRIB, 1)],
            ir_version=IR_VERSION,
            producer_name="abxfast",
        )

    def _next(self) -> int:
        if self._outer is not None:
            return self._outer._next()  # noqa: SLF001 - names are unique through all bodies
        self._count += 1
        return self._count


def value_info(
    name: str, shape: Sequence[str | int | None] | None, dtype: int = TensorProto.FLOAT
) -> onnx.ValueInfoProto:
    """Describe an input or output of a graph."""
    return helper.make_tensor_value_info(name, dtype, shape)
