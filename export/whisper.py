"""The family of Whisper: two convolutions over a log-mel spectrogram, and a table of positions.

The spectrogram is computed in the graph, as the feature extractor of transformers does. Whisper was trained on
waveforms padded to 30 s; without padding (`Architecture.pad_samples` 0), positions are cut to the length of the
snippet.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from abxfast.errors import ExportError
from abxfast.export.architecture import SAMPLE_RATE_HZ, Architecture
from abxfast.export.checkpoint_files import PREPROCESSOR
from abxfast.export.frontend import set_length, unfold
from abxfast.export.graph import DOUBLE, FLOAT
from abxfast.export.linear import LinearLayer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from abxfast.export.architecture import ComputeStates
    from abxfast.export.graph import Graph
    from abxfast.export.linear import LinearLayers

MODEL_TYPES = ("whisper",)
TITLES = ("Whisper",)
WINDOW_SAMPLES = 400
"""Length of a frame of the spectrogram, and of the Fourier transform."""
MEL_HOP_SAMPLES = 160
"""Distance between consecutive frames of the spectrogram."""
CONV_KERNEL = 3
CONV_STRIDE = 2
"""Of the second convolution; that of the first is 1."""
MIN_POWER = 1e-10
DYNAMIC_RANGE = 8.0
"""Powers of ten below the maximum of the snippet at which the spectrogram is cut off."""
NAMES = {
    ".attention.": ".self_attn.",
    ".feed_forward.intermediate_dense.": ".fc1.",
    ".feed_forward.output_dense.": ".fc2.",
    ".layer_norm.": ".self_attn_layer_norm.",
}
"""Parts of the names of a block's weights in wav2vec 2.0, and in Whisper."""


