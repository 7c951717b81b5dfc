"""``abxfast/saturation.onnx``: a product that tells whether this processor's int8 kernels saturate.

x86 without VNNI adds pairs of uint8 · int8 in 16 bits, which 255 · 127 · 2 overflows. onnxruntime has a slower kernel
that does not, to be asked for; on processors that need it not, asking for it costs a factor of three.

Run as ``python -m abxfast.export.saturation -o abxfast/saturation.onnx`` (needs the ``onnx`` package only).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from onnx import TensorProto

from abxfast.export.graph import Graph, value_info

INNER, OUTER = 64, 32


def build() -> bytes:
    """Give a model that multiplies ``x`` uint8 ``[rows, 64]`` with 127 throughout: ``y`` int32 ``[rows, 32]``."""
    g = Graph()
    g.rename(g("MatMulInteger", "x", g.constant(np.full((INNER, OUTER), 127), np.int8)), "y")
    model = g.model(
        "saturation",
        [value_info("x", ["rows", INNER], TensorProto.UINT8)],
        [value_info("y", ["rows", OUTER], TensorProto.INT32)],
    )
    return model.SerializeToString(deterministic=True)


def main() -> None:
    """Write the model to the file that the command line names."""
    parser = argparse.ArgumentParser(description="Write the saturation probe.")
    parser.add_argument("-o", "--output", type=Path, default=Path("saturation.onnx"))
    parser.parse_args().output.write_bytes(build())


if __name__ == "__main__":
    main()
