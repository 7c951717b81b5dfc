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
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from abxfast._version import __version__
from abxfast.contract import PREFIX, EncoderInfo
from abxfast.errors import EncoderError, ExportError, MissingPackageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from abxfast.export.checkpoint import Checkpoint
    from abxfast.export.encoder_graph import Recipe
    from abxfast.export.material import Material
    from abxfast.export.parity import References, Row

logger = logging.getLogger(__name__)

PRECISIONS = ("fp32", "fp16", "int8")
NEEDS = ("torch", "transformers", "onnx", "huggingface_hub", "safetensors", "onnxruntime")
MOST_BYTES = 2_000_000_000
"""Of a file: protobuf ends at 2 GiB, and weights beside the file would be left behind when it is copied."""
BYTES = {"fp32": 4, "fp16": 2, "int8": 1}
WANTED_DRIFT = 0.02
"""An int8 encoder that drifts more gets its worst layers back in fp32, within `BUDGET`."""
MOST_HALF = 16_000.0
"""A layer that holds or meets greater numbers on the calibration audio stays in fp32: float16 ends at 65,504."""
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
        Drift to let through, in place of all limits of the precision; a warning says what was beyond them.

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
    _need_packages()
    path = _output(Path(output))
    _check_options(precision, layers, poolings, allow_drift)
    from abxfast.export import parity
    from abxfast.export.checkpoint import describe, with_weights
    from abxfast.export.material import read_material

    layers, poolings = tuple(sorted(set(layers))), tuple(dict.fromkeys(poolings))
    with _aside(path) as aside:
        checkpoint = describe(source, revision)
        logger.info("normalisation of waveforms: %s (%s)", checkpoint.normalise, checkpoint.normalise_from)
        _check_shape(checkpoint, layers[-1], keep, precision, path)
        material = read_material(None if check is None else Path(check))
        checkpoint = with_weights(checkpoint)
        made = _Maker(path, checkpoint, material, layers, poolings, precision, keep)
        made.write(aside)
        reference = parity.Reference(checkpoint, layers, poolings)
        wanted = parity.references(reference, material)
        del reference
        rows = _measure(aside, wanted, path)
        if precision == "int8":
            drift = max(row.drift95 for row in rows)
            # How far a score moved does not tell how much to keep: then all that the budget allows.
            goal = 0.0 if _beyond(rows, Limits(abx=LIMITS[precision].abx)) else WANTED_DRIFT
            if drift > goal:
                made.keep_worst(drift, goal)
                made.write(aside)
                rows = _measure(aside, wanted, path)
        _judge(rows, allow_drift, made, path)
        info = replace(made.info, parity=parity.to_metadata(rows, material.name) | made.findings())
        made.append_parity(aside, info)
        with _disk_errors(path):
            os.replace(aside, path)  # noqa: PTH105 - replaces on every system
    return Exported(path, info, rows)


def risky(peaks: Mapping[str, float]) -> list[str]:
    """Name the inputs whose layers are better off in fp32, where others are in fp16; see `Calibrated.peaks`."""
    return [name for name, peak in peaks.items() if not peak <= MOST_HALF]


class _Maker:
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
        from abxfast.export.calibration import calibrate
        from abxfast.export.checkpoint import read_weights
        from abxfast.export.encoder_graph import CHUNK, Recipe

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
        from abxfast.export.calibration import damages

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
        from abxfast.export.cost import multiplications

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

        from abxfast.export.encoder_graph import build

        shape = self._checkpoint.architecture
        model = build(shape, self._weights, self.recipe, normalise=self._checkpoint.normalise)
        metadata = self.info.to_metadata()
        metadata.pop(f"{PREFIX}parity")
        helper.set_model_props(model, metadata)
        data = model.SerializeToString(deterministic=True)
        del model
        with _disk_errors(self._path):
            path.write_bytes(data)
        self._base = len(data)
        self.append_parity(path, self.info)

    def append_parity(self, path: Path, info: EncoderInfo) -> None:
        """Put the parity report at the end of the file, in place of the one that is there."""
        import onnx

        tail, key = onnx.ModelProto(), f"{PREFIX}parity"
        tail.metadata_props.add(key=key, value=info.to_metadata()[key])
        with _disk_errors(self._path), path.open("r+b") as file:
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


def _measure(aside: Path, wanted: Sequence[References], path: Path) -> list[Row]:
    from abxfast.export import parity

    try:
        return parity.measure(aside, wanted)
    except EncoderError as error:
        raise ExportError(str(error).replace(str(aside), f"{path}: not written")) from error