@dataclass(frozen=True, kw_only=True)
class Whisper(Architecture):
    """The shape of a model of the family.

    Attributes
    ----------
    n_mels : int
        Mel bands of the spectrogram.
    n_positions : int
        Frames of the longest snippet.
    """

    unused_weights = re.compile(r"decoder\.|proj_out\.|projector\.|classifier\.|layer_weights$|encoder\.layer_norm\.")

    row_scaled = frozenset({"ffn2"})

    n_mels: int
    n_positions: int

    @property
    def hop_samples(self) -> int:
        """Samples between consecutive frames."""
        return CONV_STRIDE * MEL_HOP_SAMPLES

    @property
    def least_samples(self) -> int:
        """Samples of the shortest waveform: it is reflected at both ends, by half a window."""
        return WINDOW_SAMPLES // 2 + 1

    @property
    def most_samples(self) -> int:
        """Samples of the longest waveform, for which there are positions."""
        return self.n_positions * self.hop_samples

    @property
    def weight_prefix(self) -> str:
        """Prefix of the names of weights in a model with a head."""
        return "model."

    def checkpoint_name(self, name: str) -> str:
        """Return the name of a weight in a checkpoint, without `weight_prefix`."""
        if name.startswith("encoder.layers."):
            for part, replacement in NAMES.items():
                name = name.replace(part, replacement)
        return name

    def read_preprocessor(self, settings: Mapping[str, Any] | None, file: str) -> tuple[bool, str]:
        """Return whether waveforms are normalised, and where that is declared."""
        if settings is None:
            return False, f"no {PREPROCESSOR}: not normalised, as all published Whisper models"
        for key, expected in (
            ("feature_size", self.n_mels),
            ("n_fft", WINDOW_SAMPLES),
            ("hop_length", MEL_HOP_SAMPLES),
            ("dither", 0.0),
        ):
            if settings.get(key, expected) != expected:
                raise ExportError(f"{file}: {key} is {settings[key]!r}, only {expected!r} is supported")
        return bool(settings.get("do_normalize", False)), PREPROCESSOR

    def front_end_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the weights up to hidden state 0, by name."""
        hidden = self.hidden_size
        return {
            "encoder.conv1.weight": (hidden, self.n_mels, CONV_KERNEL),
            "encoder.conv1.bias": (hidden,),
            "encoder.conv2.weight": (hidden, hidden, CONV_KERNEL),
            "encoder.conv2.bias": (hidden,),
            "encoder.embed_positions.weight": (self.n_positions, hidden),
        }

    def front_end_multiplications(self) -> dict[str, int]:
        """Return the multiplications per frame by input, without the first convolution, which is always in fp32."""
        return {"conv.2": CONV_KERNEL * self.hidden_size**2}

    def add_front_end(
        self,
        g: Graph,
        wave: str,
        weights: Mapping[str, NDArray[np.float32]],
        layers: LinearLayers,
        chunk_frames: int = 0,
    ) -> str:
        """Add spectrogram, convolutions and positions; see `Architecture.add_front_end`."""
        del chunk_frames  # a spectrogram fits into the cache at any length
        if self.pad_samples:
            samples = g.size(wave, 1)
            wave = set_length(g, wave, samples, g("Max", samples, g.vector(self.pad_samples)))
        mel = self.add_log_mel(g, wave)
        rows = g.size(mel, 1)
        first = _to_matrix("conv.1", weights, "encoder.conv1")
        padded = g("Pad", mel, g.vector(0, 1, 0, 0, 1, 0))
        unfolded = unfold(g, padded, CONV_KERNEL, 1, self.n_mels)
        product = g("MatMul", unfolded, g.constant(first.weight, np.float32))
        value = g("Gelu", g("Add", product, g.constant(first.bias, np.float32)))
        frames = _half_rounded_up(g, rows)
        length = g("Mul", g("Add", frames, g.vector(1)), g.vector(CONV_STRIDE))  # the last two rows are read half
        after = g("Sub", g("Sub", length, rows), g.vector(1))
        padded = g("Pad", value, g("Concat", g.vector(0, 1, 0, 0), after, g.vector(0), axis=0))
        second = _to_matrix("conv.2", weights, "encoder.conv2")
        convolved = layers.add_unfolded(
            g, padded, second, lambda value: unfold(g, value, CONV_KERNEL, CONV_STRIDE, self.hidden_size)
        )
        hidden = g("Gelu", layers.to_float32(g, convolved))
        positions = g.constant(weights["encoder.embed_positions.weight"], np.float32)
        return g("Add", hidden, g.slice(positions, g.vector(0), frames, 0))

    def add_log_mel(self, g: Graph, wave: str) -> str:
        """Add the spectrogram of waveforms ``[batch, samples]``: ``[batch, samples // 160, bands]``.

        The Fourier transform is computed in float64: the quietest bands that are not cut off have 1e-8 of the power of
        the loudest, which is the rounding error of products in float32.
        """
        half = WINDOW_SAMPLES // 2
        rows = g("Div", g.size(wave, 1), g.vector(MEL_HOP_SAMPLES))
        reflected = g("Pad", wave, g.vector(0, half, 0, half), mode="reflect")
        n_extra = -(-WINDOW_SAMPLES // MEL_HOP_SAMPLES) - 1
        length = g("Mul", g("Add", rows, g.vector(n_extra)), g.vector(MEL_HOP_SAMPLES))
        cut = set_length(g, reflected, g.size(reflected, 1), length)
        windows = g("Cast", unfold(g, cut, WINDOW_SAMPLES, MEL_HOP_SAMPLES, 1), to=DOUBLE)
        real, imaginary = (g("MatMul", windows, g.constant(basis, np.float64)) for basis in _fourier_basis())
        power = g("Add", g("Mul", real, real), g("Mul", imaginary, imaginary))
        bands = g("Cast", g("MatMul", power, g.constant(_mel_filters(self.n_mels), np.float64)), to=FLOAT)
        log = g("Log", g("Max", bands, g.constant(MIN_POWER, np.float32)))
        log10 = g("Mul", log, g.constant(1 / np.log(10), np.float32))
        floor = g("Sub", g("ReduceMax", log10, g.vector(1, 2)), g.constant(DYNAMIC_RANGE, np.float32))
        shifted = g("Add", g("Max", log10, floor), g.constant(4, np.float32))
        return g("Mul", shifted, g.constant(0.25, np.float32))

    def add_snippet_frames(self, g: Graph, wave: str) -> str | None:
        """Add the number of frames without those of padding; return None if there is no padding."""
        if not self.pad_samples:
            return None
        return _half_rounded_up(g, g("Div", g.size(wave, 1), g.vector(MEL_HOP_SAMPLES)))

    def reference(self, model: Any, extract: Any, *, normalise: bool) -> ComputeStates:
        """Return the function that computes the hidden states of a waveform in transformers."""
        import torch

        if extract is None:
            from transformers import WhisperFeatureExtractor

            extract = WhisperFeatureExtractor(feature_size=self.n_mels)  # type: ignore[no-untyped-call]
        encoder = model.encoder

        def compute(wave: NDArray[np.float32]) -> list[NDArray[np.float32]]:
            settings = {"sampling_rate": SAMPLE_RATE_HZ, "do_normalize": normalise, "return_tensors": "pt"}
            if self.pad_samples > len(wave):
                features = extract(wave, padding="max_length", max_length=self.pad_samples, **settings).input_features
            else:
                features = extract(wave, padding=False, **settings).input_features
            # transformers insists on the number of frames for which the model has positions
            encoder.config.max_source_positions = features.shape[-1] / CONV_STRIDE
            encoder.embed_positions.num_embeddings = -(-features.shape[-1] // CONV_STRIDE)
            with torch.inference_mode():
                states = encoder(features, output_hidden_states=True).hidden_states
            n_kept = -(-(len(wave) // MEL_HOP_SAMPLES) // CONV_STRIDE)
            return [state[0, :n_kept].numpy() for state in states]

        return compute


def read_config(config: Mapping[str, Any], file: str) -> Whisper:
    """Read the shape of a model from config.json.

    Raises
    ------
    ExportError
        If it uses an unsupported option, or makes no sense.
    KeyError, TypeError, ValueError
        If a value is missing or of the wrong type.
    """
    activation = config.get("activation_function", "gelu")
    if activation != "gelu":
        raise ExportError(f"{file}: activation_function is {activation!r}, only 'gelu' is supported")
    architecture = Whisper(
        model_type=config["model_type"],
        hidden_size=int(config["d_model"]),
        n_blocks=int(config["encoder_layers"]),
        n_heads=int(config["encoder_attention_heads"]),
        feed_forward_size=int(config["encoder_ffn_dim"]),
        key_bias=False,
        n_mels=int(config.get("num_mel_bins", 80)),
        n_positions=int(config.get("max_source_positions", 1500)),
    )
    if min(architecture.n_mels, architecture.n_positions) < 1:
        raise ExportError(f"{file}: a size is not positive")
    return architecture


def _half_rounded_up(g: Graph, rows: str) -> str:
    return g("Div", g("Add", rows, g.vector(1)), g.vector(CONV_STRIDE))


def _to_matrix(name: str, weights: Mapping[str, NDArray[np.float32]], prefix: str) -> LinearLayer:
    """Return a convolution as a matrix ``(k · inner, outer)``, rows in the order of time."""
    kernels = weights[f"{prefix}.weight"]  # (outer, inner, k)
    matrix = np.ascontiguousarray(kernels.transpose(2, 1, 0).reshape(-1, len(kernels)))
    return LinearLayer(name, matrix, weights[f"{prefix}.bias"])


def _fourier_basis() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return cosines and sines under a periodic Hann window, each ``(window, bins)``."""
    samples = np.arange(WINDOW_SAMPLES)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * samples / WINDOW_SAMPLES)
    angles = 2 * np.pi / WINDOW_SAMPLES * (np.outer(samples, np.arange(WINDOW_SAMPLES // 2 + 1)) % WINDOW_SAMPLES)
    return window[:, None] * np.cos(angles), window[:, None] * np.sin(angles)


def _mel_filters(n_mels: int) -> NDArray[np.float64]:
    """Return the triangular filters of Whisper: ``(bins, bands)``."""
    from transformers.audio_utils import mel_filter_bank

    return mel_filter_bank(
        num_frequency_bins=WINDOW_SAMPLES // 2 + 1,
        num_mel_filters=n_mels,
        min_frequency=0.0,
        max_frequency=SAMPLE_RATE_HZ / 2,
        sampling_rate=SAMPLE_RATE_HZ,
        norm="slaney",
        mel_scale="slaney",
    )
