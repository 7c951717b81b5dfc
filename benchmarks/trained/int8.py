"""Measure int8 on a trained checkpoint: drift and change of ABX scores on real speech of five kinds, layer by layer.

    python benchmarks/trained/whisper_weights.py FOLDER --speech speech
    python benchmarks/trained/int8.py FOLDER/whisper-base --speech speech [--seconds 10] [--only outliers]

Needs festival and espeak-ng. Each kind gives 46 snippets; drift is (1 − cos to PyTorch fp32) / mean distance between
the snippets of that kind, and the ABX scores compare the first half of the kind with the second, as the check of
``abxfast export`` does. Encoders are calibrated on what ``abxfast export`` takes by default, the stimuli of ``abxfast
demo``, so none has seen the speech that it is measured on. The peer is onnxruntime's dynamic quantisation of all
products with weights of the same graph.
"""

from __future__ import annotations

import argparse
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from material import RATE_HZ, read_kinds

from abxfast.encoders import Encoder
from abxfast.export import calibration
from abxfast.export.builder import EncoderBuilder
from abxfast.export.calibration_audio import CalibrationAudio, read_calibration_audio
from abxfast.export.checkpoint import describe_checkpoint, fetch_weights
from abxfast.export.parity import TorchReference, compare, cut_snippets

POOLINGS = ("max", "mean", "std")
OUTLIER = 10
"""A channel is an outlier if its peak is this many times the median of all channels."""


@contextmanager
def without_smoothing():
    """Quantise without smoothing."""
    smooth = calibration.smoothing_scales
    calibration.smoothing_scales = lambda *_, **__: None
    try:
        yield
    finally:
        calibration.smoothing_scales = smooth


def make_encoders(checkpoint, folder: Path) -> dict[str, Encoder]:
    """Make the encoders in int8 of a checkpoint, with all layers and poolings."""
    layers = tuple(range(checkpoint.architecture.n_blocks + 1))
    audio = read_calibration_audio(None)

    def build(name, precision):
        path = folder / f"{name}.onnx"
        EncoderBuilder(path, checkpoint, audio, layers, POOLINGS, precision, ()).write(path)
        return path

    paths = {"abxfast int8": build("smoothed", "int8")}
    with without_smoothing():
        paths["abxfast int8, not smoothed"] = build("plain", "int8")
    paths["onnxruntime dynamic int8"] = quantize_with_onnxruntime(build("fp32", "fp32"), folder / "onnxruntime.onnx")
    return {name: Encoder(path, "cpu") for name, path in paths.items()}


