"""Checks of a request for an export: arguments, installed packages, size of the model, and disk space."""

from __future__ import annotations

import importlib.util
import math
import shutil
from difflib import get_close_matches
from typing import TYPE_CHECKING

from abxfast._installation import install_command
from abxfast.errors import ExportError, MissingPackageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from abxfast.export.checkpoint import Checkpoint

PRECISIONS = ("fp32", "fp16", "int8")
POOLINGS = ("max", "mean", "std")
REQUIRED_PACKAGES = ("torch", "transformers", "onnx", "huggingface_hub", "safetensors", "onnxruntime")
BYTES_PER_WEIGHT = {"fp32": 4, "fp16": 2, "int8": 1}
MAX_BYTES = 2_000_000_000
"""Of a file: protobuf ends at 2 GiB, and weights in a second file could be forgotten when the first is copied."""
FREE_SPACE_FACTOR = 1.2
"""Free space that is required, relative to the size of the weights."""


def check_packages() -> None:
    """Check that the packages of the ``export`` extra are installed.

    Raises
    ------
    MissingPackageError
        If one is missing.
    """
    missing = [name for name in REQUIRED_PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        extras = "cpu,export" if "onnxruntime" in missing else "export"
        raise MissingPackageError(
            f"export needs {', '.join(missing)}, not installed: {install_command(f'abxfast[{extras}]')}"
        )


def check_output(path: Path) -> None:
    """Check the path of the file to be written.

    Raises
    ------
    ExportError
        If it does not end in ``.onnx``, is a folder, or its folder does not exist.
    """
    if path.suffix != ".onnx":
        raise ExportError(f"`output`: found {path}, expected a name that ends in .onnx")
    if path.is_dir():
        raise ExportError(f"`output`: {path} is a folder, expected a file")
    if not path.resolve().parent.is_dir():
        raise ExportError(f"`output`: the folder of {path} does not exist; create it first")


def check_arguments(
    precision: str, layers: Sequence[int], poolings: Sequence[str], allow_drift: float | None, pad_s: float
) -> None:
    """Check arguments whose valid values do not depend on the checkpoint; see `export`.

    Raises
    ------
    ExportError
        If a value is invalid.
    """
    if precision not in PRECISIONS:
        raise ExportError(f"`precision`: found {precision!r}, expected one of {', '.join(PRECISIONS)}")
    if not layers or min(layers) < 0:
        raise ExportError(f"`layers`: found {', '.join(map(str, layers)) or 'none'}, expected numbers from 0")
    unknown = [pooling for pooling in poolings if pooling not in POOLINGS]
    if unknown or not poolings:
        raise ExportError(f"`poolings`: found {', '.join(unknown) or 'none'}, expected some of {', '.join(POOLINGS)}")
    if allow_drift is not None and not allow_drift >= 0:
        raise ExportError(f"`allow_drift`: found {allow_drift}, expected a number from 0")
    if not 0 <= pad_s < math.inf:
        raise ExportError(f"`pad_s`: found {pad_s}, expected a number of seconds from 0")


def check_request(checkpoint: Checkpoint, n_blocks: int, precision: str, keep: Iterable[str], output: Path) -> None:
    """Check a request against the model, before its weights are fetched.

    Parameters
    ----------
    checkpoint : Checkpoint
    n_blocks : int
        Blocks that the encoder keeps: the largest of its layers.
    precision, keep
        See `export`.
    output : Path
        The file to be written.

    Raises
    ------
    ExportError
        If the model has no such layers, or the file would be too large for ONNX or for the disk.
    """
    from abxfast.export.cost import multiplications_per_frame

    available = checkpoint.architecture.n_blocks
    if n_blocks > available:
        raise ExportError(
            f"`layers`: found {n_blocks}, but {checkpoint.source} has {available} blocks; expected layers from 0 to "
            f"{available}"
        )
    names = multiplications_per_frame(checkpoint.architecture, n_blocks)
    for name in keep:
        if name not in names:
            similar = get_close_matches(name, names, 1)
            hint = f"; did you mean {similar[0]}?" if similar else ""
            raise ExportError(f"`keep='{name}'`: no such input, expected a name such as blocks.3.ffn2{hint}")
    _check_size(checkpoint, n_blocks, precision, output)


def _check_size(checkpoint: Checkpoint, n_blocks: int, precision: str, output: Path) -> None:
    from abxfast.export.weight_shapes import expected_shapes

    n_weights = sum(math.prod(shape) for shape in expected_shapes(checkpoint.architecture, n_blocks).values())
    n_bytes = n_weights * BYTES_PER_WEIGHT[precision]
    if n_bytes > MAX_BYTES:
        smaller = {"fp32": "`precision='fp16'` or `precision='int8'`, or ", "fp16": "`precision='int8'`, or "}
        raise ExportError(
            f"{output}: would be {n_bytes / 1e9:.1f} GB, but an ONNX file is limited to 2 GB; "
            f"choose {smaller.get(precision, '')}fewer `layers`"
        )
    free_bytes = shutil.disk_usage(output.resolve().parent).free
    if free_bytes < FREE_SPACE_FACTOR * n_bytes:
        raise ExportError(
            f"{output}: needs {n_bytes / 1e6:.0f} MB, but {free_bytes / 1e6:.0f} MB are free on that disk; "
            "free some space, or choose another folder"
        )
