"""What an ONNX file states before it is opened: its files of weights, and the memory that it asks for.

An encoder may come from a stranger. Its file is read here as what it is, a protocol buffer, so that everything that
onnxruntime would load is known and hashed, and nothing is allocated that does not fit into memory.

The numbers below are those of the fields in ``onnx.proto``.
"""

# ruff: noqa: PLR2004

from __future__ import annotations

import hashlib
import math
import mmap
import os
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

from abxfast._memory import memory_bytes
from abxfast.encoders.protobuf import MessageReader
from abxfast.errors import EncoderError

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_DEPTH = 16
"""Graphs inside of graphs: Loop and If have them."""
_EXTERNAL = 1
"""Value of ``TensorProto.data_location`` for weights in another file."""
_MAX_SHAPE_BYTES = 512
"""Constants of at most this size may be shapes, and are read."""
_SIZED_BY_CONSTANT = frozenset((b"ConstantOfShape", b"Expand", b"RandomNormal", b"RandomUniform", b"Tile"))
"""Operators whose output is as large as a constant says."""
_ITEM_BYTES = {1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8, 12: 4, 13: 8, 14: 8, 15: 16, 16: 2}
"""Bytes of a number by ``TensorProto.data_type``; of others, at most one is assumed."""


class ModelFile(NamedTuple):
    """What an ONNX file states.

    Attributes
    ----------
    files : tuple of Path
        The file itself, then its files of external weights, sorted by name.
    n_bytes : int
        Bytes of its weights and of the arrays whose sizes are constants.
    """

    files: tuple[Path, ...]
    n_bytes: int

    def sha256(self) -> str:
        """Return the SHA-256 of the file; with external weights, one over the names and hashes of all files.

        Raises
        ------
        EncoderError
            If one cannot be read.
        """
        digests = [_sha256(file) for file in self.files]
        if len(digests) == 1:
            return digests[0]
        folder = self.files[0].parent
        names = ["", *(file.relative_to(folder).as_posix() for file in self.files[1:])]
        text = "".join(f"{digest} {name}\n" for digest, name in zip(digests, names, strict=True))
        return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()

    def stamp(self) -> tuple[tuple[int, int, int], ...]:
        """Return what changes when one of the files is written to or replaced."""
        try:
            return tuple((stat.st_size, stat.st_mtime_ns, stat.st_ino) for stat in map(Path.stat, self.files))
        except OSError as error:
            raise EncoderError(f"{error.filename}: cannot be read ({error.strerror})") from error


def read_model_file(path: Path) -> ModelFile:
    """Read what an ONNX file states.

    Raises
    ------
    EncoderError
        If it cannot be read or is not an ONNX model, if weights lie outside of its folder, or if it asks for more
        memory than the machine has.
    """
    walker = _Walker(path)
    try:
        with path.open("rb") as file:
            walker.walk_model(memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)))
    except OSError as error:
        raise EncoderError(f"{path}: cannot be read ({error.strerror})") from error
    except EncoderError:
        raise
    except (ValueError, IndexError, TypeError) as error:  # mmap refuses an empty file with a ValueError
        raise EncoderError(f"{path}: cannot be opened as an ONNX model: it is damaged or something else") from error
    external = tuple(_external_file(path, location) for location in sorted(walker.locations))
    available = memory_bytes()
    if walker.n_bytes > available:
        raise EncoderError(
            f"{path}: asks for {walker.n_bytes / 1e9:,.1f} GB of memory, this machine has {available / 1e9:,.1f} GB; "
            "use a smaller encoder"
        )
    return ModelFile((path, *external), walker.n_bytes)


@dataclass
class _Tensor:
    """What is read of a ``TensorProto``."""

    name: bytes = b""
    dims: list[int] = field(default_factory=list)
    data_type: int = 0
    location: int = 0
    external: dict[bytes, bytes] = field(default_factory=dict)
    small_integers: tuple[int, ...] = ()

    @property
    def n_bytes(self) -> int:
        return math.prod(self.dims) * _ITEM_BYTES.get(self.data_type, 1)


