"""The front end: waveform to frames, with convolutions as matrix products over channels-last values.

A convolution of kernel k and stride s over ``[frames, channels]`` reads k rows for each output, starting at every s-th.
With s rows folded into one, ``[frames / s, s · channels]`` (which moves no data), these are the folded row, the next
one, and so on: shifted slices side by side, and one product. Layer norms over channels then need no transposition, and
the weights are constants of a product, which can be int8.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from onnx import TensorProto, helper

from abxfast.export.graph import DOUBLE, FLOAT, value_info
from abxfast.export.linear import LinearLayer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from abxfast.export.graph import Graph
    from abxfast.export.linear import LinearLayers

CONV_NORM_EPS = 1e-5
"""Epsilon of the norms of the convolutions: PyTorch's default, which config.json does not change."""
WAVE_EPS = 1e-7
"""Added to the variance of a waveform, as by the feature extractor of transformers."""


@dataclass(frozen=True)
class Convolutions:
    """The convolutions of the front end.

    Attributes
    ----------
    channels, kernels, strides : tuple of int
        Output channels, kernel sizes and strides.
    bias : bool
        Whether they have a bias.
    norm : str
        ``layer``: each is followed by a layer norm over channels; ``group``: only the first one, by a norm over time of
        each channel.
    """

    channels: tuple[int, ...]
    kernels: tuple[int, ...]
    strides: tuple[int, ...]
    bias: bool
    norm: str

    @property
    def hop_samples(self) -> int:
        """Samples between consecutive frames."""
        return math.prod(self.strides)

    @property
    def least_samples(self) -> int:
        """Samples that one frame depends on."""
        samples = 1
        for kernel, stride in zip(reversed(self.kernels), reversed(self.strides), strict=True):
            samples = (samples - 1) * stride + kernel
        return samples


def normalise_waves(g: Graph, wave: str) -> str:
    """Add the normalisation of waveforms ``[batch, samples]`` to zero mean and unit variance."""
    last_axis = g.vector(1)
    centred = g("Sub", wave, g("ReduceMean", wave, last_axis))
    variance = g("ReduceMean", g("Mul", centred, centred), last_axis)
    return g("Div", centred, g("Sqrt", g("Add", variance, g.constant(WAVE_EPS, np.float32))))


def layer_norm(g: Graph, value: str, weight: NDArray[np.float32], bias: NDArray[np.float32], eps: float) -> str:
    """Add a layer norm over the last axis."""
    return g(
        "LayerNormalization", value, g.constant(weight, np.float32), g.constant(bias, np.float32), axis=-1, epsilon=eps
    )


