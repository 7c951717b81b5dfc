"""The convolutional position embedding: a grouped convolution over frames, in fp32 or as int8 matrix products."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abxfast.export.linear import LinearLayer, quantize_dynamically

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from abxfast.export.graph import Graph
    from abxfast.export.linear import LinearLayers

BLOCK_FRAMES = 4
"""Output frames of one int8 product."""
PREFIX = "encoder.pos_conv_embed.conv"


class PositionConvolution:
    """Adds the position embedding of frames ``[batch, frames, hidden]`` to a graph.

    Parameters
    ----------
    weights : mapping of str to ndarray
        See `read_weights`.
    layers : LinearLayers
        Determines the precision, by the name of the input.
    prefix : str
        Of the names of its weights.
    name : str
        Name of its input.
    """

    def __init__(
        self,
        weights: Mapping[str, NDArray[np.float32]],
        layers: LinearLayers,
        prefix: str = PREFIX,
        name: str = "position",
    ) -> None:
        self._weight, self._bias = weights[f"{prefix}.weight"], weights[f"{prefix}.bias"]
        self._layers, self._name = layers, name
        hidden_size, self._width, self._kernel = self._weight.shape
        self._groups = hidden_size // self._width

    def add(self, g: Graph, hidden: str) -> str:
        """Add the convolution; return a value of the shape of `hidden`, in float32."""
        int8 = self._layers.precision_of(self._name) == "int8"
        return self._add_int8(g, hidden) if int8 else self._add_float(g, hidden)

    def _add_float(self, g: Graph, hidden: str) -> str:
        weight = g.constant(self._weight, np.float32)
        bias = g.constant(self._bias, np.float32)
        transposed = g("Transpose", hidden, perm=[0, 2, 1])
        convolved = g("Conv", transposed, weight, bias, group=self._groups, pads=[*self._padding()])
        return g("Transpose", convolved, perm=[0, 2, 1])

    def _padding(self) -> tuple[int, int]:
        """Return the padding on both sides: PyTorch's half kernel, where an even kernel's last output is dropped."""
        left = self._kernel // 2
        return left, self._kernel - 1 - left

    def _add_int8(self, g: Graph, hidden: str) -> str:
        """Add a product with a banded matrix for each group of channels, `BLOCK_FRAMES` frames at a time.

        With R frames in a block, a block of outputs reads a whole number of blocks of inputs, which one Gather lays
        side by side: a quarter of what a product for each frame would move. The matrix holds R shifted copies of the
        kernel.
        """
        block, kernel, groups, width = BLOCK_FRAMES, self._kernel, self._groups, self._width
        left, _ = self._padding()
        n_before = -(-left // block)  # input blocks before the output block
        n_read = -(-(n_before * block - left + block - 1 + kernel) // block)  # input blocks that an output block reads
        frames = g.size(hidden, 1)
        blocks = g("Div", g("Add", frames, g.vector(block - 1)), g.vector(block))
        after = g("Sub", g("Mul", g("Add", blocks, g.vector(n_read - 1 - n_before)), g.vector(block)), frames)
        pads = g("Concat", g.vector(0, n_before * block, 0, 0), after, g.vector(0), axis=0)
        quantized, scale, zero_point = quantize_dynamically(g, g("Pad", hidden, pads))
        by_group = g("Reshape", quantized, g.vector(0, -1, block, groups, width))
        by_group = g("Transpose", by_group, perm=[3, 0, 1, 2, 4])  # [groups, batch, blocks, R, width]
        by_group = g("Reshape", by_group, g.vector(groups, 0, -1, block * width))
        first_blocks = g("Range", g.scalar(0), g("Squeeze", blocks, g.vector(0)), g.scalar(1))
        indices = g("Add", g("Unsqueeze", first_blocks, g.vector(1)), g.constant(np.arange(n_read), np.int64))
        outputs = []
        for i, group in enumerate(g.op("Split", by_group, outputs=groups, axis=0, num_outputs=groups)):
            channels = g("Squeeze", group, g.vector(0))
            rows = g("Reshape", g("Gather", channels, indices, axis=1), g.vector(0, 0, n_read * block * width))
            layer = self.banded_layer(i, block, n_read, n_before * block - left)
            output = self._layers.add_int8(g, (rows, scale, zero_point), layer)
            outputs.append(g("Reshape", output, g.vector(0, -1, width)))
        return g.slice(g("Concat", *outputs, axis=-1), g.vector(0), frames, 1)

    def banded_layer(self, group: int, block: int, n_read: int, offset: int) -> LinearLayer:
        """Return the matrix of a group of channels: `block` copies of the kernel, each shifted by one frame more.

        Parameters
        ----------
        group : int
        block : int
            Output frames.
        n_read : int
            Blocks of input frames.
        offset : int
            First input frame that the first output frame reads.

        Returns
        -------
        LinearLayer
            Matrix ``(n_read · block · width, block · width)``.
        """
        width = self._width
        rows = slice(group * width, (group + 1) * width)
        kernel = self._weight[rows].transpose(2, 1, 0)  # (k, inner, outer)
        matrix = np.zeros((n_read * block, width, block, width), np.float32)
        for i in range(block):
            matrix[offset + i : offset + i + len(kernel), :, i] = kernel
        bias = np.tile(self._bias[rows], block)
        return LinearLayer(f"{self._name}.{group}", matrix.reshape(n_read * block * width, block * width), bias)
