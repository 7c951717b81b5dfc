"""What a product costs: multiplications for each frame, by the name of the input of its linear layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from abxfast.export.architecture import Architecture


def multiplications(shape: Architecture, layers: int) -> dict[str, int]:
    """Give the multiplications with weights that one frame takes."""
    found = {}
    rows, before = shape.hop, 1
    for i, (width, kernel, stride) in enumerate(
        zip(shape.conv_channels, shape.conv_kernels, shape.conv_strides, strict=True)
    ):
        rows //= stride
        if i:  # the first is in fp32 in any case
            found[f"conv.{i}"] = rows * kernel * before * width
        before = width
    found["projection"] = before * shape.hidden
    found["position"] = shape.pos_kernel * shape.hidden * (shape.hidden // shape.pos_groups)
    for i in range(layers):
        found[f"blocks.{i}.qkv"] = 3 * shape.hidden**2
        found[f"blocks.{i}.out"] = shape.hidden**2
        found[f"blocks.{i}.ffn1"] = found[f"blocks.{i}.ffn2"] = shape.hidden * shape.feed_forward
        if shape.adapter:
            found[f"blocks.{i}.linear_1"] = found[f"blocks.{i}.linear_2"] = shape.hidden * shape.adapter
    return found
