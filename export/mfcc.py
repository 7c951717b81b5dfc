"""The ``mfcc`` encoder: the usual acoustic baseline of ABX evaluation, as a graph of standard ONNX operators.

Run as ``python -m abxfast.export.mfcc`` to write ``mfcc.onnx`` (needs the ``onnx`` package only).

The only table in the file is a cosine of 400 values: Fourier basis, window and mel filters are computed from constants
inside the graph, once, when the runtime opens the file.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnx
from onnx import helper

from abxfast.encoders import INPUT_NAME, OUTPUT_NAME, EncoderInfo
from abxfast.export.graph import Graph, value_info

SAMPLE_RATE_HZ = 16_000
WINDOW_SAMPLES = 400
"""Length of a frame, 25 ms, and of the Fourier transform."""
N_BINS = WINDOW_SAMPLES // 2 + 1
HOP_SAMPLES = 160
"""Distance between consecutive frames, 10 ms."""
N_MELS = 40
MIN_HZ, MAX_HZ = 20.0, 8_000.0
COEFFICIENTS = range(1, 14)
"""c1 to c13. c0 is left out: it is the level of the recording, which depends on the recording gain."""
MIN_POWER = 1e-10
"""Power at or below which a mel band counts as silent (0 dB), so that digital silence becomes the zero vector."""
POOLINGS = ("max", "mean", "std")

RECIPE = "1"
"""Version of the features, to be raised only if the vectors change: stores stay valid with new versions of abxfast."""
OPSET = 17
IR_VERSION = 8


def mel_edges_hz() -> np.ndarray:
    """Return the edges of the triangular filters in Hz, equally spaced on the mel scale of Slaney (1998).

    The scale is linear up to 1,000 Hz (3 mel per 200 Hz) and logarithmic above (27 mel per factor of 6.4).

    Returns
    -------
    ndarray of float64, shape (N_MELS + 2,)
    """
    break_hz, break_mel = 1_000.0, 15.0

    def to_mel(hz: float) -> float:
        return hz * 3 / 200 if hz < break_hz else break_mel + 27 * np.log(hz / break_hz) / np.log(6.4)

    mel = np.linspace(to_mel(MIN_HZ), to_mel(MAX_HZ), N_MELS + 2)
    return np.where(mel < break_mel, mel * 200 / 3, break_hz * 6.4 ** ((mel - break_mel) / 27))


def _fourier_basis(g: Graph) -> str:
    """Return cosines, then sines, under the window: ``[2 * N_BINS, 1, WINDOW_SAMPLES]``.

    Angles are reduced modulo one turn as integers: float32 angles of up to 1,256 rad would be too inexact.
    """
    n_samples = WINDOW_SAMPLES
    turn = g.constant(np.cos(2 * np.pi * np.arange(n_samples) / n_samples), np.float32)
    zero, one = g.scalar(0), g.scalar(1)
    n = g("Range", zero, g.scalar(n_samples), one)
    k = g("Unsqueeze", g("Range", zero, g.scalar(N_BINS), one), g.vector(1))
    period = g.scalar(n_samples)
    angle = g("Mod", g("Mul", k, n), period)
    quarter_turn_back = g("Mod", g("Add", angle, g.scalar(n_samples * 3 // 4)), period)
    half = g.constant(0.5, np.float32)
    hann = g("Sub", half, g("Mul", half, turn))
    waves = g("Concat", g("Gather", turn, angle), g("Gather", turn, quarter_turn_back), axis=0)
    return g("Unsqueeze", g("Mul", waves, hann), g.vector(1))


def _mel_filters(g: Graph) -> str:
    """Return triangular filters of unit area (Slaney's normalisation): ``[N_MELS, N_BINS]``."""
    edges = mel_edges_hz()
    low, peak, high = (edges[i : i + N_MELS, None] for i in range(3))
    hz = g.constant(SAMPLE_RATE_HZ / WINDOW_SAMPLES * np.arange(N_BINS), np.float32)
    rise = g("Mul", g("Sub", hz, g.constant(low, np.float32)), g.constant(1 / (peak - low), np.float32))
    fall = g("Mul", g("Sub", g.constant(high, np.float32), hz), g.constant(1 / (high - peak), np.float32))
    triangle = g("Max", g("Min", rise, fall), g.constant(0, np.float32))
    return g("Mul", triangle, g.constant(2 / (high - low), np.float32))


def _cosine_transform() -> np.ndarray:
    """Return the rows of the orthonormal DCT-II for `COEFFICIENTS`: float64 ``(13, N_MELS)``."""
    k = np.array(COEFFICIENTS)[:, None]
    return np.sqrt(2 / N_MELS) * np.cos(np.pi * k * (2 * np.arange(N_MELS) + 1) / (2 * N_MELS))


def build_mfcc(*, pooled: bool = True) -> onnx.ModelProto:
    """Build the encoder.

    Frames of 25 ms under a periodic Hann window, every 10 ms, without padding; 40 mel bands from 20 to 8,000 Hz; power
    in dB above −100 dB; c1 to c13 of the orthonormal DCT-II, followed by their deltas: the slope over five frames, with
    the outermost frames repeated at both ends.

    Parameters
    ----------
    pooled : bool
        Whether frames are pooled over time. ``False`` gives the output ``frames``, float32 ``[batch, frames, 26]``,
        which is for inspection and does not keep the encoder contract.

    Returns
    -------
    onnx.ModelProto
        Input ``input_values`` float32 ``[batch, samples]``; output ``embeddings`` float32 ``[batch, 3, 26]``.
    """
    g = Graph(mfcc_layout=True)
    frames = _add_features(g)
    dim = 2 * len(COEFFICIENTS)
    if pooled:
        columns, name, shape = _add_pooling(g, frames), OUTPUT_NAME, ["batch", len(POOLINGS), dim]
    else:
        columns, name, shape = frames, "frames", ["batch", "frames", dim]
    g.nodes.append(helper.make_node("Transpose", [columns], [name], perm=[0, 2, 1]))

    model = g.model(
        "mfcc",
        [value_info(INPUT_NAME, ["batch", "samples"])],
        [value_info(name, shape)],
        opsets={"": OPSET},
        ir_version=IR_VERSION,
    )
    model.producer_version = RECIPE
    model.graph.doc_string = (
        "Mel-frequency cepstral coefficients c1-c13 with deltas: an acoustic baseline, not a speech model."
    )
    if pooled:
        helper.set_model_props(model, _describe().to_metadata())
    onnx.checker.check_model(model, full_check=True)
    return model


def _add_features(g: Graph) -> str:
    """Add coefficients and deltas of each frame: ``[batch, 26, frames]``."""
    wave = g("Unsqueeze", INPUT_NAME, g.vector(1))
    spectrum = g("Conv", wave, _fourier_basis(g), strides=[HOP_SAMPLES])
    real, imaginary = g.op("Split", spectrum, outputs=2, axis=1)
    power = g("Add", g("Mul", real, real), g("Mul", imaginary, imaginary))
    bands = g("MatMul", _mel_filters(g), power)
    relative = g("Max", g("Mul", bands, g.constant(1 / MIN_POWER, np.float32)), g.constant(1, np.float32))
    decibels = g("Mul", g("Log", relative), g.constant(10 / np.log(10), np.float32))
    cepstra = g("MatMul", g.constant(_cosine_transform(), np.float32), decibels)
    padded = g("Pad", cepstra, g.vector(0, 0, 2, 0, 0, 2), mode="edge")
    slope = np.tile(np.array([-2, -1, 0, 1, 2]) / 10, (len(COEFFICIENTS), 1, 1))
    deltas = g("Conv", padded, g.constant(slope, np.float32), group=len(COEFFICIENTS))
    return g("Concat", cepstra, deltas, axis=1)


def _add_pooling(g: Graph, frames: str) -> str:
    """Add maximum, mean and standard deviation over time: ``[batch, 26, 3]``."""
    mean = g("ReduceMean", frames, axes=[2])
    deviation = g("Sub", frames, mean)
    std = g("Sqrt", g("ReduceMean", g("Mul", deviation, deviation), axes=[2]))
    return g("Concat", g("ReduceMax", frames, axes=[2]), mean, std, axis=2)


def _describe() -> EncoderInfo:
    return EncoderInfo(
        name="mfcc",
        variants=tuple(f"mfcc.{pooling}" for pooling in POOLINGS),
        default_variant="mfcc.max",
        sample_rate_hz=SAMPLE_RATE_HZ,
        least_samples=WINDOW_SAMPLES,
        frame_hop_samples=HOP_SAMPLES,
        normalisation="none",
        precision="fp32",
        source="abxfast.export.mfcc",
        licence="MIT",
        tools={"recipe": RECIPE},
    )


def main() -> None:
    """Write the encoder to the file given on the command line."""
    parser = argparse.ArgumentParser(description="Write the mfcc encoder.")
    parser.add_argument("-o", "--output", type=Path, default=Path("mfcc.onnx"))
    parser.add_argument("--frames", action="store_true", help="without pooling: for inspection, breaks the contract")
    arguments = parser.parse_args()
    arguments.output.write_bytes(build_mfcc(pooled=not arguments.frames).SerializeToString(deterministic=True))


if __name__ == "__main__":
    main()
