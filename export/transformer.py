"""The transformer blocks, frames ``[batch, frames, hidden]`` in and out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abxfast.export.frontend import layer_norm
from abxfast.export.graph import CONTRIB
from abxfast.export.linear import LinearLayer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from abxfast.export.architecture import Architecture
    from abxfast.export.graph import Graph
    from abxfast.export.linear import LinearLayers

ADAPTER_NORM_EPS = 1e-5


class Transformer:
    """Adds the part after the front end to a graph.

    Parameters
    ----------
    architecture : Architecture
    weights : mapping of str to ndarray
        See `read_weights`.
    layers : LinearLayers
    smoothing : mapping of str to ndarray of float32
        Scales of the channels of inputs of linear layers, by the name of the input; see `smoothing_scales`.
    """

    def __init__(
        self,
        architecture: Architecture,
        weights: Mapping[str, NDArray[np.float32]],
        layers: LinearLayers,
        smoothing: Mapping[str, NDArray[np.float32]],
    ) -> None:
        self._architecture = architecture
        self._weights = weights
        self._layers = layers
        self._smoothing = smoothing

    def block(self, g: Graph, hidden: str, i: int) -> str:
        """Add block i; return hidden state i + 1, without the norm after the last block."""
        prefix = f"encoder.layers.{i}"
        if self._architecture.pre_norm:
            normed = self._norm(g, hidden, f"{prefix}.layer_norm", f"blocks.{i}.qkv")
            hidden = g("Add", hidden, self._attention(g, normed, i))
            normed = self._norm(g, hidden, f"{prefix}.final_layer_norm", f"blocks.{i}.ffn1")
            hidden = g("Add", hidden, self._feed_forward(g, normed, i))
            return self._adapter(g, hidden, i)
        hidden = self._norm(g, g("Add", hidden, self._attention(g, hidden, i)), f"{prefix}.layer_norm")
        return self._norm(g, g("Add", hidden, self._feed_forward(g, hidden, i)), f"{prefix}.final_layer_norm")

    def last_norm(self, g: Graph, hidden: str) -> str:
        """Add the norm after the last block of a pre-norm model, which affects its last hidden state only."""
        return self._norm(g, hidden, "encoder.layer_norm") if self._architecture.pre_norm else hidden

    def attention_scores(self, g: Graph, queries: str, keys: str) -> str:
        """Add the input of the softmax of attention, which `MultiHeadAttention` does not output."""
        n_heads = self._architecture.n_heads
        width = self._architecture.hidden_size // n_heads
        by_head = g.vector(0, 0, n_heads, width)
        queries, keys = g("Reshape", queries, by_head), g("Reshape", keys, by_head)
        scores = g("MatMul", g("Transpose", queries, perm=[0, 2, 1, 3]), g("Transpose", keys, perm=[0, 2, 3, 1]))
        return g("Div", scores, g.constant(np.sqrt(width), np.float32))

    def _attention(self, g: Graph, value: str, i: int) -> str:
        """Add self-attention, without the biases of keys and values.

        A bias of the keys adds the same to all scores of a query, which the softmax ignores. A bias of the values
        passes through unchanged, since attention weights sum to one, and is added to the bias of the output.
        """
        prefix, name = f"encoder.layers.{i}.attention", f"blocks.{i}"
        query, key, inner, out = (
            self._layer(f"{prefix}.{side}_proj", f"{name}.{side}") for side in ("q", "k", "v", "out")
        )
        value_bias = self._weights[f"{prefix}.v_proj.bias"].astype(np.float64) @ out.weight
        bias = self._weights[f"{prefix}.out_proj.bias"] + value_bias
        scale = self._smoothing.get(out.name)
        columns = inner.weight if scale is None else inner.weight / scale
        layers = [query, key._replace(bias=None), inner._replace(weight=columns, bias=None)]
        q, k, v = self._add_smoothed(g, value, layers, f"{name}.qkv", folded=self._architecture.pre_norm)
        if self._layers.records is not None:
            record = self._layers.records[f"{name}.qkv"]
            self._layers.records[f"{name}.qkv"] = record._replace(queries_keys=(q, k))
        attended = g("MultiHeadAttention", q, k, v, domain=CONTRIB, num_heads=self._architecture.n_heads)
        self._layers.mark_same_type(attended, q)
        out = out._replace(bias=bias.astype(np.float32))
        return self._layers.to_float32(g, self._add_smoothed(g, attended, [out], out.name, folded=True)[0])

    def _feed_forward(self, g: Graph, value: str, i: int) -> str:
        prefix, name = f"encoder.layers.{i}.feed_forward", f"blocks.{i}"
        first = self._layer(f"{prefix}.intermediate_dense", f"{name}.ffn1")
        second = self._layer(f"{prefix}.output_dense", f"{name}.ffn2")
        outer = self._add_smoothed(g, value, [first], first.name, folded=self._architecture.pre_norm)[0]
        inner = self._layers.mark_same_type(g("Gelu", outer), outer)
        return self._layers.to_float32(g, self._add_smoothed(g, inner, [second], second.name, folded=False)[0])

    def _adapter(self, g: Graph, hidden: str, i: int) -> str:
        if not self._architecture.adapter_size:
            return hidden
        prefix, name = f"encoder.layers.{i}.adapter_layer", f"blocks.{i}"
        weight, bias = self._weights[f"{prefix}.norm.weight"], self._weights[f"{prefix}.norm.bias"]
        value = layer_norm(g, hidden, weight, bias, ADAPTER_NORM_EPS)
        for side in ("linear_1", "linear_2"):
            layer = self._layer(f"{prefix}.{side}", f"{name}.{side}")
            value = self._layers.to_float32(g, self._layers.add(g, value, [layer], layer.name)[0])
            value = g("Relu", value) if side == "linear_1" else value
        return g("Add", hidden, value)

    def _add_smoothed(self, g: Graph, value: str, layers: list[LinearLayer], name: str, *, folded: bool) -> list[str]:
        """Add layers on an input whose channels are divided by their smoothing scales, and rows multiplied by them.

        If `folded`, the division is already part of the weights that compute the input.
        """
        scale = self._smoothing.get(name)
        if scale is not None:
            layers = [layer._replace(weight=layer.weight * scale[:, None]) for layer in layers]
            value = value if folded else g("Mul", value, g.constant(1 / scale, np.float32))
        return self._layers.add(g, value, layers, name)

    def _norm(self, g: Graph, value: str, name: str, smoothed_input: str = "") -> str:
        """Add a layer norm, divided by the smoothing scales of the input that it computes, if it has any."""
        weight, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        scale = self._smoothing.get(smoothed_input)
        if scale is not None:
            weight, bias = weight / scale, bias / scale
        return layer_norm(g, value, weight, bias, self._architecture.norm_eps)

    def _layer(self, weights: str, name: str) -> LinearLayer:
        matrix = np.ascontiguousarray(self._weights[f"{weights}.weight"].T)
        return LinearLayer(name, matrix, self._weights.get(f"{weights}.bias"))
