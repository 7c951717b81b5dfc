"""``abxfast export``: checkpoint to encoder file, checked against PyTorch."""

from __future__ import annotations

import importlib.util
import logging
import os
import platform
import shutil
from contextlib import contextmanager
from dataclasses import replace
from difflib import get_close_matches
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from abxfast._version import __version__
from abxfast.contract import PREFIX, EncoderInfo
from abxfast.errors import ExportError, MissingPackageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from abxfast.export.checkpoint import Checkpoint
    from abxfast.export.encoder_graph import Recipe
    from abxfast.export.material import Material
    from abxfast.export.parity import Row

logger = logging.getLogger(__name__)

PRECISIONS = ("fp32", "fp16", "int8")
NEEDS = ("torch", "transformers", "onnx", "huggingface_hub", "safetensors", "onnxruntime")
MOST_BYTES = 2_000_000_000
"""Of a file: protobuf ends at 2 GiB, and weights beside the file would be left behind when it is copied."""
BYTES = {"fp32": 4, "fp16": 2, "int8": 1}
WANTED_DRIFT = 0.02
"""An int8 encoder that drifts more gets its worst layers back in fp32, within `BUDGET`."""
MOST_HALF = 16_000.0
"""A layer that meets greater numbers on the calibration audio stays in fp32: float16 ends at 65,504."""
BUDGET = 0.04
"""Share of the multiplications that may stay in fp32 for that."""


class Limits(NamedTuple):
    """What parity must keep, each None where it does not count."""

    difference: float | None = None
    drift: float | None = None
    abx: float | None = None


LIMITS = {"fp32": Limits(difference=1e-4), "fp16": Limits(drift=0.005), "int8": Limits(drift=0.03, abx=0.01)}


class Exported(NamedTuple):
    """What `export` gives.

    Attributes
    ----------
    path : Path
    info : EncoderInfo
    rows : list of Row
        The parity report.
    """

    path: Path
    info: EncoderInfo
    rows: list[Row]


def export(
    source: str,
    output: str | Path,
    *,
    precision: str = "int8",
    layers: Sequence[int] = (21,),
    poolings: Sequence[str] = ("max",),
    revision: str | None = None,
    check: str | Path | None = None,
    keep: Sequence[str] = (),
    allow_drift: float | None = None,
) -> Exported:
    """Make an encoder file of a checkpoint, and check it against PyTorch.

    Parameters
    ----------
    source : str
        Folder of a checkpoint, or an id of the Hugging Face hub.
    output : path
        The file, ``….onnx``; its name without that is the encoder's.
    precision : str
        ``int8`` for CPUs, ``fp16`` for GPUs, ``fp32``.
    layers : sequence of int
        Hidden states to put out; the last one is the default variant's.
    poolings : sequence of str
        Of ``max``, ``mean``, ``std``; the first one is the default variant's.
    revision : str, optional
        Branch, tag or commit of the hub.
    check : path, optional
        Recordings to calibrate and check on; those of ``abxfast demo`` unless given.
    keep : sequence of str
        Inputs of linear layers that stay in fp32 in any case, such as ``blocks.3.ffn2``.
    allow_drift : float, optional
        Drift to let through, in place of the threshold of the precision.

    Returns
    -------
    Exported

    Raises
    ------
    ExportError
        Where the checkpoint cannot be used, or the encoder is not close enough; no file is left then.
    MissingPackageError
        Where the ``export`` extra is not installed.
    """
    path = _output(Path(output))
    _check_options(precision, layers, poolings)
    _need_packages()
    from abxfast.export import parity
    from abxfast.export.checkpoint import open_checkpoint, read_weights
    from abxfast.export.material import read_material

    checkpoint = open_checkpoint(source, revision)
    deepest = max(layers)
    if deepest > checkpoint.architecture.layers:
        raise ExportError(
            f"--layers {deepest}: {source} has {checkpoint.architecture.layers} blocks; give layers from 0 to that"
        )
    logger.info("normalisation of waveforms: %s (%s)", checkpoint.normalise, checkpoint.normalise_from)
    _check_size(checkpoint, deepest, precision, path)
    material = read_material(None if check is None else Path(check))
    weights = read_weights(checkpoint, deepest)
    made = _Maker(checkpoint, weights, material, tuple(sorted(set(layers))), tuple(dict.fromkeys(poolings)), precision)
    made.keep(keep)
    limits = LIMITS[precision]
    if allow_drift is not None:
        limits = Limits(drift=allow_drift)
    with _aside(path) as aside:
        made.write(aside)
        reference = parity.Reference(checkpoint, made.recipe.layers, made.recipe.poolings)
        wanted = parity.references(reference, material)
        del reference
        rows = parity.measure(aside, wanted)
        if precision == "int8":
            drift = max(row.drift95 for row in rows)
            # How far a score moved does not tell how much to keep: then all that the budget allows.
            goal = 0.0 if _beyond(rows, Limits(abx=LIMITS[precision].abx)) else WANTED_DRIFT
            if drift > goal:
                made.keep_worst(drift, goal)
                made.write(aside)
                rows = parity.measure(aside, wanted)
        _judge(rows, limits, made, path)
        info = replace(made.info(path), parity=parity.to_metadata(rows, material.name) | made.findings())
        made.append_parity(aside, info)
        with _disk_errors(path):
            os.replace(aside, path)  # noqa: PTH105 - replaces on every system
    return Exported(path, info, rows)


