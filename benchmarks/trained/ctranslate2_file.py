"""Read the weights of a model in CTranslate2's binary format (``model.bin``), without CTranslate2.

A file holds, little-endian: its version (uint32), the name of the model's specification, its revision (uint32), the
number of variables (uint32) and the variables, then the number of aliases (uint32) and the aliases. A variable is its
name, rank (uint8), dimensions (uint32 each), type (uint8), size in bytes (uint32) and values. A string is its length
with the final zero (uint16) and its bytes.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

import numpy as np

VERSION = 6
TYPES = {0: "<f4", 1: "i1", 2: "<i2", 3: "<i4", 4: "<f2", 5: "bfloat16"}
"""Types of values by their number."""


class Model(NamedTuple):
    """The content of a file.

    Attributes
    ----------
    spec : str
        Name of the specification, such as ``WhisperSpec``.
    variables : dict of str to ndarray
        By name. Weights are in float32: quantized ones are multiplied out.
    stored_types : dict of str to str
        Types of the weights in the file.
    """

    spec: str
    variables: dict[str, np.ndarray]
    stored_types: dict[str, str]


class _Reader:
    def __init__(self, content: bytes) -> None:
        self._content, self._position = content, 0

    def take(self, size: int) -> bytes:
        start, self._position = self._position, self._position + size
        if self._position > len(self._content):
            raise ValueError(f"the file ends at byte {len(self._content)}, expected at least {self._position}")
        return self._content[start : self._position]

    def integer(self, kind: str) -> int:
        return struct.unpack(f"<{kind}", self.take(struct.calcsize(f"<{kind}")))[0]

    def text(self) -> str:
        return self.take(self.integer("H"))[:-1].decode()

    def at_end(self) -> bool:
        return self._position == len(self._content)


def read_model(content: bytes) -> Model:
    """Read a whole file.

    Parameters
    ----------
    content : bytes

    Returns
    -------
    Model

    Raises
    ------
    ValueError
        If it is of another version, truncated, or longer than what it holds.
    """
    reader = _Reader(content)
    if (version := reader.integer("I")) != VERSION:
        raise ValueError(f"version {version} of the format, expected {VERSION}")
    spec, _ = reader.text(), reader.integer("I")
    raw, types = {}, {}
    for _ in range(reader.integer("I")):
        name = reader.text()
        shape = [reader.integer("I") for _ in range(reader.integer("B"))]
        types[name] = TYPES[reader.integer("B")]
        raw[name] = _to_array(reader.take(reader.integer("I")), types[name], shape)
    for _ in range(reader.integer("I")):
        alias, name = reader.text(), reader.text()
        raw[alias], types[alias] = raw[name], types[name]
    if not reader.at_end():
        raise ValueError("the file continues after its last alias")
    variables = {name: _dequantize(raw, name) for name in raw if not name.endswith("_scale")}
    return Model(spec, variables, {name: types[name] for name in variables})


def _to_array(content: bytes, kind: str, shape: list[int]) -> np.ndarray:
    if kind != "bfloat16":
        return np.frombuffer(content, kind).reshape(shape)
    upper = np.frombuffer(content, "<u2").astype("<u4") << 16  # the upper half of a float32
    return upper.view("<f4").reshape(shape)


def _dequantize(raw: dict[str, np.ndarray], name: str) -> np.ndarray:
    """Return a variable in float32, divided by its scale if it has one: of each row for int8, of all for int16."""
    value, scale = raw[name], raw.get(f"{name}_scale")
    if scale is None:
        return value.astype(np.float32) if value.dtype.kind == "f" else value
    return (value / scale.astype(np.float64).reshape(scale.shape + (1,) * (value.ndim - scale.ndim))).astype(np.float32)