def required_samples(convolutions: Convolutions, n_frames: int) -> int:
    """Return the samples that the folded convolutions read for a number of frames: at least the receptive field."""
    rows = n_frames
    for kernel, stride in zip(reversed(convolutions.kernels), reversed(convolutions.strides), strict=True):
        rows = stride * (rows + -(-kernel // stride) - 1)
    return rows


class FrontEnd:
    """Adds the convolutions to a graph.

    Parameters
    ----------
    convolutions : Convolutions
    weights : mapping of str to ndarray
        See `read_weights`.
    layers : LinearLayers
    chunk_frames : int
        Frames that are taken through all convolutions at once; 0 for all. A quarter to half a second stays in a
        processor's cache, while the 32,000 rows of the first convolution for 10 s (65 MB) do not. Chunks also keep
        memory constant at any length.
    """

    def __init__(
        self,
        convolutions: Convolutions,
        weights: Mapping[str, NDArray[np.float32]],
        layers: LinearLayers,
        chunk_frames: int,
    ) -> None:
        self._convolutions = convolutions
        self._weights = weights
        self._layers = layers
        self._chunk_frames = chunk_frames

    def add(self, g: Graph, wave: str) -> str:
        """Add the convolutions of ``[batch, samples]``; return ``[batch, frames, channels]``."""
        convolutions, hop = self._convolutions, self._convolutions.hop_samples
        samples = g.size(wave, 1)
        hops = g("Div", g("Sub", samples, g.vector(convolutions.least_samples)), g.vector(hop))
        frames = g("Add", hops, g.vector(1))
        is_group_norm = convolutions.norm == "group"
        first = self._first_matrices_normed(g, wave, samples) if is_group_norm else self._first_matrix(g)
        extra = required_samples(convolutions, 0)
        if self._chunk_frames:
            chunk = g.vector(self._chunk_frames)
            chunks = g("Div", g("Add", frames, g.vector(self._chunk_frames - 1)), chunk)
            length = g("Add", g("Mul", chunks, g.vector(self._chunk_frames * hop)), g.vector(extra))
            values = self._convolve_in_chunks(g, set_length(g, wave, samples, length), chunks, first)
        else:
            length = g("Add", g("Mul", frames, g.vector(hop)), g.vector(extra))
            values = self._convolve(g, set_length(g, wave, samples, length), first)
        return g.slice(values, g.vector(0), frames, 1)

    def _convolve_in_chunks(self, g: Graph, wave: str, chunks: str, first: str) -> str:
        convolutions, body = self._convolutions, g.subgraph()
        channels = convolutions.channels[-1]
        start = body("Mul", "chunk", body.scalar(self._chunk_frames * convolutions.hop_samples))
        start = body("Reshape", start, body.vector(1))
        end = body("Add", start, body.vector(required_samples(convolutions, self._chunk_frames)))
        values = self._convolve(body, body.slice(wave, start, end, 1), first)
        body.rename("going", "still_going")
        body.rename(values, "frames_of_chunk")
        graph = helper.make_graph(
            body.nodes,
            "front_end",
            [value_info("chunk", [], TensorProto.INT64), value_info("going", [], TensorProto.BOOL)],
            [value_info("still_going", [], TensorProto.BOOL), value_info("frames_of_chunk", ["batch", None, channels])],
        )
        stacked = g("Loop", g("Squeeze", chunks, g.vector(0)), "", body=graph)  # [chunks, batch, frames, channels]
        in_order = g("Transpose", stacked, perm=[1, 0, 2, 3])
        return g("Reshape", in_order, g.vector(0, -1, channels))

    def _convolve(self, g: Graph, wave: str, first: str) -> str:
        convolutions = self._convolutions
        value, in_channels = wave, 1
        for i, (channels, kernel, stride) in enumerate(
            zip(convolutions.channels, convolutions.kernels, convolutions.strides, strict=True)
        ):
            unfold_value = partial(unfold, g, kernel=kernel, stride=stride, channels=in_channels)
            if i == 0:
                rows = g("Pad", unfold_value(value), g.vector(0, 0, 0, 0, 0, 1), g.constant(1, np.float32))
                value = g("MatMul", rows, first)
            else:
                value = self._layers.to_float32(g, self._layers.add_unfolded(g, value, self._layer(i), unfold_value))
            if convolutions.norm == "layer":
                norm = f"feature_extractor.conv_layers.{i}.layer_norm"
                weight, bias = self._weights[f"{norm}.weight"], self._weights[f"{norm}.bias"]
                value = layer_norm(g, value, weight, bias, CONV_NORM_EPS)
            value = g("Gelu", value)
            in_channels = channels
        return value

    def _layer(self, i: int) -> LinearLayer:
        """Return convolution i as a matrix ``(k · inner, outer)``, rows in the order of time."""
        prefix = f"feature_extractor.conv_layers.{i}.conv"
        kernels = self._weights[f"{prefix}.weight"]  # (outer, inner, k)
        matrix = np.ascontiguousarray(kernels.transpose(2, 1, 0).reshape(-1, kernels.shape[0]))
        bias = self._weights.get(f"{prefix}.bias") if self._convolutions.bias else None
        return LinearLayer(f"conv.{i}", matrix, bias)

    def _first_matrix(self, g: Graph) -> str:
        """Return the first convolution, always in fp32, as ``[k + 1, outer]``: the last row, the bias, meets a 1."""
        _, weight, bias = self._layer(0)
        return g.constant(np.vstack([weight, np.zeros(weight.shape[1]) if bias is None else bias]), np.float32)

    def _first_matrices_normed(self, g: Graph, wave: str, samples: str) -> str:
        """Return the first convolution and its norm over time as one matrix for each waveform; see `_first_matrix`.

        The mean and variance over time of w · x are w · mean(x) and w · cov(x) · w, so that the output of the
        convolution is never held. In float64, since the product takes differences of large sums.

        Returns
        -------
        str
            Value ``[batch, k + 1, outer]``.
        """
        kernel, stride = self._convolutions.kernels[0], self._convolutions.strides[0]
        n_rows = g("Add", g("Div", g("Sub", samples, g.vector(kernel)), g.vector(stride)), g.vector(1))
        n_extra = -(-kernel // stride) - 1
        length = g("Mul", g("Add", n_rows, g.vector(n_extra)), g.vector(stride))
        padded = set_length(g, wave, samples, length)
        rows = g("Cast", unfold(g, padded, kernel, stride, 1), to=DOUBLE)  # [batch, rows, k]
        weight = g.constant(self._layer(0).weight, np.float64)
        mean = g("ReduceMean", rows, g.vector(1), keepdims=1)
        deviation = g("Sub", rows, mean)
        count = g("Cast", g("Squeeze", n_rows, g.vector(0)), to=DOUBLE)
        covariance = g("Div", g("MatMul", g("Transpose", deviation, perm=[0, 2, 1]), deviation), count)
        variance = g("ReduceSum", g("Mul", g("MatMul", covariance, weight), weight), g.vector(1), keepdims=1)
        norm = "feature_extractor.conv_layers.0.layer_norm"
        gain = g(
            "Div",
            g.constant(self._weights[f"{norm}.weight"], np.float64),
            g("Sqrt", g("Add", variance, g.constant(CONV_NORM_EPS, np.float64))),
        )
        shift = g(
            "Sub", g.constant(self._weights[f"{norm}.bias"], np.float64), g("Mul", g("MatMul", mean, weight), gain)
        )
        return g("Cast", g("Concat", g("Mul", weight, gain), shift, axis=1), to=FLOAT)


def unfold(g: Graph, value: str, kernel: int, stride: int, channels: int) -> str:
    """Add the rows that each output of a convolution reads, side by side: ``[batch, rows, kernel · channels]``."""
    folded = g("Reshape", value, g.vector(0, -1, stride * channels))
    n_slices = -(-kernel // stride)
    if n_slices == 1:
        return folded
    slices = []
    for i in range(n_slices):
        end = i + 1 - n_slices
        width = min(stride, kernel - i * stride) * channels
        starts, ends = [i, 0], [end or np.iinfo(np.int64).max, width]
        slices.append(g("Slice", folded, g.vector(*starts), g.vector(*ends), g.vector(1, 2)))
    return g("Concat", *slices, axis=-1)


def set_length(g: Graph, wave: str, samples: str, length: str) -> str:
    """Pad ``[batch, samples]`` with zeros at the end, or cut it, to a length."""
    missing = g("Max", g("Sub", length, samples), g.vector(0))
    padded = g("Pad", wave, g("Concat", g.vector(0, 0, 0), missing, axis=0))
    return g.slice(padded, g.vector(0), length, 1)
