"""The family of data2vec-audio: as wav2vec 2.0, but with several convolutions as position embedding."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from abxfast.export import wav2vec2
from abxfast.export.frontend import layer_norm
from abxfast.export.position import PositionConvolution

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from abxfast.export.graph import Graph
    from abxfast.export.linear import LinearLayers

MODEL_TYPES = ("data2vec-audio",)
TITLES = ("data2vec-audio",)
NORM_EPS = 1e-5
"""Epsilon of the norms of the position embedding: PyTorch's default, which config.json does not change."""


@dataclass(frozen=True, kw_only=True)
class Data2VecAudio(wav2vec2.Wav2Vec2):
    """The shape of a model of the family.

    Attributes
    ----------
    n_position_layers : int
        Convolutions of the position embedding.
    """

    weight_norms: ClassVar[tuple[str, ...]] = ()

    n_position_layers: int

    @property
    def convolution_inputs(self) -> tuple[str, ...]:
        """Names of the inputs of the convolutions of the position embedding."""
        return tuple(f"position{i}" for i in range(self.n_position_layers))

    def position_names(self) -> tuple[str, ...]:
        """Return the names of the convolutions of the position embedding."""
        return tuple(f"encoder.pos_conv_embed.layers.{i}.conv" for i in range(self.n_position_layers))

    def add_positions(
        self, g: Graph, hidden: str, weights: Mapping[str, NDArray[np.float32]], layers: LinearLayers
    ) -> str:
        """Add the position embedding: convolutions, each followed by a norm without weights, and a GELU."""
        one, zero = np.ones(self.hidden_size, np.float32), np.zeros(self.hidden_size, np.float32)
        for prefix, name in zip(self.position_names(), self.convolution_inputs, strict=True):
            convolved = PositionConvolution(weights, layers, prefix, name).add(g, hidden)
            hidden = g("Gelu", layer_norm(g, convolved, one, zero, NORM_EPS))
        return hidden


def read_config(config: Mapping[str, Any], file: str) -> Data2VecAudio:
    """Read the shape of a model from config.json; see `abxfast.export.wav2vec2.read_config`."""
    as_wav2vec2 = {
        "feat_extract_norm": "layer",
        "do_stable_layer_norm": False,
        "feat_proj_layer_norm": True,
        "num_conv_pos_embeddings": config.get("conv_pos_kernel_size", 19),
    }
    shape = wav2vec2.read_config({**config, **as_wav2vec2, "adapter_attn_dim": None}, file)
    values = {field.name: getattr(shape, field.name) for field in fields(shape)}
    return Data2VecAudio(**values, n_position_layers=int(config.get("num_conv_pos_embeddings", 5)))
