"""Cost of the linear layers in multiplications per frame, by the name of their input."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from abxfast.export.architecture import Architecture


def multiplications_per_frame(architecture: Architecture, n_blocks: int) -> dict[str, int]:
    """Return the multiplications with weights that one frame takes.

    Parameters
    ----------
    architecture : Architecture
    n_blocks : int
        Blocks that the encoder keeps.

    Returns
    -------
    dict of str to int
        By the name of the input. The first convolution, which is always in fp32, is left out.
    """
    counts, hidden = architecture.front_end_multiplications(), architecture.hidden_size
    for i in range(n_blocks):
        counts[f"blocks.{i}.qkv"] = 3 * hidden**2
        counts[f"blocks.{i}.out"] = hidden**2
        counts[f"blocks.{i}.ffn1"] = counts[f"blocks.{i}.ffn2"] = hidden * architecture.feed_forward_size
        if architecture.adapter_size:
            counts[f"blocks.{i}.linear_1"] = counts[f"blocks.{i}.linear_2"] = hidden * architecture.adapter_size
    return counts