class _Excess(NamedTuple):
    """Something that is beyond its limit."""

    what: str
    found: float
    limit: float
    row: Row

    def __str__(self) -> str:
        return f"{self.what} {self.found:.3g} of {self.row.variant} at {self.row.snippet_s:g} s"


def _beyond(rows: Sequence[Row], limits: Limits) -> list[_Excess]:
    """Give all that is beyond its limit, where it is worst."""
    found = []
    for what, limit, key in (
        ("greatest difference", limits.difference, "difference"),
        ("drift", limits.drift, "drift95"),
        ("change of an ABX score", limits.abx, "abx"),
    ):
        over = [] if limit is None else [row for row in rows if not getattr(row, key) <= limit]  # NaN too
        if over and limit is not None:
            worst = max(over, key=lambda row: getattr(row, key))
            found.append(_Excess(what, getattr(worst, key), limit, worst))
    return found


def _judge(rows: Sequence[Row], allow_drift: float | None, made: _Maker, path: Path) -> None:
    limits = LIMITS[made.recipe.precision]
    excesses = _beyond(rows, limits if allow_drift is None else Limits(drift=allow_drift))
    if not excesses:
        let_through = "; ".join(f"{excess} (limit {excess.limit:g})" for excess in _beyond(rows, limits))
        if let_through:
            logger.warning("%s: let through by --allow-drift %g: %s", path, allow_drift, let_through)
        return
    advice = {
        "int8": "take --precision fp16 or fp32",
        "fp16": "take --precision fp32",
        "fp32": "this should not be: report it",
    }[made.recipe.precision]
    if made.recipe.precision == "int8" and (worst := made.worst()):
        advice = f"most is lost in {', '.join(worst[:3])}; keep them with --keep, or {advice}"
    raise ExportError(
        f"{path}: not written: {excesses[0]}, at most {excesses[0].limit:g} is allowed; {advice}, or let it through "
        "with --allow-drift"
    )


def _output(path: Path) -> Path:
    if path.suffix != ".onnx":
        raise ExportError(f"-o {path}: expected a name that ends in .onnx")
    if path.is_dir() or not path.resolve().parent.is_dir():
        raise ExportError(f"-o {path}: {'is a folder' if path.is_dir() else 'its folder is not there; make it first'}")
    return path


def _check_options(precision: str, layers: Sequence[int], poolings: Sequence[str], allow_drift: float | None) -> None:
    from abxfast.export.encoder_graph import POOLINGS

    if precision not in PRECISIONS:
        raise ExportError(f"--precision: found {precision!r}, expected one of {', '.join(PRECISIONS)}")
    if not layers or min(layers) < 0:
        raise ExportError(f"--layers: found {', '.join(map(str, layers)) or 'none'}, expected numbers from 0 on")
    unknown = [pooling for pooling in poolings if pooling not in POOLINGS]
    if unknown or not poolings:
        raise ExportError(f"--pooling: found {', '.join(unknown) or 'none'}, expected some of {', '.join(POOLINGS)}")
    if allow_drift is not None and not allow_drift >= 0:
        raise ExportError(f"--allow-drift: found {allow_drift}, expected a number from 0 on")


def _need_packages() -> None:
    missing = [name for name in NEEDS if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingPackageError(
            f"export needs {', '.join(missing)}; install the export extra: pip install '.[cpu,export]'"
        )


def _check_shape(checkpoint: Checkpoint, deepest: int, keep: Iterable[str], precision: str, path: Path) -> None:
    """Hold what is asked for against what the model has, before its weights are fetched."""
    from math import prod

    from abxfast.export.checkpoint import expected_shapes
    from abxfast.export.cost import multiplications

    shape = checkpoint.architecture
    if deepest > shape.layers:
        raise ExportError(
            f"--layers {deepest}: {checkpoint.source} has {shape.layers} blocks; give layers from 0 to that"
        )
    known = multiplications(shape, deepest)
    for name in keep:
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ExportError(f"--keep {name}: no such layer, expected a name such as blocks.3.ffn2{hint}")
    size = sum(prod(wanted) for wanted in expected_shapes(shape, deepest).values()) * BYTES[precision]
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
    """Give a place for the file, beside the one that it is to have, of which nothing is left."""
    with _disk_errors(path):
        made = TemporaryDirectory(prefix=f"{path.name}.making-", dir=path.parent, ignore_cleanup_errors=True)
    with made as folder:
        yield Path(folder) / path.name


@contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ExportError(f"{path}: cannot be written ({error.strerror}); make room, or name another folder") from error
