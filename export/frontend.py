"""The front end: waveform to frames, convolutions as products of matrices over channels-last values.

A convolution of kernel k and stride s over ``[frames, channels]`` reads, for each output, k rows from every s-th on.
With rows folded s at a time, ``[frames / s, s · channels]`` (which moves nothing), that is the fold itself, the fold
one further, and so on: views laid side by side, and one product. The layer norms, which run over channels, need no
transposition, and the weights become constants of a product, which can be int8.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from abxfast.export.graph import DOUBLE, FLOAT
from abxfast.export.linear import Linear

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from abxfast.export.architecture import Architecture
    from abxfast.export.graph import Graph
    from abxfast.export.linear import Linears

NORM_EPS = 1e-5
"""Of the norms beside the convolutions: PyTorch's default, which config.json does not change."""
WAVE_EPS = 1e-7
"""Added to the variance of a waveform, as the feature extractor of transformers does."""


def normalised(g: Graph, wave: str) -> str:
    """Bring each waveform ``[batch, samples]`` to zero mean and unit variance."""
    last = g.ints(1)
    centred = g("Sub", wave, g("ReduceMean", wave, last))
    variance = g("ReduceMean", g("Mul", centred, centred), last)
    return g("Div", centred, g("Sqrt", g("Add", variance, g.constant(WAVE_EPS, np.float32))))


