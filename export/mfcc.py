"""The ``mfcc`` encoder: the acoustic baseline of ABX work, as a graph of standard ONNX operators.

Run as ``python -m abxfast.export.mfcc`` to write ``mfcc.onnx`` (needs the ``onnx`` package only).

The file holds no tables but a cosine of 400 values: the Fourier basis, the window, the mel filters and the
discrete cosine transform are small sub-graphs of constants, which the runtime folds once when it opens the file.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from abxfast.encoders import INPUT_NAME, OUTPUT_NAME, EncoderInfo

SAMPLE_RATE_HZ = 16_000
WINDOW = 400
"""Samples of a frame: 25 ms, also the length of the Fourier transform."""
HOP = 160
"""Samples from one frame to the next: 10 ms."""
N_MELS = 40
LOWEST_HZ, HIGHEST_HZ = 20.0, 8_000.0
COEFFICIENTS = range(1, 14)
"""c1 to c13. c0 is the level of the recording, which says more of the gain knob than of what was recorded."""
FLOOR = 1e-10
"""Power below which a mel band counts as silent (0 dB): digital silence becomes the zero vector."""
POOLINGS = ("max", "mean", "std")

RECIPE = "1"
"""Goes up when the vectors change, and only then: the file, and so every store, outlives new versions of abxfast."""
OPSET = 17
IR_VERSION = 8


def mel_edges_hz() -> np.ndarray:
    """Edges of the triangular filters in Hz, float64 ``(N_MELS + 2,)``, even on Slaney's (1998) mel scale.

    That scale is linear to 1,000 Hz (3 mel each 200 Hz) and logarithmic above (27 mel for a factor 6.4).
    """
    bend_hz, bend_mel = 1_000.0, 15.0

    def to_mel(hz: float) -> float:
        return hz * 3 / 200 if hz < bend_hz else bend_mel + 27 * np.log(hz / bend_hz) / np.log(6.4)

    mel = np.linspace(to_mel(LOWEST_HZ), to_mel(HIGHEST_HZ), N_MELS + 2)
    return np.where(mel < bend_mel, mel * 200 / 3, bend_hz * 6.4 ** ((mel - bend_mel) / 27))


class _Graph:
    """A list of nodes that names its values by itself."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, value: object, dtype: type) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype=dtype), name))
        return name

    def op(self, kind: str, *inputs: str, outputs: int = 1, **attributes: object) -> list[str]:
        names = [f"{kind.lower()}{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, **attributes))
        return names

    def __call__(self, kind: str, *inputs: str, **attributes: object) -> str:
        return self.op(kind, *inputs, **attributes)[0]


def _fourier_basis(g: _Graph) -> str:
    """Windowed cosines, then sines: ``[2 * bins, 1, WINDOW]``.

    Angles are looked up modulo one turn in whole numbers, since float32 products of up to 1,256 rad lose the basis.
    """
    bins = WINDOW // 2 + 1
    turn = g.constant(np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW), np.float32)
    zero, one = g.constant(0, np.int64), g.constant(1, np.int64)
    n = g("Range", zero, g.constant(WINDOW, np.int64), one)
    k = g("Unsqueeze", g("Range", zero, g.constant(bins, np.int64), one), g.constant([1], np.int64))
    full = g.constant(WINDOW, np.int64)
    angle = g("Mod", g("Mul", k, n), full)
    quarter_back = g("Mod", g("Add", angle, g.constant(WINDOW * 3 // 4, np.int64)), full)
    half = g.constant(0.5, np.float32)
    hann = g("Sub", half, g("Mul", half, turn))
    waves = g("Concat", g("Gather", turn, angle), g("Gather", turn, quarter_back), axis=0)
    return g("Unsqueeze", g("Mul", waves, hann), g.constant([1], np.int64))


def _mel_filters(g: _Graph) -> str:
    """Triangles of unit area (Slaney's normalisation): ``[N_MELS, bins]``."""
    bins = WINDOW // 2 + 1
    edges = mel_edges_hz()
    low, peak, high = (edges[i : i + N_MELS, None] for i in range(3))
    hz = g.constant(SAMPLE_RATE_HZ / WINDOW * np.arange(bins), np.float32)
    rise = g("Mul", g("Sub", hz, g.constant(low, np.float32)), g.constant(1 / (peak - low), np.float32))
    fall = g("Mul", g("Sub", g.constant(high, np.float32), hz), g.constant(1 / (high - peak), np.float32))
    triangle = g("Max", g("Min", rise, fall), g.constant(0, np.float32))
    return g("Mul", triangle, g.constant(2 / (high - low), np.float32))


def _cosine_transform() -> np.ndarray:
    """Orthonormal DCT-II rows of `COEFFICIENTS`: ``(13, N_MELS)``."""
    k = np.array(COEFFICIENTS)[:, None]
    return np.sqrt(2 / N_MELS) * np.cos(np.pi * k * (2 * np.arange(N_MELS) + 1) / (2 * N_MELS))


def build(*, pooled: bool = True) -> onnx.ModelProto:
    """Build the encoder.

    Frames are 25 ms under a periodic Hann window every 10 ms, without padding; 40 mel bands from 20 to 8,000 Hz, power
    in dB above −100 dB, c1 to c13 of the orthonormal DCT-II, then their deltas: the slope over five frames, the outer
    frames repeated at both ends.

    Parameters
    ----------
    pooled : bool
        Whether frames are pooled over time. ``False`` gives output ``frames``, float32 ``[batch, frames, 26]``, which
        is for inspection and does not keep the encoder contract.

    Returns
    -------
    onnx.ModelProto
        Input ``input_values`` float32 ``[batch, samples]``; output ``embeddings`` float32 ``[batch, 3, 26]``.
    """
    g = _Graph()
    wave = g("Unsqueeze", INPUT_NAME, g.constant([1], np.int64))
    spectrum = g("Conv", wave, _fourier_basis(g), strides=[HOP])
    real, imaginary = g.op("Split", spectrum, outputs=2, axis=1)
    power = g("Add", g("Mul", real, real), g("Mul", imaginary, imaginary))
    bands = g("MatMul", _mel_filters(g), power)
    above_floor = g("Max", g("Mul", bands, g.constant(1 / FLOOR, np.float32)), g.constant(1, np.float32))
    decibels = g("Mul", g("Log", above_floor), g.constant(10 / np.log(10), np.float32))
    cepstra = g("MatMul", g.constant(_cosine_transform(), np.float32), decibels)
    padded = g("Pad", cepstra, g.constant([0, 0, 2, 0, 0, 2], np.int64), mode="edge")
    slope = np.tile(np.array([-2, -1, 0, 1, 2]) / 10, (len(COEFFICIENTS), 1, 1))
    deltas = g("Conv", padded, g.constant(slope, np.float32), group=len(COEFFICIENTS))
    frames = g("Concat", cepstra, deltas, axis=1)
    dim = 2 * len(COEFFICIENTS)
    if pooled:
        mean = g("ReduceMean", frames, axes=[2])
        off = g("Sub", frames, mean)
        std = g("Sqrt", g("ReduceMean", g("Mul", off, off), axes=[2]))
        columns = g("Concat", g("ReduceMax", frames, axes=[2]), mean, std, axis=2)
        name, shape = OUTPUT_NAME, ["batch", len(POOLINGS), dim]
    else:
        columns, name, shape = frames, "frames", ["batch", "frames", dim]
    g.nodes.append(helper.make_node("Transpose", [columns], [name], perm=[0, 2, 1]))

    graph = helper.make_graph(
        g.nodes,
        "mfcc",
        [helper.make_tensor_value_info(INPUT_NAME, TensorProto.FLOAT, ["batch", "samples"])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)],
        g.constants,
        doc_string="Mel-frequency cepstral coefficients c1-c13 with deltas: an acoustic baseline, not a speech model.",
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="abxfast",
        producer_version=RECIPE,
    )
    if pooled:
        info = EncoderInfo(
            name="mfcc",
            variants=tuple(f"mfcc.{pooling}" for pooling in POOLINGS),
            default_variant="mfcc.max",
            sample_rate_hz=SAMPLE_RATE_HZ,
            least_samples=WINDOW,
            frame_hop_samples=HOP,
            normalisation="none",
            precision="fp32",
            source="abxfast.export.mfcc",
            licence="MIT",
            tools={"recipe": RECIPE},
        )
        helper.set_model_props(model, info.to_metadata())
    onnx.checker.check_model(model, full_check=True)
    return model


def main() -> None:
    """Write the encoder to the file that the command line names."""
    parser = argparse.ArgumentParser(description="Write the mfcc encoder.")
    parser.add_argument("-o", "--output", type=Path, default=Path("mfcc.onnx"))
    parser.add_argument("--frames", action="store_true", help="without pooling: for inspection, breaks the contract")
    arguments = parser.parse_args()
    arguments.output.write_bytes(build(pooled=not arguments.frames).SerializeToString(deterministic=True))


if __name__ == "__main__":
    main()
