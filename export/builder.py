"""Build and write the model of a checkpoint, again with more layers in fp32 if it is not close enough."""

from __future__ import annotations

import logging
import os
import platform
from dataclasses import replace
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING

from abxfast._version import __version__
from abxfast.encoders import METADATA_PREFIX, EncoderInfo
from abxfast.export.architecture import SAMPLE_RATE_HZ
from abxfast.export.calibration import calibrate, quantization_loss
from abxfast.export.cost import multiplications_per_frame
from abxfast.export.encoder_graph import CHUNK_FRAMES, GraphOptions, build_encoder
from abxfast.export.staging import disk_errors
from abxfast.export.weights import read_weights

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from abxfast.export.calibration_audio import CalibrationAudio
    from abxfast.export.checkpoint import Checkpoint

logger = logging.getLogger(__name__)

MAX_FP16_PEAK = 16_000.0
"""A layer with larger values on the calibration audio stays in fp32: float16 ends at 65,504, and audio varies."""
FP32_BUDGET = 0.04
"""Share of the multiplications that may stay in fp32 if an int8 encoder drifts too far."""


def unsafe_in_fp16(peaks: Mapping[str, float]) -> list[str]:
    """Return the inputs whose layers should stay in fp32 in an fp16 encoder; see `Calibration.input_peaks`."""
    return [name for name, peak in peaks.items() if not peak <= MAX_FP16_PEAK]


class EncoderBuilder:
    """Calibrates a checkpoint once, and writes its model as often as its options change.

    Parameters
    ----------
    path : Path
        Final path of the file, which gives the encoder its name.
    checkpoint : Checkpoint
        With weights, see `fetch_weights`.
    audio : CalibrationAudio
    layers, poolings, precision, keep
        See `export`.

    Attributes
    ----------
    options : GraphOptions
    info : EncoderInfo
        Without parity.

    Raises
    ------
    ExportError
        If the weights are incomplete or invalid.
    """

    def __init__(
        self,
        path: Path,
        checkpoint: Checkpoint,
        audio: CalibrationAudio,
        layers: tuple[int, ...],
        poolings: tuple[str, ...],
        precision: str,
        keep: Iterable[str],
    ) -> None:
        weights = read_weights(checkpoint, layers[-1])
        self._checkpoint, self._weights, self._audio = checkpoint, weights, audio
        self._calibration = calibrate(
            checkpoint.architecture,
            weights,
            audio.segments,
            layers[-1],
            normalise=checkpoint.normalise,
            quantize=precision == "int8",
        )
        self.options = GraphOptions(
            layers,
            poolings,
            precision,
            frozenset(keep),
            smoothing=self._calibration.smoothing,
            quantized=self._calibration.quantized,
            chunk_frames=0 if precision == "fp16" else CHUNK_FRAMES,
        )
        if precision == "fp16":
            self._keep_in_fp32(unsafe_in_fp16(self._calibration.input_peaks))
        self._path = path
        self._model_bytes = 0
        self.info = _describe(path.stem, checkpoint, self.options)

    def lossiest_inputs(self) -> list[str]:
        """Return the inputs with quantized layers, by the accuracy lost per multiplication, largest first."""
        quantized = [name for name in self._losses if name not in self.options.fp32_inputs]
        return sorted(quantized, key=lambda name: -self._losses[name] / self._costs[name])

    def keep_lossiest(self, drift: float, target: float) -> None:
        """Keep the lossiest inputs in fp32, within `FP32_BUDGET`.

        As many as reduce the drift to a target, if the contribution of each is its share of the loss.
        """
        candidates = self.lossiest_inputs()
        total_loss = sum(self._losses[name] for name in candidates)
        budget, expected_drift = FP32_BUDGET * sum(self._costs.values()), drift
        kept = []
        for name in candidates:
            if expected_drift <= target:
                break
            if self._costs[name] <= budget:
                kept.append(name)
                budget -= self._costs[name]
                expected_drift -= drift * self._losses[name] / total_loss
        logger.info("drift %.3f; kept in fp32: %s", drift, ", ".join(sorted(kept)) or "nothing")
        self._keep_in_fp32(kept)

    def provenance(self) -> dict[str, object]:
        """Return further entries of the parity report: the source of the normalisation, and results of calibration."""
        return {
            "normalisation by": self._checkpoint.normalise_from,
            "snippets padded to": self._checkpoint.architecture.pad_samples / SAMPLE_RATE_HZ,
            "greatest |x| of each hidden state": [float(f"{x:.4g}") for x in self._calibration.hidden_peaks],
            "kept in fp32": sorted(self.options.fp32_inputs) if self.options.precision != "fp32" else [],
        }

    def write(self, path: Path) -> None:
        """Write the model with an empty parity report."""
        from onnx import helper

        model = build_encoder(
            self._checkpoint.architecture, self._weights, self.options, normalise=self._checkpoint.normalise
        )
        metadata = self.info.to_metadata()
        metadata.pop(f"{METADATA_PREFIX}parity")
        helper.set_model_props(model, metadata)
        content = model.SerializeToString(deterministic=True)
        del model
        with disk_errors(self._path):
            path.write_bytes(content)
        self._model_bytes = len(content)
        self.write_parity(path, self.info)

    def write_parity(self, path: Path, info: EncoderInfo) -> None:
        """Write the parity report to the end of the file, in place of the one that is there.

        Concatenated protobuf messages are merged when they are read, so the model is not written again.
        """
        import onnx

        addition, key = onnx.ModelProto(), f"{METADATA_PREFIX}parity"
        addition.metadata_props.add(key=key, value=info.to_metadata()[key])
        with disk_errors(self._path), path.open("r+b") as file:
            file.truncate(self._model_bytes)
            file.seek(self._model_bytes)
            file.write(addition.SerializeToString())
            file.flush()
            os.fsync(file.fileno())

    def _keep_in_fp32(self, names: Iterable[str]) -> None:
        self.options = replace(self.options, fp32_inputs=self.options.fp32_inputs.union(names))

    @cached_property
    def _losses(self) -> dict[str, float]:
        return quantization_loss(
            self._checkpoint.architecture,
            self._weights,
            self._audio.segments,
            self.options.layers[-1],
            self._calibration,
            normalise=self._checkpoint.normalise,
        )

    @cached_property
    def _costs(self) -> dict[str, int]:
        return multiplications_per_frame(self._checkpoint.architecture, self.options.layers[-1])


def _describe(name: str, checkpoint: Checkpoint, options: GraphOptions) -> EncoderInfo:
    tools = {"abxfast": __version__, "python": platform.python_version()}
    tools |= {tool: version(tool) for tool in ("torch", "transformers", "onnx", "onnxruntime", "numpy")}
    return EncoderInfo(
        name=name,
        variants=options.variants,
        default_variant=f"layer{options.layers[-1]}.{options.poolings[0]}",
        sample_rate_hz=SAMPLE_RATE_HZ,
        least_samples=checkpoint.architecture.least_samples,
        most_samples=checkpoint.architecture.most_samples,
        frame_hop_samples=checkpoint.architecture.hop_samples,
        normalisation="zero-mean unit-variance" if checkpoint.normalise else "none",
        precision=options.precision,
        source=checkpoint.source,
        revision=checkpoint.revision,
        sha256=checkpoint.sha256(),
        licence=checkpoint.licence,
        tools=tools,
    )
