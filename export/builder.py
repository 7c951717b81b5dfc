"""Builds and writes the model of a checkpoint, as often as it takes until it is close enough."""

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
from abxfast.export.calibration import calibrate, damages
from abxfast.export.checkpoint import read_weights
from abxfast.export.cost import multiplications
from abxfast.export.encoder_graph import CHUNK, Recipe, build
from abxfast.export.staging import disk_errors

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from abxfast.export.calibration_audio import Material
    from abxfast.export.checkpoint import Checkpoint

logger = logging.getLogger(__name__)

MAX_HALF = 16_000.0
"""A layer that holds or meets greater numbers on the calibration audio stays in fp32: float16 ends at 65,504."""
BUDGET = 0.04
"""Share of the multiplications that may stay in fp32 where an int8 encoder drifts too far."""


def risky(peaks: Mapping[str, float]) -> list[str]:
    """Name the inputs whose layers are better off in fp32, where others are in fp16; see `Calibrated.peaks`."""
    return [name for name, peak in peaks.items() if not peak <= MAX_HALF]


class Maker:
    """Builds the model, as often as it takes."""

    def __init__(
        self,
        path: Path,
        checkpoint: Checkpoint,
        material: Material,
        layers: tuple[int, ...],
        poolings: tuple[str, ...],
        precision: str,
        keep: Iterable[str],
    ) -> None:
        weights = read_weights(checkpoint, layers[-1])
        self._checkpoint, self._weights, self._material = checkpoint, weights, material
        self.calibrated = calibrate(
            checkpoint.architecture,
            weights,
            material.calibration,
            layers[-1],
            normalise=checkpoint.normalise,
            rounding=precision == "int8",
        )
        self.recipe: Recipe = Recipe(
            layers,
            poolings,
            precision,
            frozenset(keep),
            smoothing=self.calibrated.smoothing,
            rounded=self.calibrated.rounded,
            chunk=0 if precision == "fp16" else CHUNK,
        )
        if precision == "fp16":
            self.recipe = replace(self.recipe, kept=self.recipe.kept.union(risky(self.calibrated.peaks)))
        self._path, self._base = path, 0
        self.info = _describe(path.stem, checkpoint, self.recipe)

    @cached_property
    def _damages(self) -> dict[str, float]:
        return damages(
            self._checkpoint.architecture,
            self._weights,
            self._material.calibration,
            self.recipe.layers[-1],
            self.calibrated,
            normalise=self._checkpoint.normalise,
        )

    @cached_property
    def _cost(self) -> dict[str, int]:
        return multiplications(self._checkpoint.architecture, self.recipe.layers[-1])

    def worst(self) -> list[str]:
        """Name the inputs that are rounded, those first that cost the most accuracy for their multiplications."""
        rounded = [name for name in self._damages if name not in self.recipe.kept]
        return sorted(rounded, key=lambda name: -self._damages[name] / self._cost[name])

    def keep_worst(self, drift: float, wanted: float) -> None:
        """Keep in fp32 the worst inputs, within the budget.

        As many as bring the drift to what is wanted, if each costs what its stage loses.
        """
        worst = self.worst()
        total, budget, left = sum(self._damages[name] for name in worst), BUDGET * sum(self._cost.values()), drift
        kept = set(self.recipe.kept)
        for name in worst:
            if left <= wanted:
                break
            if self._cost[name] <= budget:
                kept.add(name)
                budget -= self._cost[name]
                left -= drift * self._damages[name] / total
        logger.info("drift %.3f; kept in fp32: %s", drift, ", ".join(sorted(kept - self.recipe.kept)) or "nothing")
        self.recipe = replace(self.recipe, kept=frozenset(kept))

    def findings(self) -> dict[str, object]:
        """Give what was found on the way, for the record."""
        return {
            "normalisation by": self._checkpoint.normalise_from,
            "greatest |x| of each hidden state": [float(f"{x:.4g}") for x in self.calibrated.greatest],
            "kept in fp32": sorted(self.recipe.kept) if self.recipe.precision != "fp32" else [],
        }

    def write(self, path: Path) -> None:
        """Write the model with all metadata but parity, which is appended: protobuf messages join end to end."""
        from onnx import helper

        shape = self._checkpoint.architecture
        model = build(shape, self._weights, self.recipe, normalise=self._checkpoint.normalise)
        metadata = self.info.to_metadata()
        metadata.pop(f"{METADATA_PREFIX}parity")
        helper.set_model_props(model, metadata)
        data = model.SerializeToString(deterministic=True)
        del model
        with disk_errors(self._path):
            path.write_bytes(data)
        self._base = len(data)
        self.append_parity(path, self.info)

    def append_parity(self, path: Path, info: EncoderInfo) -> None:
        """Put the parity report at the end of the file, in place of the one that is there."""
        import onnx

        tail, key = onnx.ModelProto(), f"{METADATA_PREFIX}parity"
        tail.metadata_props.add(key=key, value=info.to_metadata()[key])
        with disk_errors(self._path), path.open("r+b") as file:
            file.truncate(self._base)
            file.seek(self._base)
            file.write(tail.SerializeToString())
            file.flush()
            os.fsync(file.fileno())


def _describe(name: str, checkpoint: Checkpoint, recipe: Recipe) -> EncoderInfo:
    """Say what a file is, but for its parity."""
    tools = {"abxfast": __version__, "python": platform.python_version()}
    tools |= {tool: version(tool) for tool in ("torch", "transformers", "onnx", "onnxruntime", "numpy")}
    return EncoderInfo(
        name=name,
        variants=recipe.variants,
        default_variant=f"layer{recipe.layers[-1]}.{recipe.poolings[0]}",
        sample_rate_hz=16_000,
        least_samples=checkpoint.architecture.receptive,
        frame_hop_samples=checkpoint.architecture.hop,
        normalisation="zero-mean unit-variance" if checkpoint.normalise else "none",
        precision=recipe.precision,
        source=checkpoint.source,
        revision=checkpoint.revision,
        sha256=checkpoint.sha256(),
        licence=checkpoint.licence,
        tools=tools,
    )
