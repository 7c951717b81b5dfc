"""Names and shapes of the weights that the graph of an encoder needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abxfast.export.position import PREFIX as POSITION

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
    shapes = _front_end_shapes(architecture)
    if not architecture.pre_norm or n_blocks == architecture.n_blocks:
        _add_norm(shapes, "encoder.layer_norm", hidden)
    for i in range(n_blocks):
        prefix = f"encoder.layers.{i}"
        for side in ("q", "k", "v", "out"):
            _add_linear(shapes, f"{prefix}.attention.{side}_proj", hidden, hidden)
        _add_norm(shapes, f"{prefix}.layer_norm", hidden)
        _add_norm(shapes, f"{prefix}.final_layer_norm", hidden)
        _add_linear(shapes, f"{prefix}.feed_forward.intermediate_dense", hidden, architecture.feed_forward_size)
        _add_linear(shapes, f"{prefix}.feed_forward.output_dense", architecture.feed_forward_size, hidden)
        if adapter:
            _add_norm(shapes, f"{prefix}.adapter_layer.norm", hidden)
            _add_linear(shapes, f"{prefix}.adapter_layer.linear_1", hidden, adapter)
            _add_linear(shapes, f"{prefix}.adapter_layer.linear_2", adapter, hidden)
    return shapes


def _front_end_shapes(architecture: Architecture) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the weights up to hidden state 0, but for a norm after the position embedding."""
    shapes: dict[str, tuple[int, ...]] = {}
    in_channels = 1
    for i, (channels, kernel) in enumerate(zip(architecture.conv_channels, architecture.conv_kernels, strict=True)):
        prefix = f"feature_extractor.conv_layers.{i}"
        shapes[f"{prefix}.conv.weight"] = (channels, in_channels, kernel)
        if architecture.conv_bias:
            shapes[f"{prefix}.conv.bias"] = (channels,)
        if architecture.conv_norm == "layer" or i == 0:
            _add_norm(shapes, f"{prefix}.layer_norm", channels)
        in_channels = channels
    hidden = architecture.hidden_size
    if architecture.projection_norm:
        _add_norm(shapes, "feature_projection.layer_norm", in_channels)
    _add_linear(shapes, "feature_projection.projection", in_channels, hidden)
    shapes[f"{POSITION}.weight"] = (hidden, hidden // architecture.pos_groups, architecture.pos_kernel)
    shapes[f"{POSITION}.bias"] = (hidden,)
    return shapes


def _add_norm(shapes: dict[str, tuple[int, ...]], name: str, width: int) -> None:
    shapes[f"{name}.weight"] = shapes[f"{name}.bias"] = (width,)


def _add_linear(shapes: dict[str, tuple[int, ...]], name: str, inner: int, outer: int) -> None:
    shapes[f"{name}.weight"], shapes[f"{name}.bias"] = (outer, inner), (outer,)