def samples_for(shape: Architecture, frames: int) -> int:
    """Give the samples that the folded convolutions take for so many frames; some more than the receptive field."""
    rows = frames
    for kernel, stride in zip(reversed(shape.conv_kernels), reversed(shape.conv_strides), strict=True):
        rows = stride * (rows + -(-kernel // stride) - 1)
    return rows


class FrontEnd:
    """Puts the convolutions into a graph.

    Parameters
    ----------
    shape : Architecture
    weights : mapping of str to ndarray
        See `read_weights`.
    linears : Linears
    chunk : int
        Frames that are taken through all convolutions at once; 0 for all. A quarter to half a second stays in a
        processor's cache, where the 32,000 rows of the first convolution of 10 s (65 MB) do not, and keeps memory flat
        at any length.
    """

    def __init__(
        self, shape: Architecture, weights: Mapping[str, NDArray[np.float32]], linears: Linears, chunk: int
    ) -> None:
        self._shape = shape
        self._weights = weights
        self._linears = linears
        self._chunk = chunk

    def put(self, g: Graph, wave: str) -> str:
        """Take ``[batch, samples]`` to ``[batch, frames, channels]``."""
        shape = self._shape
        samples = g.size(wave, 1)
        frames = g("Add", g("Div", g("Sub", samples, g.ints(shape.receptive)), g.ints(shape.hop)), g.ints(1))
        first = self._first_of_group(g, wave, samples) if shape.conv_norm == "group" else self._first(g)
        extra = samples_for(shape, 0)
        if self._chunk:
            step = g.ints(self._chunk)
            chunks = g("Div", g("Add", frames, g.ints(self._chunk - 1)), step)
            padded = _padded(
                g, wave, samples, g("Add", g("Mul", chunks, g.ints(self._chunk * shape.hop)), g.ints(extra))
            )
            values = self._looped(g, padded, chunks, first)
        else:
            padded = _padded(g, wave, samples, g("Add", g("Mul", frames, g.ints(shape.hop)), g.ints(extra)))
            values = self._convolved(g, padded, first)
        return g.cut(values, g.ints(0), frames, 1)

    def _looped(self, g: Graph, wave: str, chunks: str, first: str) -> str:
        from onnx import TensorProto, helper

        shape, body = self._shape, g.body()
        start = body("Mul", "chunk", body.whole(self._chunk * shape.hop))
        start = body("Reshape", start, body.ints(1))
        end = body("Add", start, body.ints(samples_for(shape, self._chunk)))
        values = self._convolved(body, body.cut(wave, start, end, 1), first)
        body.rename("going", "still_going")
        body.rename(values, "frames_of_chunk")
        graph = helper.make_graph(
            body.nodes,
            "front_end",
            [
                helper.make_tensor_value_info("chunk", TensorProto.INT64, []),
                helper.make_tensor_value_info("going", TensorProto.BOOL, []),
            ],
            [
                helper.make_tensor_value_info("still_going", TensorProto.BOOL, []),
                helper.make_tensor_value_info(
                    "frames_of_chunk", TensorProto.FLOAT, ["batch", None, shape.conv_channels[-1]]
                ),
            ],
        )
        stacked = g("Loop", g("Squeeze", chunks, g.ints(0)), "", body=graph)  # [chunks, batch, frames, channels]
        in_order = g("Transpose", stacked, perm=[1, 0, 2, 3])
        return g("Reshape", in_order, g.ints(0, -1, shape.conv_channels[-1]))

    def _convolved(self, g: Graph, wave: str, first: str) -> str:
        shape = self._shape
        value = wave
        for i, (kernel, stride) in enumerate(zip(shape.conv_kernels, shape.conv_strides, strict=True)):
            at = f"feature_extractor.conv_layers.{i}"
            before = 1 if i == 0 else shape.conv_channels[i - 1]
            views = partial(_views, g, kernel=kernel, stride=stride, channels=before)
            if i == 0:
                taps = g("Pad", views(value), g.ints(0, 0, 0, 0, 0, 1), g.constant(1, np.float32))
                value = g("MatMul", taps, first)
            else:
                value = self._linears.full(g, self._linears.convolve(g, value, self._linear(i), views))
            if shape.conv_norm == "layer":
                value = layer_norm(
                    g, value, self._weights[f"{at}.layer_norm.weight"], self._weights[f"{at}.layer_norm.bias"], NORM_EPS
                )
            value = g("Gelu", value)
        return value

    def _linear(self, i: int) -> Linear:
        """Turn a kernel ``(outer, inner, k)`` into a matrix ``(k · inner, outer)``, row by row in the order of time."""
        at = f"feature_extractor.conv_layers.{i}.conv"
        weight = self._weights[f"{at}.weight"]
        matrix = np.ascontiguousarray(weight.transpose(2, 1, 0).reshape(-1, weight.shape[0]))
        bias = self._weights.get(f"{at}.bias") if self._shape.conv_bias else None
        return Linear(f"conv.{i}", matrix, bias)

    def _first(self, g: Graph) -> str:
        """Give the first convolution, in fp32 always, as one matrix: its bias is the last row, which meets a one."""
        weight, bias = self._linear(0)[1:]
        return g.constant(np.vstack([weight, np.zeros(weight.shape[1]) if bias is None else bias]), np.float32)

    def _first_of_group(self, g: Graph, wave: str, samples: str) -> str:
        """Give the first convolution with its norm over time as one matrix for each waveform; see `_first`.

        The mean and variance over time of w · x are w · mean(x) and w · cov(x) · w, so nothing of the size of the
        convolution's output is needed. In float64, since the product takes differences of large sums.

        Returns
        -------
        str
            Value ``[batch, k + 1, outer]``.
        """
        shape = self._shape
        kernel, stride = shape.conv_kernels[0], shape.conv_strides[0]
        rows = g("Add", g("Div", g("Sub", samples, g.ints(kernel)), g.ints(stride)), g.ints(1))
        fold = -(-kernel // stride) - 1
        padded = _padded(g, wave, samples, g("Mul", g("Add", rows, g.ints(fold)), g.ints(stride)))
        taps = g("Cast", _views(g, padded, kernel, stride, 1), to=DOUBLE)  # [batch, rows, k] in float64
        linear = self._linear(0)
        weight = g.constant(linear.weight, np.float64)
        mean = g("ReduceMean", taps, g.ints(1), keepdims=1)
        off = g("Sub", taps, mean)
        count = g("Cast", g("Squeeze", rows, g.ints(0)), to=DOUBLE)
        covariance = g("Div", g("MatMul", g("Transpose", off, perm=[0, 2, 1]), off), count)
        variance = g("ReduceSum", g("Mul", g("MatMul", covariance, weight), weight), g.ints(1), keepdims=1)
        at = "feature_extractor.conv_layers.0.layer_norm"
        gain = g(
            "Div",
            g.constant(self._weights[f"{at}.weight"], np.float64),
            g("Sqrt", g("Add", variance, g.constant(NORM_EPS, np.float64))),
        )
        shift = g("Sub", g.constant(self._weights[f"{at}.bias"], np.float64), g("Mul", g("MatMul", mean, weight), gain))
        return g("Cast", g("Concat", g("Mul", weight, gain), shift, axis=1), to=FLOAT)


def layer_norm(g: Graph, value: str, weight: NDArray[np.float32], bias: NDArray[np.float32], eps: float) -> str:
    """Norm over the last axis."""
    return g(
        "LayerNormalization", value, g.constant(weight, np.float32), g.constant(bias, np.float32), axis=-1, epsilon=eps
    )


def _views(g: Graph, value: str, kernel: int, stride: int, channels: int) -> str:
    """Lay the rows that each output reads side by side: ``[batch, rows, kernel · channels]``."""
    folded = g("Reshape", value, g.ints(0, -1, stride * channels))
    n_views = -(-kernel // stride)
    if n_views == 1:
        return folded
    parts = []
    for i in range(n_views):
        end = i + 1 - n_views
        width = min(stride, kernel - i * stride) * channels
        starts, ends = [i, 0], [end or np.iinfo(np.int64).max, width]
        parts.append(g("Slice", folded, g.ints(*starts), g.ints(*ends), g.ints(1, 2)))
    return g("Concat", *parts, axis=-1)


def _padded(g: Graph, wave: str, samples: str, wanted: str) -> str:
    """Lengthen ``[batch, samples]`` with zeros."""
    lack = g("Max", g("Sub", wanted, samples), g.ints(0))
    padded = g("Pad", wave, g("Concat", g.ints(0, 0, 0), lack, axis=0))
    return g.cut(padded, g.ints(0), wanted, 1)
