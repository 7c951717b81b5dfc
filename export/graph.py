"""An ONNX graph under construction, which names its nodes and constants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CONTRIB = "com.microsoft"
"""Domain of onnxruntime's own operators, which every build of it supports."""
OPSETS = {"": 20, CONTRIB: 1}
"""Versions of the operators by domain. 20 is the first standard one with Gelu as a single operator."""
IR_VERSION = 9
FLOAT, FLOAT16, DOUBLE = (int(kind) for kind in (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE))
MAX_SHARED_BYTES = 64
"""Size of a constant up to which equal ones are kept once: axes, shapes and scalars."""


class Graph:
    """Nodes in order, and their constants.

    A value is identified by its name, a str. `op` returns the names of the outputs of a node; calling the graph returns
    the name of a single output.

    Parameters
    ----------
    parent : Graph, optional
        The graph that holds this one as the body of a node of control flow: it keeps the constants, and its values may
        be used.
    mfcc_layout : bool
        Use the names of ``mfcc.onnx``, and keep each constant by itself. The SHA-256 of that file is in every store
        made with it, so its bytes must not change.
    """

    def __init__(self, parent: Graph | None = None, *, mfcc_layout: bool = False) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self._parent = parent
        self._mfcc_layout = mfcc_layout
        self._constants: dict[str, onnx.TensorProto] = {}
        self._shared: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._n_named = 0

    def constant(self, value: object, dtype: type | np.dtype) -> str:
        """Add a constant, or reuse an equal small one; return its name."""
        if self._parent is not None:
            return self._parent.constant(value, dtype)
        array = np.asarray(value, dtype=dtype, order="C")
        shareable = array.nbytes <= MAX_SHARED_BYTES and not self._mfcc_layout
        key = (array.dtype.str, array.shape, array.tobytes() if shareable else b"")
        if shareable and key in self._shared:
            return self._shared[key]
        name = f"c{len(self._constants)}"
        self._constants[name] = numpy_helper.from_array(array, name)
        if shareable:
            self._shared[key] = name
        return name

    def vector(self, *values: int) -> str:
        """Return an int64 constant of shape ``(len(values),)``."""
        return self.constant(list(values), np.int64)

    def scalar(self, value: int) -> str:
        """Return an int64 scalar constant."""
        return self.constant(value, np.int64)

    def op(self, kind: str, *inputs: str, outputs: int = 1, domain: str = "", **attributes: Any) -> list[str]:
        """Add a node and return the names of its outputs."""
        number = self._next_number()
        if self._mfcc_layout:
            names = [f"{kind.lower()}{number - 1}_{i}" for i in range(outputs)]
            self.nodes.append(helper.make_node(kind, inputs, names, **attributes))
            return names
        stem = f"{kind.lower()}{number}"
        names = [stem if i == 0 else f"{stem}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, domain=domain, **attributes))
        return names

    def __call__(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node with a single output and return its name."""
        return self.op(kind, *inputs, domain=domain, **attributes)[0]

    def rename(self, value: str, name: str) -> None:
        """Add a copy of a value under a chosen name, as for an output of the graph."""
        self.nodes.append(helper.make_node("Identity", [value], [name]))

    def size(self, value: str, axis: int) -> str:
        """Return the length of an axis, int64 ``(1,)``."""
        return self("Shape", value, start=axis, end=axis + 1)

    def slice(self, value: str, start: str, end: str, axis: int) -> str:
        """Return ``value[start:end]`` along an axis."""
        return self("Slice", value, start, end, self.vector(axis))

    def subgraph(self) -> Self:
        """Return an empty graph for the body of a node of control flow."""
        return type(self)(self)

    def model(
        self,
        name: str,
        inputs: Sequence[onnx.ValueInfoProto],
        outputs: Sequence[onnx.ValueInfoProto],
        *,
        opsets: Mapping[str, int] = OPSETS,
        ir_version: int = IR_VERSION,
    ) -> onnx.ModelProto:
        """Return a model of the graph; the constants are moved into it, so the graph cannot be used again."""
        graph = helper.make_graph(self.nodes, name, inputs, outputs)
        while self._constants:
            graph.initializer.append(self._constants.pop(next(iter(self._constants))))
        return helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid(domain, version) for domain, version in opsets.items()],
            ir_version=ir_version,
            producer_name="abxfast",
        )

    def _next_number(self) -> int:
        if self._parent is not None:
            return self._parent._next_number()  # noqa: SLF001 - names are unique in all subgraphs
        self._n_named += 1
        return self._n_named


def value_info(
    name: str, shape: Sequence[str | int | None] | None, dtype: int = TensorProto.FLOAT
) -> onnx.ValueInfoProto:
    """Return the description of an input or output of a graph."""
    return helper.make_tensor_value_info(name, dtype, shape)
