"""The shape of a model, as its config.json describes it: known before any weight is read."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from abxfast.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Mapping

MODEL_TYPES = ("wav2vec2", "hubert")
SUPPORTED = "supported are wav2vec 2.0 (XLSR-53, XLS-R, MMS) and HuBERT"
SAMPLE_RATE_HZ = 16_000
REQUIRED_VALUES = (
    ("hidden_act", "gelu"),
    ("feat_extract_activation", "gelu"),
    ("conv_pos_batch_norm", False),
    ("position_embeddings_type", None),
)
"""Keys of config.json that may be absent, and the only value that is supported."""


@dataclass(frozen=True)
class Architecture:
    """The shape of a wav2vec 2.0 or HuBERT model.

    Attributes
    ----------
    model_type : str
        One of `MODEL_TYPES`, which is also the prefix of the names of weights in a model with a head.
    hidden_size : int
        Width of the transformer.
    n_blocks, n_heads : int
        Transformer blocks, and attention heads of each.
    feed_forward_size : int
        Width of the hidden layer of a block's feed-forward network.
    conv_channels, conv_kernels, conv_strides : tuple of int
        Output channels, kernel sizes and strides of the convolutions of the front end.
    conv_bias : bool
        Whether these convolutions have a bias.
    conv_norm : str
        ``layer``: each convolution is followed by a layer norm over channels; ``group``: only the first one, by a norm
        over time of each channel.
    pre_norm : bool
        Whether blocks apply the layer norm before attention and feed-forward network (``do_stable_layer_norm``), or
        after.
    projection_norm : bool
        Whether there is a layer norm before the projection to `hidden_size`.
    pos_kernel, pos_groups : int
        Kernel size and groups of the convolutional position embedding.
    adapter_size : int
        Width of the adapter in each block; 0 if there is none.
    norm_eps : float
        Epsilon of the layer norms from the projection on.
    """

    model_type: str
    hidden_size: int
    n_blocks: int
    n_heads: int
    feed_forward_size: int
    conv_channels: tuple[int, ...]
    conv_kernels: tuple[int, ...]
    conv_strides: tuple[int, ...]
    conv_bias: bool
    conv_norm: str
    pre_norm: bool
    projection_norm: bool
    pos_kernel: int
    pos_groups: int
    adapter_size: int
    norm_eps: float

    @property
    def hop_samples(self) -> int:
        """Samples between consecutive frames."""
        return math.prod(self.conv_strides)

    @property
    def receptive_field_samples(self) -> int:
        """Samples that one frame depends on."""
        samples = 1
        for kernel, stride in zip(reversed(self.conv_kernels), reversed(self.conv_strides), strict=True):
            samples = (samples - 1) * stride + kernel
        return samples


def read_architecture(config: Mapping[str, Any], file: str) -> Architecture:
    """Read the shape of a model from its configuration.

    Parameters
    ----------
    config : mapping
        Content of config.json.
    file : str
        Name of the file, for error messages.

    Raises
    ------
    ExportError
        If the model is of an unsupported type, or uses an unsupported option.
    """
    model_type = config.get("model_type")
    if model_type not in MODEL_TYPES:
        raise ExportError(f"{file}: model_type is {model_type!r}; {SUPPORTED}")
    for key, expected in REQUIRED_VALUES:
        if config.get(key, expected) != expected:
            raise ExportError(f"{file}: {key} is {config[key]!r}, only {expected!r} is supported")
    try:
        pre_norm = bool(config.get("do_stable_layer_norm", False))
        channels, kernels, strides = (
            tuple(int(size) for size in config[f"conv_{key}"]) for key in ("dim", "kernel", "stride")
        )
        architecture = Architecture(
            model_type=model_type,
            hidden_size=int(config["hidden_size"]),
            n_blocks=int(config["num_hidden_layers"]),
            n_heads=int(config["num_attention_heads"]),
            feed_forward_size=int(config["intermediate_size"]),
            conv_channels=channels,
            conv_kernels=kernels,
            conv_strides=strides,
            conv_bias=bool(config.get("conv_bias", False)),
            conv_norm=str(config.get("feat_extract_norm", "group")),
            pre_norm=pre_norm,
            projection_norm=bool(config.get("feat_proj_layer_norm", True)),
            pos_kernel=int(config.get("num_conv_pos_embeddings", 128)),
            pos_groups=int(config.get("num_conv_pos_embedding_groups", 16)),
            adapter_size=int(config.get("adapter_attn_dim") or 0) if pre_norm else 0,
            norm_eps=float(config.get("layer_norm_eps", 1e-5)),
        )
    except KeyError as error:
        raise ExportError(f"{file}: no {error.args[0]!r}, which a {model_type} model needs") from error
    except (TypeError, ValueError) as error:
        raise ExportError(f"{file}: cannot be read as the shape of a {model_type} model ({error})") from error
    _check(architecture, file)
    return architecture


def _check(architecture: Architecture, file: str) -> None:
    sizes = (
        architecture.hidden_size,
        architecture.n_blocks,
        architecture.n_heads,
        architecture.feed_forward_size,
        architecture.pos_kernel,
        architecture.pos_groups,
    )
    channels, kernels, strides = architecture.conv_channels, architecture.conv_kernels, architecture.conv_strides
    if min(sizes) < 1 or not channels:
        raise ExportError(f"{file}: a size is not positive")
    if not len(channels) == len(kernels) == len(strides):
        raise ExportError(f"{file}: conv_dim, conv_kernel and conv_stride differ in length")
    if any(kernel < stride or stride < 1 for kernel, stride in zip(kernels, strides, strict=True)):
        raise ExportError(f"{file}: the kernel of a convolution is shorter than its stride")
    if architecture.hidden_size % architecture.n_heads or architecture.hidden_size % architecture.pos_groups:
        raise ExportError(
            f"{file}: hidden_size {architecture.hidden_size} is not a multiple of the number of heads and of the "
            "number of position groups"
        )
    if architecture.conv_norm not in ("layer", "group"):
        raise ExportError(f"{file}: feat_extract_norm is {architecture.conv_norm!r}, expected 'layer' or 'group'")
