"""Script that writes ``saturation.onnx``: an int8 product that shows whether this processor's kernels saturate.

x86 without VNNI adds pairs of uint8 · int8 products in 16 bits, which 2 · 255 · 127 overflows. onnxruntime has a kernel
that avoids it, as an option that makes int8 three times slower on processors that do not need it.

Run as ``python -m abxfast.export.saturation -o abxfast/encoders/saturation.onnx`` (needs the ``onnx`` package only).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from onnx import TensorProto

from abxfast.export.graph import Graph, value_info

INNER, OUTER = 64, 32
WEIGHT = 127


def build_probe() -> bytes:
    """Return an ONNX model that multiplies ``x`` by a matrix of 127s.

    Returns
    -------
    bytes
        Input ``x`` uint8 ``[rows, 64]``; output ``y`` int32 ``[rows, 32]``.
    """
    g = Graph()
    g.rename(g("MatMulInteger", "x", g.constant(np.full((INNER, OUTER), WEIGHT), np.int8)), "y")
    model = g.model(
        "saturation",
        [value_info("x", ["rows", INNER], TensorProto.UINT8)],
        [value_info("y", ["rows", OUTER], TensorProto.INT32)],
    )
    return model.SerializeToString(deterministic=True)


def main() -> None:
    """Write the model to the file given on the command line."""
    parser = argparse.ArgumentParser(description="Write the saturation probe.")
    parser.add_argument("-o", "--output", type=Path, default=Path("saturation.onnx"))
    parser.parse_args().output.write_bytes(build_probe())


if __name__ == "__main__":
    main()
