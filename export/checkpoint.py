"""Checkpoints: the files of a published model, from the hub or a folder, and the weights in them by name."""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

import numpy as np

from abxfast.errors import ExportError
from abxfast.export.architecture import SAMPLE_RATE_HZ, Architecture, read_architecture

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    _Tensor = tuple[str, Callable[[], Any]]

CONFIG, PREPROCESSOR = "config.json", "preprocessor_config.json"
WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
"""Names that weights go by, best first: the first one that is there is read."""
EXTRAS = re.compile(
    r"quantizer\.|project_q\.|project_hid\.|lm_head\.|classifier\.|projector\.|layer_weights$|label_embeddings_concat$"
    r"|final_proj\.|adapter\.|tdnn\.|feature_extractor\.(weight|bias)$|objective\.|masked_spec_embed$|encoder\.layer_norm\."
)
"""What a checkpoint may hold beyond what the graph takes, besides blocks above the truncation: heads and quantisers."""
BLOCK = re.compile(r"encoder\.layers\.(\d+)\.")


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint on this machine.

    Attributes
    ----------
    source : str
        The hub id, or the folder's name.
    revision : str
        The commit of the hub; empty for a folder.
    folder : Path
    architecture : Architecture
    normalise : bool
        Whether a waveform is brought to zero mean and unit variance.
    normalise_from : str
        What says so: a file, or the rule that stood in for it.
    licence : str
        As its model card says; empty where there is none.
    weights : tuple of Path
        The files that hold the weights; see `with_weights`.
    """

    source: str
    revision: str
    folder: Path
    architecture: Architecture
    normalise: bool
    normalise_from: str
    licence: str
    weights: tuple[Path, ...] = ()

    def sha256(self) -> str:
        """Give the SHA-256 of the weights; of several files, that of their sums one after another."""
        sums = []
        for path in self.weights:
            with path.open("rb") as file:
                sums.append(hashlib.file_digest(file, "sha256"))
        if len(sums) == 1:
            return sums[0].hexdigest()
        return hashlib.sha256(b"".join(each.digest() for each in sums)).hexdigest()


def open_checkpoint(source: str, revision: str | None = None) -> Checkpoint:
    """Find a checkpoint and its weights; see `describe` and `with_weights`."""
    return with_weights(describe(source, revision))


def describe(source: str, revision: str | None = None) -> Checkpoint:
    """Find a checkpoint, and read all of it but the weights, which are not fetched yet.

    Parameters
    ----------
    source : str
        A folder with config.json and weights, or an id of the Hugging Face hub such as
        ``facebook/wav2vec2-large-xlsr-53``; what was fetched once is found again without a network.
    revision : str, optional
        Branch, tag or commit of the hub.

    Raises
    ------
    ExportError
        Where there is no such checkpoint, or it is of another kind.
    """
    folder, commit = _locate(source, revision)
    architecture = read_architecture(_json(folder / CONFIG), f"{source}: {CONFIG}")
    normalise, said_by = _normalisation(folder, architecture, source)
    return Checkpoint(
        source=source if commit else folder.resolve().name,
        revision=commit,
        folder=folder,
        architecture=architecture,
        normalise=normalise,
        normalise_from=said_by,
        licence=_licence(folder),
    )


def with_weights(checkpoint: Checkpoint) -> Checkpoint:
    """Find the files of the weights, fetched first where the checkpoint is one of the hub.

    Raises
    ------
    ExportError
        Where there are none, or they cannot be had.
    """
    if checkpoint.revision:
        with _hub_errors(checkpoint.source, checkpoint.revision):
            _fetch_weights(checkpoint.source, checkpoint.revision)
    return replace(checkpoint, weights=_weight_files(checkpoint.folder, checkpoint.source))


def read_weights(checkpoint: Checkpoint, layers: int) -> dict[str, NDArray[np.float32]]:
    """Read the weights that a graph of so many blocks takes.

    Parameters
    ----------
    checkpoint : Checkpoint
    layers : int
        Blocks of the transformer that are kept.

    Returns
    -------
    dict of str to ndarray of float32
        By the names of the model without its head: ``encoder.layers.0.attention.q_proj.weight``. A weight norm is
        multiplied out: ``encoder.pos_conv_embed.conv.weight``.

    Raises
    ------
    ExportError
        Where one is missing, has another shape, is not finite, or where there is one that is not known.
    """
    wanted = expected_shapes(checkpoint.architecture, layers)
    prefix = f"{checkpoint.architecture.model_type}."
    above = range(layers, checkpoint.architecture.layers)
    found: dict[str, NDArray[np.float32]] = {}
    unknown = []
    for full, tensor in _tensors(checkpoint.weights):
        name = _modern(full.removeprefix(prefix))
        if name in found:
            raise ExportError(f"{checkpoint.source}: the weights hold {name} twice, once as {full}")
        if name in wanted or name in _WEIGHT_NORM:
            found[name] = tensor()
        elif not (EXTRAS.match(name) or ((block := BLOCK.match(name)) and int(block[1]) in above)):
            unknown.append(full)
    _multiply_out(found, checkpoint)
    missing = [name for name in wanted if name not in found]
    if missing:
        raise ExportError(
            f"{checkpoint.source}: the weights lack {_some(missing)}; a graph cannot be made of a checkpoint that is "
            "not whole"
        )
    if unknown:
        raise ExportError(
            f"{checkpoint.source}: weights that the architecture of {CONFIG} does not have: {_some(unknown)}"
        )
    for name, shape in wanted.items():
        if found[name].shape != shape:
            raise ExportError(f"{checkpoint.source}: {name} has shape {found[name].shape}, {CONFIG} asks for {shape}")
        if not np.isfinite(found[name]).all():
            raise ExportError(f"{checkpoint.source}: {name} holds NaN or infinity")
    return found


def expected_shapes(shape: Architecture, layers: int) -> dict[str, tuple[int, ...]]:
    """Give every weight that a graph of so many blocks takes, with its shape."""
    wanted: dict[str, tuple[int, ...]] = {}

    def affine(name: str, width: int) -> None:
        wanted[f"{name}.weight"] = wanted[f"{name}.bias"] = (width,)

    def linear(name: str, inner: int, outer: int) -> None:
        wanted[f"{name}.weight"], wanted[f"{name}.bias"] = (outer, inner), (outer,)

    if not shape.stable or layers == shape.layers:
        affine("encoder.layer_norm", shape.hidden)
    for i in range(layers):
        at = f"encoder.layers.{i}"
        for side in ("q", "k", "v", "out"):
            linear(f"{at}.attention.{side}_proj", shape.hidden, shape.hidden)
        affine(f"{at}.layer_norm", shape.hidden)
        affine(f"{at}.final_layer_norm", shape.hidden)
        linear(f"{at}.feed_forward.intermediate_dense", shape.hidden, shape.feed_forward)
        linear(f"{at}.feed_forward.output_dense", shape.feed_forward, shape.hidden)
        if shape.adapter:
            affine(f"{at}.adapter_layer.norm", shape.hidden)
            linear(f"{at}.adapter_layer.linear_1", shape.hidden, shape.adapter)
            linear(f"{at}.adapter_layer.linear_2", shape.adapter, shape.hidden)
    return _front_end_shapes(shape) | wanted


def _front_end_shapes(shape: Architecture) -> dict[str, tuple[int, ...]]:
    """Give the weights up to hidden state 0, but for a norm after the positions."""
    wanted: dict[str, tuple[int, ...]] = {}
    before = 1
    for i, (width, kernel) in enumerate(zip(shape.conv_channels, shape.conv_kernels, strict=True)):
        at = f"feature_extractor.conv_layers.{i}"
        wanted[f"{at}.conv.weight"] = (width, before, kernel)
        if shape.conv_bias:
            wanted[f"{at}.conv.bias"] = (width,)
        if shape.conv_norm == "layer" or i == 0:
            wanted[f"{at}.layer_norm.weight"] = wanted[f"{at}.layer_norm.bias"] = (width,)
        before = width
    at = "feature_projection"
    if shape.projection_norm:
        wanted[f"{at}.layer_norm.weight"] = wanted[f"{at}.layer_norm.bias"] = (before,)
    wanted[f"{at}.projection.weight"], wanted[f"{at}.projection.bias"] = (shape.hidden, before), (shape.hidden,)
    wanted[f"{_POSITION}.weight"] = (shape.hidden, shape.hidden // shape.pos_groups, shape.pos_kernel)
    wanted[f"{_POSITION}.bias"] = (shape.hidden,)
    return wanted


_POSITION = "encoder.pos_conv_embed.conv"
_WEIGHT_NORM = (f"{_POSITION}.weight_g", f"{_POSITION}.weight_v")


def _modern(name: str) -> str:
    """Bring the two namings of a weight norm to one."""
    parts = name.replace("parametrizations.weight.original0", "weight_g")
    return parts.replace("parametrizations.weight.original1", "weight_v")


def _multiply_out(found: dict[str, NDArray[np.float32]], checkpoint: Checkpoint) -> None:
    """Give the weight of a weight norm: g · v / |v|, the norm taken for each place of the kernel by itself."""
    g, v = (found.pop(name, None) for name in _WEIGHT_NORM)
    if g is None or v is None:
        if g is not None or v is not None:
            lost = _WEIGHT_NORM[0] if g is None else _WEIGHT_NORM[1]
            raise ExportError(f"{checkpoint.source}: the weights lack {lost}")
        return
    if v.ndim != 3 or g.shape != (1, 1, v.shape[2]):  # noqa: PLR2004 - a convolution in one dimension
        raise ExportError(f"{checkpoint.source}: {_WEIGHT_NORM[0]} has shape {g.shape} beside {v.shape}")
    norm = np.sqrt(np.square(v, dtype=np.float64).sum(axis=(0, 1), keepdims=True))
    with np.errstate(divide="ignore", invalid="ignore"):  # a norm of zero is told as NaN, with the name
        found[f"{_POSITION}.weight"] = (v * (g / norm)).astype(np.float32)


def _tensors(files: Iterable[Path]) -> Iterator[tuple[str, Callable[[], NDArray[np.float32]]]]:
    """Give name and reader of each tensor of the files."""
    for file in files:
        for name, read in _readable(file, _safetensors if file.suffix == ".safetensors" else _pickled):
            yield name, partial(_numbers, file, read)


def _readable(file: Path, kind: Callable[[Path], Iterator[_Tensor]]) -> Iterator[_Tensor]:
    try:
        yield from kind(file)
    except ExportError:
        raise
    except Exception as error:
        raise _unreadable(file, error) from error


def _numbers(file: Path, read: Callable[[], Any]) -> NDArray[np.float32]:
    import torch  # numpy knows no bfloat16

    try:
        numbers: NDArray[np.float32] = read().to_dense().to(torch.float32).numpy()
    except Exception as error:
        raise _unreadable(file, error) from error
    return numbers


def _pickled(file: Path) -> Iterator[_Tensor]:
    import torch

    try:
        state = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    except RuntimeError:  # files older than the zip format cannot be mapped
        state = torch.load(file, map_location="cpu", weights_only=True)
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise ExportError(f"{file}: is not a plain table of weights; save it as safetensors")
    for name, tensor in state.items():
        yield str(name), tensor.detach


def _safetensors(file: Path) -> Iterator[_Tensor]:
    from safetensors import safe_open

    with safe_open(file, framework="pt") as tensors:
        for name in tensors.keys():  # noqa: SIM118 - not a mapping
            yield name, partial(tensors.get_tensor, name)


def _unreadable(file: Path, error: Exception) -> ExportError:
    if isinstance(error, UnpicklingError):  # torch's own words offer to run what is in the file
        reason = "cut short, or holds more than weights, which could run code and is never loaded"
        return ExportError(f"{file}: cannot be read as weights ({reason}); fetch it again, or save it as safetensors")
    reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return ExportError(f"{file}: cannot be read as weights, cut short or not weights only ({reason}); fetch it again")


def _locate(source: str, revision: str | None) -> tuple[Path, str]:
    folder = Path(source)
    if folder.is_dir():
        if revision:
            raise ExportError(f"--revision {revision}: {source} is a folder, which has none")
        if not (folder / CONFIG).is_file():
            raise ExportError(f"{source}: no {CONFIG}; expected the folder of a checkpoint")
        return folder, ""
    if folder.exists() or not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", source):
        raise ExportError(f"{source}: neither a folder nor an id of the Hugging Face hub such as owner/name")
    with _hub_errors(source, revision):
        root = _fetch(source, revision, CONFIG, PREPROCESSOR, "README.md", "*.index.json")
    return root, root.name


@contextmanager
def _hub_errors(source: str, revision: str | None) -> Iterator[None]:
    from huggingface_hub.errors import (
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        yield
    except LocalEntryNotFoundError as error:
        raise ExportError(
            f"{source}: not in the cache, and the Hugging Face hub cannot be reached; connect once, or give a folder"
        ) from error
    except RevisionNotFoundError as error:
        raise ExportError(f"--revision {revision}: {source} has no such branch, tag or commit") from error
    except RepositoryNotFoundError as error:
        raise ExportError(f"{source}: no such model on the Hugging Face hub (or it is private)") from error
    except (HfHubHTTPError, OSError, ValueError) as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ExportError(f"{source}: cannot be fetched ({reason})") from error


def _fetch(source: str, revision: str | None, *patterns: str, offline: bool = False) -> Path:
    """Fetch files of a model on the hub; without a network, find them in the cache."""
    from huggingface_hub import snapshot_download

    return Path(snapshot_download(source, revision=revision, allow_patterns=list(patterns), local_files_only=offline))


def _fetch_weights(source: str, commit: str) -> None:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    try:
        there = set(HfApi().list_repo_files(source, revision=commit))
    except (HfHubHTTPError, OSError):  # no network: what is in the cache is what there is
        _fetch(source, commit, *WEIGHTS, "model-*.safetensors", "pytorch_model-*.bin", offline=True)
    else:
        _fetch(source, commit, *_patterns(there))


def _patterns(there: set[str]) -> list[str]:
    """Give the files of the best form of weights, so that gigabytes are not fetched twice."""
    for name in WEIGHTS:
        if name in there:
            return [name, "model-*.safetensors" if "safetensors" in name else "pytorch_model-*.bin"]
    return []


def _weight_files(folder: Path, source: str) -> tuple[Path, ...]:
    for name in WEIGHTS:
        path = folder / name
        if not path.is_file():
            continue
        if not name.endswith(".index.json"):
            return (path,)
        index = _json(path).get("weight_map")
        if not isinstance(index, dict) or not index or not all(isinstance(part, str) for part in index.values()):
            raise ExportError(f"{source}: {name}: weight_map is no table of weights and the files that hold them")
        parts = sorted(set(index.values()))
        if any(Path(part).name != part for part in parts):
            raise ExportError(f"{source}: {name} names a file outside of the folder")
        lost = [part for part in parts if not (folder / part).is_file()]
        if lost:
            raise ExportError(f"{source}: {name} names {_some(lost)}, which is not there")
        return tuple(folder / part for part in parts)
    raise ExportError(f"{source}: no weights; expected one of {', '.join(WEIGHTS)}")


def _normalisation(folder: Path, shape: Architecture, source: str) -> tuple[bool, str]:
    path = folder / PREPROCESSOR
    if not path.is_file():
        return shape.conv_norm == "layer", f"no {PREPROCESSOR}: by feat_extract_norm {shape.conv_norm!r}"
    content = _json(path)
    rate = content.get("sampling_rate", SAMPLE_RATE_HZ)
    if rate != SAMPLE_RATE_HZ:
        raise ExportError(f"{source}: {PREPROCESSOR}: sampling_rate is {rate}, expected {SAMPLE_RATE_HZ}")
    return bool(content.get("do_normalize", True)), PREPROCESSOR


def _licence(folder: Path) -> str:
    """Give what the head of the model card says."""
    card = folder / "README.md"
    if not card.is_file():
        return ""
    text = card.read_text(encoding="utf-8-sig", errors="replace")
    head = re.match(r"---\s*\n(.*?)\n---", text, re.DOTALL)
    said = re.search(r"^license:(.*(?:\n\s*-.*)*)", head[1], re.MULTILINE) if head else None
    lines = re.sub(r"\s#.*", "", said[1]) if said else ""
    return ", ".join(word for part in re.split(r"[\n,]", lines) if (word := part.strip("[] -'\"\t")))


def _json(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ExportError(f"{path}: cannot be read as JSON ({error})") from error
    if not isinstance(content, dict):
        raise ExportError(f"{path}: expected a JSON object")
    return content


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"  # noqa: PLR2004