def quantize_with_onnxruntime(source: Path, target: Path) -> Path:
    """Quantise the products in float32 with constant weights, per channel, as onnxruntime does dynamically."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    model = onnx.load(source)
    float32 = {tensor.name for tensor in model.graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT}
    nodes = []
    for number, node in enumerate(model.graph.node):
        node.name = node.name or f"node{number}"
        if node.op_type == "MatMul" and node.input[1] in float32:
            nodes.append(node.name)
    onnx.save(model, source)
    quantize_dynamic(
        source,
        target,
        nodes_to_quantize=nodes,
        weight_type=QuantType.QInt8,
        per_channel=True,
        extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
    )
    return target


def snippets_of(wave: np.ndarray, seconds: float) -> np.ndarray:
    """Cut snippets from both halves of a waveform."""
    half = len(wave) // 2
    return cut_snippets(CalibrationAudio("", [], (wave[:half], wave[half:])), seconds)


def measure(checkpoint, kinds: dict[str, np.ndarray], seconds: float) -> None:
    """Print drift and change of ABX scores of each encoder."""
    layers = range(checkpoint.architecture.n_blocks + 1)
    reference = TorchReference(checkpoint, layers, POOLINGS)
    with tempfile.TemporaryDirectory() as temporary:
        encoders = make_encoders(checkpoint, Path(temporary))
        rows = {name: [] for name in encoders}
        for kind, wave in kinds.items():
            waves = snippets_of(wave, seconds)
            exact = np.stack([reference(each) for each in waves])
            for name, encoder in encoders.items():
                vectors = encoder.encode(waves).astype(np.float64)
                rows[name] += [
                    (kind, *variant.split("."), compare(variant, seconds, vectors[:, i], exact[:, i]))
                    for i, variant in enumerate(encoder.info.variants)
                ]
    print(f"\n### Drift, mean of the five kinds (greatest), {seconds:g} s\n")
    print_table(rows, lambda row: (row.drift, "{:.4f}"))
    print(f"\n### Drift, 95th percentile, mean of the five kinds (greatest), {seconds:g} s\n")
    print_table(rows, lambda row: (row.drift95, "{:.4f}"))
    print(f"\n### Change of the ABX score, mean of the five kinds (greatest), {seconds:g} s\n")
    print_table(rows, lambda row: (row.abx, "{:.4f}"))
    print("\n### Drift by kind, mean of layers (greatest), max-pooling\n")
    for name, measured in rows.items():
        for kind in kinds:
            drifts = [row.drift for of, _, pooling, row in measured if of == kind and pooling == "max"]
            print(f"| {name} | {kind} | {np.mean(drifts):.4f} ({max(drifts):.4f}) |")


def print_table(rows, value_of) -> None:
    """Print a row for each encoder and pooling, with a column for each layer."""
    layers = list(dict.fromkeys(layer for _, layer, _, _ in next(iter(rows.values()))))
    print(f"| encoder | pooling | {' | '.join(layers)} |")
    print(f"|{'---|' * (len(layers) + 2)}")
    for name, measured in rows.items():
        for pooling in POOLINGS:
            cells = []
            for layer in layers:
                values = [value_of(row) for _, of, by, row in measured if (of, by) == (layer, pooling)]
                numbers, text = [value for value, _ in values], values[0][1]
                cells.append(f"{text.format(np.mean(numbers))} ({text.format(max(numbers))})")
            print(f"| {name} | {pooling} | {' | '.join(cells)} |")


def report_outliers(checkpoint, kinds: dict[str, np.ndarray], seconds: float) -> None:
    """Print the outlier channels of each hidden state, and what they do to the vectors."""
    layers = range(checkpoint.architecture.n_blocks + 1)
    reference = TorchReference(checkpoint, layers, POOLINGS)
    waves = np.concatenate([snippets_of(wave, seconds)[::4] for wave in kinds.values()])
    frames = [np.concatenate(states) for states in zip(*(reference.states(wave) for wave in waves), strict=True)]
    vectors = np.stack([reference(wave) for wave in waves]).reshape(len(waves), len(layers), len(POOLINGS), -1)
    print("\n### Outlier channels\n")
    print("| layer | greatest / median peak | peaks > 10 medians | their share of the power | greatest channels |")
    print("|---|---|---|---|---|")
    for layer, x in enumerate(frames):
        peaks, power = np.abs(x).max(axis=0), np.square(x.astype(np.float64)).mean(axis=0)
        order, outliers = np.argsort(-peaks), peaks > OUTLIER * np.median(peaks)
        named = ", ".join(f"{channel} ({peaks[channel]:.3g})" for channel in order[:4])
        share = power[outliers].sum() / power.sum()
        print(f"| {layer} | {peaks.max() / np.median(peaks):.1f} | {outliers.sum()} | {share:.1%} | {named} |")
    print("\n### Share of a vector's squared length in its greatest channel (in its 5 greatest)\n")
    print(f"| layer | {' | '.join(POOLINGS)} |\n|{'---|' * (len(POOLINGS) + 1)}")
    for layer in layers:
        cells = []
        for i in range(len(POOLINGS)):
            unit = vectors[:, layer, i] / np.linalg.norm(vectors[:, layer, i], axis=1, keepdims=True)
            shares = np.sort(np.square(unit).mean(axis=0))[::-1]
            cells.append(f"{shares[0]:.1%} ({shares[:5].sum():.1%})")
        print(f"| {layer} | {' | '.join(cells)} |")


def report_padding(source: str, kinds: dict[str, np.ndarray]) -> None:
    """Print how far the vectors of snippets without padding are from those padded to 30 s."""
    padded, plain = (fetch_weights(describe_checkpoint(source, None, pad_s)) for pad_s in (30, 0))
    layers = range(plain.architecture.n_blocks + 1)
    print("\n### Without padding, against padded to 30 s: drift (change of the ABX score), mean of the five kinds\n")
    print(f"| snippet | pooling | {' | '.join(f'layer{layer}' for layer in layers)} |\n|{'---|' * (len(layers) + 2)}")
    for seconds in (1.0, 5.0, 10.0, 20.0):
        rows = []
        for wave in kinds.values():
            waves = snippets_of(wave, seconds)
            if waves is not None:
                both = [
                    np.stack([reference(each) for each in waves])
                    for reference in (TorchReference(checkpoint, layers, POOLINGS) for checkpoint in (plain, padded))
                ]
                rows.append([compare("", seconds, both[0][:, i], both[1][:, i]) for i in range(both[0].shape[1])])
        for i, pooling in enumerate(POOLINGS):
            cells = []
            for layer in layers:
                of_kinds = [row[layer * len(POOLINGS) + i] for row in rows]
                drift, abx = (np.mean([getattr(row, key) for row in of_kinds]) for key in ("drift", "abx"))
                cells.append(f"{drift:.3f} ({abx:.3f})")
            print(f"| {seconds:g} s | {pooling} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Parse the command line, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("--speech", type=Path, required=True, help="folder with the unpacked packages")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--only", choices=("int8", "outliers", "padding"))
    arguments = parser.parse_args()
    kinds = read_kinds(arguments.speech)
    for kind, wave in kinds.items():
        print(f"{kind}: {len(wave) / RATE_HZ:.0f} s")
    checkpoint = fetch_weights(describe_checkpoint(arguments.checkpoint))
    if arguments.only in (None, "outliers"):
        report_outliers(checkpoint, kinds, arguments.seconds)
    if arguments.only in (None, "int8"):
        measure(checkpoint, kinds, arguments.seconds)
    if arguments.only in (None, "padding"):
        report_padding(arguments.checkpoint, kinds)


if __name__ == "__main__":
    main()
