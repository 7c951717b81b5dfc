"""Weights of a checkpoint, read by name and checked for completeness, shape and finite values."""

from __future__ import annotations

import re
from functools import partial
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

import numpy as np

from abxfast.errors import ExportError
from abxfast.export.checkpoint_files import CONFIG, abbreviate, first_line
from abxfast.export.weight_shapes import expected_shapes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from abxfast.export.checkpoint import Checkpoint

    NamedTensor = tuple[str, Callable[[], Any]]

BLOCK = re.compile(r"encoder\.layers\.(\d+)\.")
WEIGHT_NORM = ("weight_g", "weight_v")
"""Names of norm and direction of a weight."""


def read_weights(checkpoint: Checkpoint, n_blocks: int) -> dict[str, NDArray[np.float32]]:
    """Read the weights that a graph needs.

    Parameters
    ----------
    checkpoint : Checkpoint
        See `fetch_weights`.
    n_blocks : int
        Blocks of the transformer that the graph keeps.

    Returns
    -------
    dict of str to ndarray of float32
        By the names of a model without a head: ``encoder.layers.0.attention.q_proj.weight``. A weight norm is
        multiplied out: ``encoder.pos_conv_embed.conv.weight``.

    Raises
    ------
    ExportError
        If one is missing, has another shape or is not finite, or if the checkpoint has an unknown one.
    """
    architecture = checkpoint.architecture
    shapes = expected_shapes(architecture, n_blocks)
    stored_names = {architecture.checkpoint_name(name): name for name in shapes}
    norms = {f"{name}.{part}" for name in architecture.weight_norms for part in WEIGHT_NORM}
    unused_blocks = range(n_blocks, architecture.n_blocks)
    weights: dict[str, NDArray[np.float32]] = {}
    unknown = []
    for full_name, read in _read_tensors(checkpoint.weights):
        stored = _with_old_weight_norm_names(full_name.removeprefix(architecture.weight_prefix))
        name = stored_names.get(stored, stored)
        if name in weights:
            raise ExportError(f"{checkpoint.source}: the weights contain {stored} twice, once as {full_name}")
        if stored in stored_names or stored in norms:
            weights[name] = read()
        elif not (
            architecture.unused_weights.match(stored)
            or ((block := BLOCK.match(stored)) and int(block[1]) in unused_blocks)
        ):
            unknown.append(full_name)
    for name in architecture.weight_norms:
        _multiply_out_weight_norm(weights, name, checkpoint.source)
    _check(weights, {stored: (name, shapes[name]) for stored, name in stored_names.items()}, unknown, checkpoint.source)
    return weights


def _check(
    weights: dict[str, NDArray[np.float32]],
    expected: dict[str, tuple[str, tuple[int, ...]]],
    unknown: list[str],
    source: str,
) -> None:
    """Check for completeness, shapes and finite values; `expected` has name and shape by the name in the checkpoint."""
    missing = [stored for stored, (name, _) in expected.items() if name not in weights]
    if missing:
        raise ExportError(f"{source}: the weights lack {abbreviate(missing)}; expected a complete checkpoint")
    if unknown:
        raise ExportError(f"{source}: weights that the architecture of {CONFIG} does not have: {abbreviate(unknown)}")
    for stored, (name, shape) in expected.items():
        if weights[name].shape != shape:
            raise ExportError(f"{source}: {stored} has shape {weights[name].shape}, {CONFIG} requires {shape}")
        if not np.isfinite(weights[name]).all():
            raise ExportError(f"{source}: {stored} contains NaN or infinity")


def _with_old_weight_norm_names(name: str) -> str:
    """Return a name with PyTorch's new names of a weight norm replaced by the old ones."""
    name = name.replace("parametrizations.weight.original0", "weight_g")
    return name.replace("parametrizations.weight.original1", "weight_v")


def _multiply_out_weight_norm(weights: dict[str, NDArray[np.float32]], name: str, source: str) -> None:
    """Replace g and v of a weight norm by g · v / |v|, with a norm for each position of the kernel."""
    names = [f"{name}.{part}" for part in WEIGHT_NORM]
    g, v = (weights.pop(part, None) for part in names)
    if g is None or v is None:
        if g is not None or v is not None:
            raise ExportError(f"{source}: the weights lack {names[0] if g is None else names[1]}")
        return
    if v.ndim != 3 or g.shape != (1, 1, v.shape[2]):  # noqa: PLR2004 - a convolution in one dimension
        raise ExportError(f"{source}: {names[0]} has shape {g.shape} beside {v.shape}")
    norm = np.sqrt(np.square(v, dtype=np.float64).sum(axis=(0, 1), keepdims=True))
    with np.errstate(divide="ignore", invalid="ignore"):  # a norm of zero is reported as NaN later
        weights[f"{name}.weight"] = (v * (g / norm)).astype(np.float32)


def _read_tensors(files: Iterable[Path]) -> Iterator[tuple[str, Callable[[], NDArray[np.float32]]]]:
    """Yield the name of each tensor in the files, and a function that reads it."""
    for file in files:
        read_file = _read_safetensors if file.suffix == ".safetensors" else _read_pickle
        try:
            for name, read in read_file(file):
                yield name, partial(_to_numpy, file, read)
        except ExportError:
            raise
        except Exception as error:
            raise _unreadable(file, error) from error


def _to_numpy(file: Path, read: Callable[[], Any]) -> NDArray[np.float32]:
    import torch  # numpy has no bfloat16

    try:
        array: NDArray[np.float32] = read().to_dense().to(torch.float32).numpy()
    except Exception as error:
        raise _unreadable(file, error) from error
    return array


def _read_pickle(file: Path) -> Iterator[NamedTensor]:
    import torch

    try:
        state = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    except RuntimeError:  # files older than the zip format cannot be mapped
        state = torch.load(file, map_location="cpu", weights_only=True)
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise ExportError(f"{file}: not a plain table of weights; save it as safetensors")
    for name, tensor in state.items():
        yield str(name), tensor.detach


def _read_safetensors(file: Path) -> Iterator[NamedTensor]:
    from safetensors import safe_open

    with safe_open(file, framework="pt") as tensors:
        for name in tensors.keys():  # noqa: SIM118 - not a mapping
            yield name, partial(tensors.get_tensor, name)


def _unreadable(file: Path, error: Exception) -> ExportError:
    if isinstance(error, UnpicklingError):  # torch's message suggests running the code in the file
        reason = "truncated, or contains more than weights, which could run code and is never loaded"
        return ExportError(f"{file}: cannot be read as weights ({reason}); fetch it again, or save it as safetensors")
    reason = f"truncated, or not weights only: {first_line(error)}"
    return ExportError(f"{file}: cannot be read as weights ({reason}); fetch it again")
