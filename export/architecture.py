"""What is known of a model before its weights: the shape that its config.json tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from abxfast.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Mapping

MODEL_TYPES = ("wav2vec2", "hubert")
SUPPORTED = "supported are wav2vec 2.0 (XLSR-53, XLS-R, MMS) and HuBERT"
SAMPLE_RATE_HZ = 16_000


@dataclass(frozen=True)
class Architecture:
    """The shape of a wav2vec 2.0 or HuBERT model.

    Attributes
    ----------
    model_type : str
        One of `MODEL_TYPES`, which is also the prefix of the weights' names in a model with a head.
    hidden, layers, heads, feed_forward : int
        Of the transformer: width, blocks, attention heads, width of the hidden layer of a block.
    conv_channels, conv_kernels, conv_strides : tuple of int
        Of the convolutions of the front end.
    conv_bias : bool
        Whether they have one.
    conv_norm : str
        ``layer``: each convolution is followed by a layer norm over channels; ``group``: the first one by a norm over
        time, channel by channel.
    stable : bool
        Whether blocks take the norm before attention and feed-forward ("stable layer norm", pre-norm) or after.
    projection_norm : bool
        Whether a layer norm stands before the projection to `hidden`.
    pos_kernel, pos_groups : int
        Of the convolution that tells positions.
    adapter : int
        Width of the adapter in each block; 0 for none.
    eps : float
        Of the layer norms from the projection on.
    """

    model_type: str
    hidden: int
    layers: int
    heads: int
    feed_forward: int
    conv_channels: tuple[int, ...]
    conv_kernels: tuple[int, ...]
    conv_strides: tuple[int, ...]
    conv_bias: bool
    conv_norm: str
    stable: bool
    projection_norm: bool
    pos_kernel: int
    pos_groups: int
    adapter: int
    eps: float

    @property
    def hop(self) -> int:
        """Samples from one frame to the next."""
        product = 1
        for stride in self.conv_strides:
            product *= stride
        return product

    @property
    def receptive(self) -> int:
        """Samples that one frame sees."""
        samples = 1
        for kernel, stride in zip(reversed(self.conv_kernels), reversed(self.conv_strides), strict=True):
            samples = (samples - 1) * stride + kernel
        return samples


def read_architecture(config: Mapping[str, Any], file: str) -> Architecture:
    """Read the shape out of a config.json.

    Parameters
    ----------
    config : mapping
        Its content.
    file : str
        Its name, for messages.

    Raises
    ------
    ExportError
        Where the model is of another kind, or an option is set that is not supported.
    """
    kind = config.get("model_type")
    if kind not in MODEL_TYPES:
        raise ExportError(f"{file}: model_type is {kind!r}; {SUPPORTED}")
    for key, expected in (
        ("hidden_act", "gelu"),
        ("feat_extract_activation", "gelu"),
        ("conv_pos_batch_norm", False),
        ("position_embeddings_type", None),
    ):
        if config.get(key, expected) != expected:
            raise ExportError(f"{file}: {key} is {config[key]!r}, only {expected!r} is supported")
    try:
        stable = bool(config.get("do_stable_layer_norm", False))
        convolutions = [tuple(int(v) for v in config[f"conv_{key}"]) for key in ("dim", "kernel", "stride")]
        shape = Architecture(
            model_type=kind,
            hidden=int(config["hidden_size"]),
            layers=int(config["num_hidden_layers"]),
            heads=int(config["num_attention_heads"]),
            feed_forward=int(config["intermediate_size"]),
            conv_channels=convolutions[0],
            conv_kernels=convolutions[1],
            conv_strides=convolutions[2],
            conv_bias=bool(config.get("conv_bias", False)),
            conv_norm=str(config.get("feat_extract_norm", "group")),
            stable=stable,
            projection_norm=bool(config.get("feat_proj_layer_norm", True)),
            pos_kernel=int(config.get("num_conv_pos_embeddings", 128)),
            pos_groups=int(config.get("num_conv_pos_embedding_groups", 16)),
            adapter=int(config.get("adapter_attn_dim") or 0) if stable else 0,
            eps=float(config.get("layer_norm_eps", 1e-5)),
        )
    except KeyError as error:
        raise ExportError(f"{file}: no {error.args[0]!r}, which a {kind} model has") from error
    except (TypeError, ValueError) as error:
        raise ExportError(f"{file}: cannot be read as the shape of a {kind} model ({error})") from error
    _check(shape, file)
    return shape


def _check(shape: Architecture, file: str) -> None:
    sizes = (shape.hidden, shape.layers, shape.heads, shape.feed_forward, shape.pos_kernel, shape.pos_groups)
    if min(sizes) < 1 or not shape.conv_channels:
        raise ExportError(f"{file}: a size is not positive")
    if len({len(shape.conv_channels), len(shape.conv_kernels), len(shape.conv_strides)}) != 1:
        raise ExportError(f"{file}: conv_dim, conv_kernel and conv_stride differ in length")
    if any(k < s or s < 1 for k, s in zip(shape.conv_kernels, shape.conv_strides, strict=True)):
        raise ExportError(f"{file}: a convolution's kernel is shorter than its stride")
    if shape.hidden % shape.heads or shape.hidden % shape.pos_groups:
        raise ExportError(f"{file}: hidden_size {shape.hidden} is no multiple of the heads and of the groups")
    if shape.conv_norm not in ("layer", "group"):
        raise ExportError(f"{file}: feat_extract_norm is {shape.conv_norm!r}, expected 'layer' or 'group'")
