"""Open encoders: each violation of the contract is found, and vectors are independent of their batch."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from tiny_encoder import INFO, write_encoder

from abxfast.encoders import Encoder, EncoderInfo, find_encoder, open_encoder
from abxfast.errors import EncoderError


def rename_input(graph):
    graph.input[0].name = "audio"
    for node in graph.node:
        node.input[:] = ["audio" if name == "input_values" else name for name in node.input]


def second_input(graph):
    graph.input.append(helper.make_tensor_value_info("mask", TensorProto.FLOAT, ["batch", "samples"]))


def rename_output(graph):
    graph.output[0].name = graph.node[-1].output[0] = "hidden"


def retype(side, onnx_type):
    """Insert a cast between the graph and its input or output."""

    def change(graph):
        if side == "input":
            graph.input[0].type.tensor_type.elem_type = onnx_type
            for node in graph.node:
                node.input[:] = ["cast" if name == "input_values" else name for name in node.input]
            graph.node.insert(0, helper.make_node("Cast", ["input_values"], ["cast"], to=TensorProto.FLOAT))
        else:
            graph.output[0].type.tensor_type.elem_type = onnx_type
            graph.node[-1].output[0] = "uncast"
            graph.node.append(helper.make_node("Cast", ["uncast"], ["embeddings"], to=onnx_type))

    return change


def reshape(side, axes):
    def change(graph):
        value = getattr(graph, side)[0]
        value.CopyFrom(helper.make_tensor_value_info(value.name, TensorProto.FLOAT, axes))

    return change


def input_of_three_axes(graph):
    """A valid graph with one axis too many at its input."""
    reshape("input", ["batch", "samples", 1])(graph)
    for node in graph.node:
        node.input[:] = ["flat" if name == "input_values" else name for name in node.input]
    graph.node.insert(0, helper.make_node("Squeeze", ["input_values", "minus"], ["flat"]))


def output_of_two_axes(graph):
    graph.node[-1].CopyFrom(helper.make_node("Squeeze", ["wide", "minus"], ["embeddings"]))
    reshape("output", ["batch", "variants"])(graph)


def nan_on_silence(graph):
    graph.node[-1].output[0] = "sound"
    graph.node.append(helper.make_node("Div", ["sound", "sound"], ["embeddings"]))


def needs_more(graph):
    """Fail on fewer than 100 samples: a convolution over 100 of them."""
    graph.initializer.append(numpy_helper.from_array(np.ones((1, 1, 100), np.float32), "kernel"))
    for node in graph.node:
        node.input[:] = ["long" if name == "input_values" else name for name in node.input]
    graph.node.insert(0, helper.make_node("Unsqueeze", ["input_values", "axis"], ["channel"]))
    graph.node.insert(1, helper.make_node("Conv", ["channel", "kernel"], ["filtered"]))
    graph.node.insert(2, helper.make_node("Squeeze", ["filtered", "axis"], ["long"]))


def error_of(path, provider="cpu"):
    with pytest.raises(EncoderError) as caught:
        Encoder(path, provider)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_mfcc_opens():
    encoder = open_encoder("mfcc")
    assert (encoder.info.name, encoder.dim, encoder.provider, encoder.batches) == ("mfcc", 26, "cpu", False)
    assert encoder.encode(np.ones((3, 1_000), np.float32)).shape == (3, 3, 26)


def test_a_valid_encoder_opens(tmp_path):
    encoder = Encoder(write_encoder(tmp_path / "tiny.onnx"))
    assert encoder.info == INFO
    wave = np.array([[0, 0, 0, 0, 0, 0, 2, 6]], np.float32)
    np.testing.assert_array_equal(encoder.encode(wave), [[[1, 2, 3, 4], [6, 12, 18, 24]]])


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (rename_input, "expected the single input 'input_values', found audio"),
        (second_input, "expected the single input 'input_values', found input_values, mask"),
        (rename_output, "expected an output 'embeddings', found hidden"),
        (retype("input", TensorProto.DOUBLE), "'input_values' is tensor(double), expected tensor(float)"),
        (retype("output", TensorProto.FLOAT16), "'embeddings' is tensor(float16), expected tensor(float)"),
        (input_of_three_axes, "expected [batch, samples]"),
        (output_of_two_axes, "expected [batch, variants, dim]"),
        (reshape("input", [1, "samples"]), "fixed shape [1, 'samples']"),
        (reshape("input", ["batch", 16_000]), "fixed shape ['batch', 16000]"),
        (needs_more, "fails on 8 samples"),
        (nan_on_silence, "returns NaN or infinity for 8 samples"),
    ],
)
def test_a_graph_that_violates_the_contract(tmp_path, change, expected):
    path = write_encoder(tmp_path / "broken.onnx", change=change)
    message = error_of(path)
    assert expected in message
    assert str(path) in message


@pytest.mark.parametrize("variants", [("mean",), ("mean", "max", "std")])
def test_variants_are_counted(tmp_path, variants):
    path = write_encoder(tmp_path / "miscounted.onnx", info=EncoderInfo(**{**vars(INFO), "variants": variants}))
    assert f"'embeddings' is [1, 2, 4] for waveforms of [1, 8], expected [1, {len(variants)}, dim]" in error_of(path)


def test_unpooled_frames_are_not_taken_for_variants(tmp_path):
    variants = tuple(f"v{n}" for n in range(8))  # as many as there are frames at the minimum length
    info = EncoderInfo(**{**vars(INFO), "variants": variants, "default_variant": "v0"})
    assert "'embeddings' is [1, 19, 4]" in error_of(write_encoder(tmp_path / "frames.onnx", info=info, pool=False))


@pytest.mark.parametrize("content", [b"", b"RIFF....WAVE", b"\x08\x08" * 40, None])
def test_a_file_that_is_not_onnx(tmp_path, content):
    path = tmp_path / "not.onnx"
    mfcc = find_encoder("mfcc").read_bytes()
    path.write_bytes(mfcc[: len(mfcc) // 2] if content is None else content)
    message = error_of(path)
    assert str(path) in message


def test_a_missing_file(tmp_path):
    assert "cannot be read (No such file or directory)" in error_of(tmp_path / "none.onnx")


def scale_by_batch_maximum(graph):
    """Divide by the maximum over the batch, as dynamic quantization does."""
    for node in graph.node:
        node.input[:] = ["scaled" if name == "input_values" else name for name in node.input]
    graph.node.insert(0, helper.make_node("ReduceL2", ["input_values"], ["loudness"], keepdims=1))
    graph.node.insert(1, helper.make_node("Add", ["loudness", "rise"], ["above"]))
    graph.node.insert(2, helper.make_node("ReduceMax", ["above"], ["scale"], keepdims=0))
    graph.node.insert(3, helper.make_node("Div", ["input_values", "scale"], ["scaled"]))


def test_on_the_cpu_snippets_are_run_one_at_a_time(tmp_path):
    encoder = Encoder(write_encoder(tmp_path / "dynamic.onnx", change=scale_by_batch_maximum), "cpu")
    waves = np.array([[1] * 8, [9] * 8], np.float32)
    alone = np.concatenate([encoder.encode(wave[None]) for wave in waves])
    np.testing.assert_array_equal(encoder.encode(waves), alone)
    encoder.batches = True
    assert (encoder.encode(waves)[0] != alone[0]).all()


def snippets():
    rng = np.random.default_rng(3)
    return [(0.1 * rng.standard_normal(n)).astype(np.float32) for n in (400, 16_000, 16_000, 16_000, 5_555, 32_000) * 3]


def test_vectors_are_bit_identical_in_any_batch_and_order():
    encoder = open_encoder("mfcc", "cpu")
    waves = snippets()
    alone = [encoder.encode(wave[None])[0] for wave in waves]
    order = list(range(len(waves)))
    np.random.default_rng(1).shuffle(order)
    for n in order:
        np.testing.assert_array_equal(encoder.encode(waves[n][None])[0], alone[n])
    equal = [n for n, wave in enumerate(waves) if len(wave) == 16_000]
    for batch in (equal, equal[::-1], equal[2:5]):
        together = encoder.encode(np.stack([waves[n] for n in batch]))
        np.testing.assert_array_equal(together, np.stack([alone[n] for n in batch]))
    with ThreadPoolExecutor(8) as pool:
        threaded = list(pool.map(lambda n: encoder.encode(waves[n][None])[0], order * 4))
    for n, vector in zip(order * 4, threaded, strict=True):
        np.testing.assert_array_equal(vector, alone[n])


def test_a_failed_run_is_reported_in_one_line():
    encoder = open_encoder("mfcc")
    with pytest.raises(EncoderError, match=r"mfcc\.onnx: fails on 100 samples") as caught:
        encoder.encode(np.zeros((1, 100), np.float32))
    assert "\n" not in str(caught.value)
