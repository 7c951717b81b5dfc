"""``abxfast export``: checkpoint to encoder file, checked against PyTorch."""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from abxfast.errors import EncoderError, ExportError, MissingPackageError
from abxfast.export.staging import aside_of, disk_errors
from abxfast.export.tolerances import LIMITS, Limits, beyond

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from abxfast.encoders import EncoderInfo
    from abxfast.export.builder import Maker
    from abxfast.export.checkpoint import Checkpoint
    from abxfast.export.parity import References, Row

logger = logging.getLogger(__name__)

PRECISIONS = ("fp32", "fp16", "int8")
NEEDS = ("torch", "transformers", "onnx", "huggingface_hub", "safetensors", "onnxruntime")
MAX_BYTES = 2_000_000_000
"""Of a file: protobuf ends at 2 GiB, and weights beside the file would be left behind when it is copied."""
BYTES = {"fp32": 4, "fp16": 2, "int8": 1}
WANTED_DRIFT = 0.02
"""An int8 encoder that drifts more gets its worst layers back in fp32, within its budget."""


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
    from abxfast.export.builder import Maker
    from abxfast.export.calibration_audio import read_material
    from abxfast.export.checkpoint import describe, with_weights

    layers, poolings = tuple(sorted(set(layers))), tuple(dict.fromkeys(poolings))
    with aside_of(path) as aside:
        checkpoint = describe(source, revision)
        logger.info("normalisation of waveforms: %s (%s)", checkpoint.normalise, checkpoint.normalise_from)
        _check_shape(checkpoint, layers[-1], keep, precision, path)
        material = read_material(None if check is None else Path(check))
        checkpoint = with_weights(checkpoint)
        made = Maker(path, checkpoint, material, layers, poolings, precision, keep)
        made.write(aside)
        reference = parity.Reference(checkpoint, layers, poolings)
        wanted = parity.references(reference, material)
        del reference
        rows = _measure(aside, wanted, path)
        if precision == "int8":
            drift = max(row.drift95 for row in rows)
            # How far a score moved does not tell how much to keep: then all that the budget allows.
            goal = 0.0 if beyond(rows, Limits(abx=LIMITS[precision].abx)) else WANTED_DRIFT
            if drift > goal:
                made.keep_worst(drift, goal)
                made.write(aside)
                rows = _measure(aside, wanted, path)
        _judge(rows, allow_drift, made, path)
        info = replace(made.info, parity=parity.to_metadata(rows, material.name) | made.findings())
        made.append_parity(aside, info)
        with disk_errors(path):
            os.replace(aside, path)  # noqa: PTH105 - replaces on every system
    return Exported(path, info, rows)


def _measure(aside: Path, wanted: Sequence[References], path: Path) -> list[Row]:
    from abxfast.export import parity

    try:
        return parity.measure(aside, wanted)
    except EncoderError as error:
        raise ExportError(str(error).replace(str(aside), f"{path}: not written")) from error


def _judge(rows: Sequence[Row], allow_drift: float | None, made: Maker, path: Path) -> None:
    limits = LIMITS[made.recipe.precision]
    excesses = beyond(rows, limits if allow_drift is None else Limits(drift=allow_drift))
    if not excesses:
        let_through = "; ".join(f"{excess} (limit {excess.limit:g})" for excess in beyond(rows, limits))
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
    if size > MAX_BYTES:
        smaller = "fp16 or int8" if precision == "fp32" else "int8"
        advice = "fewer --layers" if precision == "int8" else f"--precision {smaller}, or fewer --layers"
        raise ExportError(
            f"{path}: would be {size / 1e9:.1f} GB, and an ONNX file of more than 2 GB cannot stand alone; "
            f"take {advice}"
        )
    free = shutil.disk_usage(path.resolve().parent).free
    if free < 1.2 * size:
        raise ExportError(f"{path}: needs {size / 1e6:.0f} MB, {free / 1e6:.0f} MB are free on that disk; make room")
