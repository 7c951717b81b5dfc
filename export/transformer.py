"""The transformer: positions and blocks, frames ``[batch, frames, hidden]`` in and out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abxfast.export.frontend import layer_norm
from abxfast.export.graph import CONTRIB
from abxfast.export.linear import Linear

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from abxfast.export.architecture import Architecture
    from abxfast.export.graph import Graph
    from abxfast.export.linear import Linears

POSITION_BLOCK = 4
"""Frames that one product of the int8 position convolution gives at once."""


class Transformer:
    """Puts the part after the front end into a graph.

    Parameters
    ----------
    shape : Architecture
    weights : mapping of str to ndarray
        See `read_weights`.
    linears : Linears
    smoothing : mapping of str to ndarray of float32
        Scales of the channels of inputs of linear layers, by the input's name.
    """

    def __init__(
        self,
        shape: Architecture,
        weights: Mapping[str, NDArray[np.float32]],
        linears: Linears,
        smoothing: Mapping[str, NDArray[np.float32]],
    ) -> None:
        self._shape = shape
        self._weights = weights
        self._linears = linears
        self._smoothing = smoothing

    def embed(self, g: Graph, frames: str) -> str:
        """Project the front end's frames and add what tells their positions: hidden state 0."""
        shape = self._shape
        if shape.projection_norm:
            frames = self._norm(g, frames, "feature_projection.layer_norm")
        linear = self._linear("feature_projection.projection", "projection")
        hidden = self._linears.full(g, self._linears.put(g, frames, [linear], linear.name)[0])
        placed = self._position_int8(g, hidden) if self._linears.of("position") == "int8" else self._position(g, hidden)
        hidden = g("Add", hidden, g("Gelu", placed))
        return hidden if shape.stable else self._norm(g, hidden, "encoder.layer_norm")

    def block(self, g: Graph, hidden: str, i: int) -> str:
        """Take hidden state i to hidden state i + 1, without the norm after the last block."""
        at = f"encoder.layers.{i}"
        if self._shape.stable:
            hidden = g(
                "Add", hidden, self._attention(g, self._norm(g, hidden, f"{at}.layer_norm", f"blocks.{i}.qkv"), i)
            )
            normed = self._norm(g, hidden, f"{at}.final_layer_norm", f"blocks.{i}.ffn1")
            hidden = g("Add", hidden, self._feed_forward(g, normed, i))
            return self._adapted(g, hidden, i)
        hidden = self._norm(g, g("Add", hidden, self._attention(g, hidden, i)), f"{at}.layer_norm")
        return self._norm(g, g("Add", hidden, self._feed_forward(g, hidden, i)), f"{at}.final_layer_norm")

    def last_norm(self, g: Graph, hidden: str) -> str:
        """Give hidden state L of a model of L blocks, the only one that the norm of a stable encoder touches."""
        return self._norm(g, hidden, "encoder.layer_norm") if self._shape.stable else hidden

    def _attention(self, g: Graph, value: str, i: int) -> str:
        """Attend, with two biases moved.

        A bias of the keys adds the same to all scores of a query, which softmax does not see; one of the values comes
        through as it is, since weights sum to one, and goes into the bias of the output.
        """
        at, name = f"encoder.layers.{i}.attention", f"blocks.{i}"
        query, key, inner, out = (
            self._linear(f"{at}.{side}_proj", f"{name}.{side}") for side in ("q", "k", "v", "out")
        )
        carried = self._weights[f"{at}.v_proj.bias"].astype(np.float64) @ out.weight
        bias = self._weights[f"{at}.out_proj.bias"] + carried
        smooth = self._smoothing.get(out.name)
        columns = inner.weight if smooth is None else inner.weight / smooth
        inputs = [query, key._replace(bias=None), inner._replace(weight=columns, bias=None)]
        q, k, v = self._smoothed(g, value, inputs, f"{name}.qkv", folded=self._shape.stable)
        if self._linears.watched is not None:
            watched = self._linears.watched[f"{name}.qkv"]
            self._linears.watched[f"{name}.qkv"] = watched._replace(attention=(q, k))
        attended = g("MultiHeadAttention", q, k, v, domain=CONTRIB, num_heads=self._shape.heads)
        self._linears.like(attended, q)
        out = out._replace(bias=bias.astype(np.float32))
        return self._linears.full(g, self._smoothed(g, attended, [out], out.name, folded=True)[0])

    def scores(self, g: Graph, q: str, k: str) -> str:
        """Give what attention takes the softmax of, which `MultiHeadAttention` keeps to itself."""
        width = self._shape.hidden // self._shape.heads
        heads = g.ints(0, 0, self._shape.heads, width)
        q, k = g("Reshape", q, heads), g("Reshape", k, heads)
        scores = g("MatMul", g("Transpose", q, perm=[0, 2, 1, 3]), g("Transpose", k, perm=[0, 2, 3, 1]))
        return g("Div", scores, g.constant(np.sqrt(width), np.float32))

    def _feed_forward(self, g: Graph, value: str, i: int) -> str:
        at, name = f"encoder.layers.{i}.feed_forward", f"blocks.{i}"
        first = self._linear(f"{at}.intermediate_dense", f"{name}.ffn1")
        second = self._linear(f"{at}.output_dense", f"{name}.ffn2")
        outer = self._smoothed(g, value, [first], first.name, folded=self._shape.stable)[0]
        inner = self._linears.like(g("Gelu", outer), outer)
        return self._linears.full(g, self._smoothed(g, inner, [second], second.name, folded=False)[0])

    def _smoothed(self, g: Graph, value: str, layers: list[Linear], name: str, *, folded: bool) -> list[str]:
        """Put layers on an input whose channels are divided by their smoothing scales, and rows multiplied by them.

        Folded: the division stands in the weights of what made the input.
        """
        smooth = self._smoothing.get(name)
        if smooth is not None:
            layers = [layer._replace(weight=layer.weight * smooth[:, None]) for layer in layers]
            value = value if folded else g("Mul", value, g.constant(1 / smooth, np.float32))
        return self._linears.put(g, value, layers, name)

    def _adapted(self, g: Graph, hidden: str, i: int) -> str:
        if not self._shape.adapter:
            return hidden
        at, name = f"encoder.layers.{i}.adapter_layer", f"blocks.{i}"
        value = layer_norm(g, hidden, self._weights[f"{at}.norm.weight"], self._weights[f"{at}.norm.bias"], 1e-5)
        for side in ("linear_1", "linear_2"):
            layer = self._linear(f"{at}.{side}", f"{name}.{side}")
            value = self._linears.full(g, self._linears.put(g, value, [layer], f"{name}.{side}")[0])
            value = g("Relu", value) if side == "linear_1" else value
        return g("Add", hidden, value)

    def _position(self, g: Graph, hidden: str) -> str:
        shape = self._shape
        weight = g.constant(self._weights["encoder.pos_conv_embed.conv.weight"], np.float32)
        bias = g.constant(self._weights["encoder.pos_conv_embed.conv.bias"], np.float32)
        left, right = self._position_pads()
        placed = g(
            "Conv",
            g("Transpose", hidden, perm=[0, 2, 1]),
            weight,
            bias,
            group=shape.pos_groups,
            pads=[left, right],
        )
        return g("Transpose", placed, perm=[0, 2, 1])

    def _position_pads(self) -> tuple[int, int]:
        """PyTorch pads half a kernel on both sides, and an even kernel's last output is dropped."""
        half = self._shape.pos_kernel // 2
        return half, self._shape.pos_kernel - 1 - half

    def _position_int8(self, g: Graph, hidden: str) -> str:
        """Take `POSITION_BLOCK` frames at once: a product with a banded matrix, for each group of channels.

        With R frames a block, a block of outputs reads a whole number of blocks of inputs, which one Gather lays side
        by side, a quarter of what frame by frame would move; the matrix holds R shifted copies of the kernel.
        """
        shape, block = self._shape, POSITION_BLOCK
        kernel, groups = shape.pos_kernel, shape.pos_groups
        width = shape.hidden // groups
        left, _ = self._position_pads()
        lead = -(-left // block)  # blocks before the one that is put out
        reach = -(-(lead * block - left + block - 1 + kernel) // block)  # blocks that it reads
        frames = g.size(hidden, 1)
        blocks = g("Div", g("Add", frames, g.ints(block - 1)), g.ints(block))
        after = g("Sub", g("Mul", g("Add", blocks, g.ints(reach - 1 - lead)), g.ints(block)), frames)
        pads = g("Concat", g.ints(0, lead * block, 0, 0), after, g.ints(0), axis=0)
        rounded, scale, zero = g.op("DynamicQuantizeLinear", g("Pad", hidden, pads), outputs=3)
        in_groups = g("Reshape", rounded, g.ints(0, -1, block, groups, width))
        in_groups = g("Transpose", in_groups, perm=[3, 0, 1, 2, 4])  # [groups, batch, blocks, R, width]
        in_groups = g("Reshape", in_groups, g.ints(groups, 0, -1, block * width))
        first = g("Range", g.whole(0), g("Squeeze", blocks, g.ints(0)), g.whole(1))
        read = g("Add", g("Unsqueeze", first, g.ints(1)), g.constant(np.arange(reach), np.int64))
        parts = []
        for i, group in enumerate(g.op("Split", in_groups, outputs=groups, axis=0, num_outputs=groups)):
            one = g("Squeeze", group, g.ints(0))
            laid = g("Reshape", g("Gather", one, read, axis=1), g.ints(0, 0, reach * block * width))
            linear = self._banded(i, width, block, reach, lead * block - left)
            out = self._linears.integer(g, (laid, scale, zero), linear)
            parts.append(g("Reshape", out, g.ints(0, -1, width)))
        return g.cut(g("Concat", *parts, axis=-1), g.ints(0), frames, 1)

    def _banded(self, group: int, width: int, block: int, reach: int, offset: int) -> Linear:
        rows = slice(group * width, (group + 1) * width)
        kernel = self._weights["encoder.pos_conv_embed.conv.weight"][rows].transpose(2, 1, 0)  # (k, inner, outer)
        matrix = np.zeros((reach * block, width, block, width), np.float32)
        for r in range(block):
            matrix[offset + r : offset + r + len(kernel), :, r] = kernel
        bias = np.tile(self._weights["encoder.pos_conv_embed.conv.bias"][rows], block)
        return Linear(f"position.{group}", matrix.reshape(reach * block * width, block * width), bias)

    def _norm(self, g: Graph, value: str, name: str, feeds: str = "") -> str:
        weight, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        smooth = self._smoothing.get(feeds)
        if smooth is not None:
            weight, bias = weight / smooth, bias / smooth
        return layer_norm(g, value, weight, bias, self._shape.eps)

    def _linear(self, weights: str, name: str) -> Linear:
        matrix = np.ascontiguousarray(self._weights[f"{weights}.weight"].T)
        return Linear(name, matrix, self._weights[f"{weights}.bias"])