class _Maker:
    """Builds the model, as often as it takes."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        weights: Mapping[str, NDArray[np.float32]],
        material: Material,
        layers: tuple[int, ...],
        poolings: tuple[str, ...],
        precision: str,
    ) -> None:
        from abxfast.export.calibration import calibrate
        from abxfast.export.encoder_graph import CHUNK, Recipe

        self._checkpoint, self._weights, self._material = checkpoint, weights, material
        self.calibrated = calibrate(
            checkpoint.architecture,
            weights,
            material.calibration,
            max(layers),
            normalise=checkpoint.normalise,
            rounding=precision == "int8",
        )
        self.recipe: Recipe = Recipe(
            layers,
            poolings,
            precision,
            smoothing=self.calibrated.smoothing,
            rounded=self.calibrated.rounded,
            chunk=0 if precision == "fp16" else CHUNK,
        )
        if precision == "fp16":
            risky = [name for name, peak in self.calibrated.peaks.items() if peak > MOST_HALF]
            self.recipe = replace(self.recipe, kept=self.recipe.kept.union(risky))
        self._base = 0
        self.worst: list[str] = []

    def keep(self, names: Iterable[str]) -> None:
        """Keep inputs in fp32, whatever they cost."""
        from abxfast.export.cost import multiplications

        known = multiplications(self._checkpoint.architecture, max(self.recipe.layers))
        for name in names:
            if name not in known:
                near = get_close_matches(name, known, 1)
                hint = f"; did you mean {near[0]}?" if near else ""
                raise ExportError(f"--keep {name}: no such layer, expected a name such as blocks.3.ffn2{hint}")
        self.recipe = replace(self.recipe, kept=self.recipe.kept.union(names))

    def keep_worst(self, drift: float, wanted: float) -> None:
        """Keep in fp32 the inputs that cost the most accuracy for their multiplications, within the budget.

        As many as bring the drift to what is wanted, if each costs what its stage loses.
        """
        from abxfast.export.calibration import damages
        from abxfast.export.cost import multiplications

        shape = self._checkpoint.architecture
        damage = damages(
            shape,
            self._weights,
            self._material.calibration,
            max(self.recipe.layers),
            self.calibrated,
            normalise=self._checkpoint.normalise,
        )
        cost = multiplications(shape, max(self.recipe.layers))
        damage = {name: lost for name, lost in damage.items() if name not in self.recipe.kept}
        self.worst = sorted(damage, key=lambda name: -damage[name] / cost[name])
        total, budget, left = sum(damage.values()), BUDGET * sum(cost.values()), drift
        kept = set(self.recipe.kept)
        for name in self.worst:
            if left <= wanted:
                break
            if cost[name] <= budget:
                kept.add(name)
                budget -= cost[name]
                left -= drift * damage[name] / total
        logger.info("drift %.3f; kept in fp32: %s", drift, ", ".join(sorted(kept - self.recipe.kept)) or "nothing")
        self.recipe = replace(self.recipe, kept=frozenset(kept))

    def findings(self) -> dict[str, object]:
        """Give what was found on the way, for the record."""
        return {
            "greatest |x| of each hidden state": [float(f"{x:.4g}") for x in self.calibrated.greatest],
            "kept in fp32": sorted(self.recipe.kept) if self.recipe.precision != "fp32" else [],
        }

    def info(self, path: Path) -> EncoderInfo:
        """Describe the file, but for its parity."""
        checkpoint, shape = self._checkpoint, self._checkpoint.architecture
        tools = {"abxfast": __version__, "python": platform.python_version()}
        tools |= {name: version(name) for name in ("torch", "transformers", "onnx", "onnxruntime", "numpy")}
        return EncoderInfo(
            name=path.stem,
            variants=self.recipe.variants,
            default_variant=f"layer{max(self.recipe.layers)}.{self.recipe.poolings[0]}",
            sample_rate_hz=16_000,
            least_samples=shape.receptive,
            frame_hop_samples=shape.hop,
            normalisation="zero-mean unit-variance" if checkpoint.normalise else "none",
            precision=self.recipe.precision,
            source=checkpoint.source,
            revision=checkpoint.revision,
            sha256=checkpoint.sha256(),
            licence=checkpoint.licence,
            tools=tools,
        )

    def write(self, path: Path) -> None:
        """Write the model with all metadata but parity, which is appended: protobuf messages join end to end."""
        from onnx import helper

        from abxfast.export.encoder_graph import build

        shape = self._checkpoint.architecture
        model = build(shape, self._weights, self.recipe, normalise=self._checkpoint.normalise)
        info = self.info(path.with_name(path.name.split(".making-")[0]))
        metadata = info.to_metadata()
        metadata.pop(f"{PREFIX}parity")
        helper.set_model_props(model, metadata)
        data = model.SerializeToString(deterministic=True)
        del model
        with _disk_errors(path):
            path.write_bytes(data)
        self._base = len(data)
        self.append_parity(path, info)

    def append_parity(self, path: Path, info: EncoderInfo) -> None:
        """Put the parity report at the end of the file, in place of the one that is there."""
        import onnx

        tail, key = onnx.ModelProto(), f"{PREFIX}parity"
        tail.metadata_props.add(key=key, value=info.to_metadata()[key])
        with _disk_errors(path), path.open("r+b") as file:
            file.truncate(self._base)
            file.seek(self._base)
            file.write(tail.SerializeToString())
            file.flush()
            os.fsync(file.fileno())


def _beyond(rows: Sequence[Row], limits: Limits) -> tuple[str, float, float, Row] | None:
    """Give the first thing that is beyond its limit: what, found, limit and where."""
    for what, limit, key in (
        ("greatest difference", limits.difference, "difference"),
        ("drift", limits.drift, "drift95"),
        ("change of an ABX score", limits.abx, "abx"),
    ):
        over = [] if limit is None else [row for row in rows if not getattr(row, key) <= limit]  # NaN too
        if over and limit is not None:
            worst = max(over, key=lambda row: getattr(row, key))
            return what, getattr(worst, key), limit, worst
    return None


def _judge(rows: Sequence[Row], limits: Limits, made: _Maker, path: Path) -> None:
    beyond = _beyond(rows, limits)
    if beyond is None:
        return
    what, found, limit, row = beyond
    advice = {
        "int8": f"most is lost in {', '.join(made.worst[:3])}; keep them with --keep, or take --precision fp16 or fp32",
        "fp16": "take --precision fp32",
        "fp32": "this should not be: report it",
    }[made.recipe.precision]
    raise ExportError(
        f"{path}: not written: {what} {found:.3g} of {row.variant} at {row.snippet_s:g} s, at most {limit:g} is "
        f"allowed; {advice}, or let it through with --allow-drift"
    )


def _output(path: Path) -> Path:
    if path.suffix != ".onnx":
        raise ExportError(f"-o {path}: expected a name that ends in .onnx")
    if path.is_dir() or not path.resolve().parent.is_dir():
        raise ExportError(f"-o {path}: {'is a folder' if path.is_dir() else 'its folder is not there; make it first'}")
    return path


def _check_options(precision: str, layers: Sequence[int], poolings: Sequence[str]) -> None:
    from abxfast.export.encoder_graph import POOLINGS

    if precision not in PRECISIONS:
        raise ExportError(f"--precision: found {precision!r}, expected one of {', '.join(PRECISIONS)}")
    if not layers or min(layers) < 0:
        raise ExportError(f"--layers: found {', '.join(map(str, layers)) or 'none'}, expected numbers from 0 on")
    unknown = [pooling for pooling in poolings if pooling not in POOLINGS]
    if unknown or not poolings:
        raise ExportError(f"--pooling: found {', '.join(unknown) or 'none'}, expected some of {', '.join(POOLINGS)}")


def _need_packages() -> None:
    missing = [name for name in NEEDS if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingPackageError(
            f"export needs {', '.join(missing)}; install the export extra: pip install '.[cpu,export]'"
        )


def _check_size(checkpoint: Checkpoint, layers: int, precision: str, path: Path) -> None:
    from math import prod

    from abxfast.export.checkpoint import expected_shapes

    numbers = sum(prod(shape) for shape in expected_shapes(checkpoint.architecture, layers).values())
    size = numbers * BYTES[precision]
    if size > MOST_BYTES:
        smaller = "fp16 or int8" if precision == "fp32" else "int8"
        advice = "fewer --layers" if precision == "int8" else f"--precision {smaller}, or fewer --layers"
        raise ExportError(
            f"{path}: would be {size / 1e9:.1f} GB, and an ONNX file of more than 2 GB cannot stand alone; "
            f"take {advice}"
        )
    free = shutil.disk_usage(path.resolve().parent).free
    if free < 1.2 * size:
        raise ExportError(f"{path}: needs {size / 1e6:.0f} MB, {free / 1e6:.0f} MB are free on that disk; make room")


@contextmanager
def _aside(path: Path) -> Iterator[Path]:
    """Give a name beside the file that nothing is left under."""
    aside = path.with_name(f"{path.name}.making-{os.getpid()}")
    try:
        yield aside
    finally:
        aside.unlink(missing_ok=True)


@contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ExportError(f"{path}: cannot be written ({error.strerror}); make room, or name another folder") from error
