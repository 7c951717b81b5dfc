"""The family of wav2vec 2.0: convolutions over the waveform, and a convolution as position embedding."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from abxfast.errors import ExportError
from abxfast.export.architecture import Architecture, normalise_wave
from abxfast.export.checkpoint_files import PREPROCESSOR
from abxfast.export.frontend import Convolutions, FrontEnd, layer_norm
from abxfast.export.linear import LinearLayer
from abxfast.export.position import PREFIX as POSITION
from abxfast.export.position import PositionConvolution
from abxfast.export.weight_shapes import add_linear, add_norm

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from abxfast.export.architecture import ComputeStates
    from abxfast.export.graph import Graph
    from abxfast.export.linear import LinearLayers

MODEL_TYPES = ("wav2vec2", "hubert", "unispeech", "unispeech-sat")
TITLES = ("wav2vec 2.0 (XLSR-53, XLS-R, MMS)", "HuBERT", "UniSpeech", "UniSpeech-SAT")
REQUIRED_VALUES = (
    ("hidden_act", "gelu"),
    ("feat_extract_activation", "gelu"),
    ("conv_pos_batch_norm", False),
    ("position_embeddings_type", None),
)
"""Keys of config.json that may be absent, and the only value that is supported."""


@dataclass(frozen=True, kw_only=True)
class Wav2Vec2(Architecture):
    """The shape of a model of the family.

    Attributes
    ----------
    conv : Convolutions
    projection_norm : bool
        Whether there is a layer norm before the projection to `hidden_size`.
    pos_kernel, pos_groups : int
        Kernel size and groups of the convolutional position embedding.
    """

    unused_weights = re.compile(
        r"quantizer\.|project_q\.|project_hid\.|lm_head\.|classifier\.|projector\.|layer_weights$|label_embeddings_concat$"
        r"|final_proj\.|adapter\.|tdnn\.|feature_extractor\.(weight|bias)$|objective\.|masked_spec_embed$"
        r"|encoder\.layer_norm\.|speaker_proj\.|ctc_proj\.|layer_norm_for_extract\."
    )
    weight_norms: ClassVar[tuple[str, ...]] = (POSITION,)

    conv: Convolutions
    projection_norm: bool
    pos_kernel: int
    pos_groups: int

    @property
    def hop_samples(self) -> int:
        """Samples between consecutive frames."""
        return self.conv.hop_samples

    @property
    def least_samples(self) -> int:
        """Samples of the shortest waveform that has a frame."""
        return self.conv.least_samples

    @property
    def convolution_inputs(self) -> tuple[str, ...]:
        """Names of the inputs of the position embedding."""
        return ("position",)

    @property
    def weight_prefix(self) -> str:
        """Prefix of the names of weights in a model with a head."""
        return f"{self.model_type.replace('-', '_')}."

    def read_preprocessor(self, settings: Mapping[str, Any] | None, file: str) -> tuple[bool, str]:  # noqa: ARG002
        """Return whether waveforms are normalised, and where that is declared."""
        if settings is None:
            return self.conv.norm == "layer", f"no {PREPROCESSOR}: by feat_extract_norm {self.conv.norm!r}"
        return bool(settings.get("do_normalize", True)), PREPROCESSOR

    def front_end_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the weights up to hidden state 0, by name."""
        shapes: dict[str, tuple[int, ...]] = {}
        in_channels = 1
        for i, (channels, kernel) in enumerate(zip(self.conv.channels, self.conv.kernels, strict=True)):
            prefix = f"feature_extractor.conv_layers.{i}"
            shapes[f"{prefix}.conv.weight"] = (channels, in_channels, kernel)
            if self.conv.bias:
                shapes[f"{prefix}.conv.bias"] = (channels,)
            if self.conv.norm == "layer" or i == 0:
                add_norm(shapes, f"{prefix}.layer_norm", channels)
            in_channels = channels
        hidden = self.hidden_size
        if self.projection_norm:
            add_norm(shapes, "feature_projection.layer_norm", in_channels)
        add_linear(shapes, "feature_projection.projection", in_channels, hidden)
        for name in self.position_names():
            shapes[f"{name}.weight"] = (hidden, hidden // self.pos_groups, self.pos_kernel)
            shapes[f"{name}.bias"] = (hidden,)
        if not self.pre_norm:
            add_norm(shapes, "encoder.layer_norm", hidden)
        return shapes

    def front_end_multiplications(self) -> dict[str, int]:
        """Return the multiplications per frame by input, without the first convolution, which is always in fp32."""
        counts = {}
        rows_per_frame, in_channels = self.hop_samples, 1
        for i, (channels, kernel, stride) in enumerate(
            zip(self.conv.channels, self.conv.kernels, self.conv.strides, strict=True)
        ):
            rows_per_frame //= stride
            if i:
                counts[f"conv.{i}"] = rows_per_frame * kernel * in_channels * channels
            in_channels = channels
        counts["projection"] = in_channels * self.hidden_size
        of_position = self.pos_kernel * self.hidden_size * (self.hidden_size // self.pos_groups)
        return counts | dict.fromkeys(self.convolution_inputs, of_position)

    def add_front_end(
        self,
        g: Graph,
        wave: str,
        weights: Mapping[str, NDArray[np.float32]],
        layers: LinearLayers,
        chunk_frames: int = 0,
    ) -> str:
        """Add convolutions, projection and position embedding; see `Architecture.add_front_end`."""

        def norm(value: str, name: str) -> str:
            return layer_norm(g, value, weights[f"{name}.weight"], weights[f"{name}.bias"], self.norm_eps)

        frames = FrontEnd(self.conv, weights, layers, chunk_frames).add(g, wave)
        if self.projection_norm:
            frames = norm(frames, "feature_projection.layer_norm")
        matrix = np.ascontiguousarray(weights["feature_projection.projection.weight"].T)
        projection = LinearLayer("projection", matrix, weights["feature_projection.projection.bias"])
        hidden = layers.to_float32(g, layers.add(g, frames, [projection], projection.name)[0])
        hidden = g("Add", hidden, self.add_positions(g, hidden, weights, layers))
        return hidden if self.pre_norm else norm(hidden, "encoder.layer_norm")

    def position_names(self) -> tuple[str, ...]:
        """Return the names of the convolutions of the position embedding."""
        return (POSITION,)

    def add_positions(
        self, g: Graph, hidden: str, weights: Mapping[str, NDArray[np.float32]], layers: LinearLayers
    ) -> str:
        """Add the position embedding of frames ``[batch, frames, hidden]``, of the same shape."""
        return g("Gelu", PositionConvolution(weights, layers).add(g, hidden))

    def reference(self, model: Any, extract: Any, *, normalise: bool) -> ComputeStates:
        """Return the function that computes the hidden states of a waveform in transformers."""
        import torch

        def compute(wave: NDArray[np.float32]) -> list[NDArray[np.float32]]:
            if extract is not None:
                wave = extract(wave, sampling_rate=extract.sampling_rate).input_values[0]
            elif normalise:
                wave = normalise_wave(wave)
            values = torch.from_numpy(np.asarray(wave, np.float32))[None]
            with torch.inference_mode():
                states = model(values, output_hidden_states=True).hidden_states
            return [state[0].numpy() for state in states]

        return compute


def read_config(config: Mapping[str, Any], file: str) -> Wav2Vec2:
    """Read the shape of a model from config.json.

    Raises
    ------
    ExportError
        If it uses an unsupported option, or makes no sense.
    KeyError, TypeError, ValueError
        If a value is missing or of the wrong type.
    """
    for key, expected in REQUIRED_VALUES:
        if config.get(key, expected) != expected:
            raise ExportError(f"{file}: {key} is {config[key]!r}, only {expected!r} is supported")
    pre_norm = bool(config.get("do_stable_layer_norm", False))
    channels, kernels, strides = (
        tuple(int(size) for size in config[f"conv_{key}"]) for key in ("dim", "kernel", "stride")
    )
    conv_bias, conv_norm = bool(config.get("conv_bias", False)), str(config.get("feat_extract_norm", "group"))
    architecture = Wav2Vec2(
        model_type=config["model_type"],
        hidden_size=int(config["hidden_size"]),
        n_blocks=int(config["num_hidden_layers"]),
        n_heads=int(config["num_attention_heads"]),
        feed_forward_size=int(config["intermediate_size"]),
        conv=Convolutions(channels, kernels, strides, conv_bias, conv_norm),
        pre_norm=pre_norm,
        projection_norm=bool(config.get("feat_proj_layer_norm", True)),
        pos_kernel=int(config.get("num_conv_pos_embeddings", 128)),
        pos_groups=int(config.get("num_conv_pos_embedding_groups", 16)),
        adapter_size=int(config.get("adapter_attn_dim") or 0) if pre_norm else 0,
        norm_eps=float(config.get("layer_norm_eps", 1e-5)),
    )
    _check(architecture, file)
    return architecture


def _check(architecture: Wav2Vec2, file: str) -> None:
    conv = architecture.conv
    if min(architecture.pos_kernel, architecture.pos_groups) < 1 or not conv.channels:
        raise ExportError(f"{file}: a size is not positive")
    if not len(conv.channels) == len(conv.kernels) == len(conv.strides):
        raise ExportError(f"{file}: conv_dim, conv_kernel and conv_stride differ in length")
    if any(kernel < stride or stride < 1 for kernel, stride in zip(conv.kernels, conv.strides, strict=True)):
        raise ExportError(f"{file}: the kernel of a convolution is shorter than its stride")
    if architecture.hidden_size % architecture.pos_groups:
        raise ExportError(
            f"{file}: hidden_size {architecture.hidden_size} is not a multiple of the number of position groups"
        )
    if conv.norm not in ("layer", "group"):
        raise ExportError(f"{file}: feat_extract_norm is {conv.norm!r}, expected 'layer' or 'group'")
