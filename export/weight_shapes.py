"""Names and shapes of the weights that the graph of an encoder needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from abxfast.export.architecture import Architecture


def expected_shapes(architecture: Architecture, n_blocks: int) -> dict[str, tuple[int, ...]]:
    """Return the shape of every weight that a graph needs.

    Parameters
    ----------
    architecture : Architecture
    n_blocks : int
        Blocks that the graph keeps.

    Returns
    -------
    dict of str to tuple of int
        By the name of the weight in a model without a head.
    """
    hidden, adapter = architecture.hidden_size, architecture.adapter_size
    shapes = architecture.front_end_shapes()
    if architecture.pre_norm and n_blocks == architecture.n_blocks:
        add_norm(shapes, "encoder.layer_norm", hidden)
    for i in range(n_blocks):
        prefix = f"encoder.layers.{i}"
        for side in ("q", "k", "v", "out"):
            add_linear(shapes, f"{prefix}.attention.{side}_proj", hidden, hidden)
        if not architecture.key_bias:
            del shapes[f"{prefix}.attention.k_proj.bias"]
        add_norm(shapes, f"{prefix}.layer_norm", hidden)
        add_norm(shapes, f"{prefix}.final_layer_norm", hidden)
        add_linear(shapes, f"{prefix}.feed_forward.intermediate_dense", hidden, architecture.feed_forward_size)
        add_linear(shapes, f"{prefix}.feed_forward.output_dense", architecture.feed_forward_size, hidden)
        if adapter:
            add_norm(shapes, f"{prefix}.adapter_layer.norm", hidden)
            add_linear(shapes, f"{prefix}.adapter_layer.linear_1", hidden, adapter)
            add_linear(shapes, f"{prefix}.adapter_layer.linear_2", adapter, hidden)
    return shapes


def add_norm(shapes: dict[str, tuple[int, ...]], name: str, width: int) -> None:
    """Add the shapes of a layer norm."""
    shapes[f"{name}.weight"] = shapes[f"{name}.bias"] = (width,)


def add_linear(shapes: dict[str, tuple[int, ...]], name: str, inner: int, outer: int) -> None:
    """Add the shapes of a linear layer."""
    shapes[f"{name}.weight"], shapes[f"{name}.bias"] = (outer, inner), (outer,)