class _Walker:
    """Walks through an ONNX file: adds up bytes and collects the locations of external weights."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reader = MessageReader()
        self.n_bytes = 0
        self.locations: set[bytes] = set()

    def walk_model(self, model: memoryview) -> None:
        """Walk through a ``ModelProto``."""
        for number, value in self._reader.fields(model):
            if number == 7:  # graph
                self._walk_graph(value, 0)
            elif number == 25:  # functions: their nodes are in field 7
                self._walk_nodes((node for at, node in self._reader.fields(value) if at == 7), {}, 0)

    def _walk_graph(self, graph: memoryview, depth: int) -> None:
        """Walk through a ``GraphProto``: its initializers, then its nodes, which may use them."""
        if depth > _MAX_DEPTH:
            raise EncoderError(f"{self._path}: has graphs inside of more than {_MAX_DEPTH} others; export it again")
        constants: dict[bytes, tuple[int, ...]] = {}
        for number, value in self._reader.fields(graph):
            if number == 5:  # initializer
                self._add(self._tensor(value), constants)
            elif number == 15:  # sparse_initializer: values and indices
                self._walk_sparse(value)
        self._walk_nodes((value for number, value in self._reader.fields(graph) if number == 1), constants, depth)

    def _walk_nodes(self, nodes: Iterator[memoryview], constants: dict[bytes, tuple[int, ...]], depth: int) -> None:
        for node in nodes:
            inputs, outputs, operator = [], [], b""
            for number, value in self._reader.fields(node):
                if number == 1:
                    inputs.append(bytes(value))
                elif number == 2:
                    outputs.append(bytes(value))
                elif number == 4:
                    operator = bytes(value)
                elif number == 5:
                    self._walk_attribute(value, operator, outputs, constants, depth)
            if operator in _SIZED_BY_CONSTANT:
                for shape in (constants[name] for name in inputs if name in constants):
                    self.n_bytes += 4 * math.prod(max(1, size) for size in shape)

    def _walk_attribute(
        self,
        attribute: memoryview,
        operator: bytes,
        outputs: list[bytes],
        constants: dict[bytes, tuple[int, ...]],
        depth: int,
    ) -> None:
        """Walk through an ``AttributeProto``, which may hold tensors and graphs."""
        shape: list[int] = []
        name = b""
        for number, value in self._reader.fields(attribute):
            if number == 1:
                name = bytes(value)
            elif number in (5, 10):  # tensor, tensors
                tensor = self._tensor(value)
                tensor.name = outputs[0] if operator == b"Constant" and outputs else b""
                self._add(tensor, constants)
            elif number in (22, 23):  # sparse tensors
                self._walk_sparse(value)
            elif number in (6, 11):  # graph, graphs
                self._walk_graph(value, depth + 1)
            elif number == 8:  # integers
                shape += self._reader.integers(value)
        if name == b"shape" and operator in _SIZED_BY_CONSTANT:
            self.n_bytes += 4 * math.prod(max(1, size) for size in shape)
        elif operator == b"Constant" and name == b"value_ints" and outputs:
            constants[outputs[0]] = tuple(shape)

    def _walk_sparse(self, sparse: memoryview) -> None:
        """Walk through a ``SparseTensorProto``: values, indices, and the dimensions that it has when dense."""
        dims: list[int] = []
        for number, value in self._reader.fields(sparse):
            if number in (1, 2):
                self._add(self._tensor(value), {})
            else:
                dims += self._reader.integers(value)
        self.n_bytes += 4 * math.prod(dims)

    def _add(self, tensor: _Tensor, constants: dict[bytes, tuple[int, ...]]) -> None:
        self.n_bytes += tensor.n_bytes
        if tensor.location == _EXTERNAL:
            self.locations.add(tensor.external.get(b"location", b""))
        elif tensor.small_integers:
            constants[tensor.name] = tensor.small_integers

    def _tensor(self, content: memoryview) -> _Tensor:
        """Read a ``TensorProto``, of its numbers only those that may be a shape."""
        tensor = _Tensor()
        values: dict[int, list[Any]] = {1: [], 2: [0], 7: [], 8: [b""], 9: [b""], 14: [0]}
        for number, value in self._reader.fields(content):
            if number == 13:  # external_data
                pair = {at: bytes(text) for at, text in self._reader.fields(value)}
                tensor.external[pair.get(1, b"")] = pair.get(2, b"")
            elif number in (8, 9) and len(value) <= _MAX_SHAPE_BYTES:  # name, raw_data
                values[number].append(bytes(value))
            elif number in (2, 14):  # data_type, data_location
                values[number].append(value)
            elif number == 1 or (number == 7 and (isinstance(value, int) or len(value) <= _MAX_SHAPE_BYTES)):
                values[number] += self._reader.integers(value)  # dims, int64_data
        tensor.dims, tensor.data_type, tensor.name, tensor.location = (
            values[1],
            values[2][-1],
            values[8][-1],
            values[14][-1],
        )
        if any(size < 0 for size in tensor.dims):
            raise ValueError(tensor.dims)
        if tensor.data_type == 7:  # INT64
            raw = values[9][-1]
            integers = (int.from_bytes(raw[i : i + 8], "little", signed=True) for i in range(0, len(raw) - 7, 8))
            tensor.small_integers = (*values[7], *integers)
        return tensor


def _external_file(path: Path, location: bytes) -> Path:
    """Return a file of external weights.

    Raises
    ------
    EncoderError
        If it is not a file in the folder of the model.
    """
    name = os.fsdecode(location)
    pure = PurePosixPath(name.replace("\\", "/"))
    file = path.parent / pure
    inside = bool(name) and not pure.is_absolute() and ".." not in pure.parts and not file.drive.endswith(":")
    folder = path.parent.resolve()
    if not inside or not file.resolve().is_relative_to(folder):
        raise EncoderError(
            f"{path}: has weights in {name!r}, outside of its folder; put them beside it, and export it again"
        )
    if not file.is_file():
        raise EncoderError(f"{path}: its weights {name!r} are missing; put them into the same folder")
    return file


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise EncoderError(f"{path}: cannot be read ({error.strerror})") from error
