import importlib.util
import json
import logging
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from abxfast._threads import usable_threads
from abxfast.encoders import Encoder, EncoderInfo, available_providers, encoders_folder, find_encoder, open_encoder
from abxfast.encoders import session as encoder_module
from abxfast.errors import EncoderError, MissingPackageError

INFO = EncoderInfo(
    name="tiny",
    variants=("mean", "max"),
    default_variant="mean",
    sample_rate_hz=16_000,
    least_samples=8,
    frame_hop_samples=1,
    normalisation="none",
    precision="fp32",
    tools={"by": "hand"},
)


def tiny(path, *, info=INFO, metadata=None, change=None, pool=True):
    """Write an encoder of two variants and four dimensions: mean and maximum of a waveform times 1, 2, 3, 4."""
    axis = numpy_helper.from_array(np.array([1], np.int64), "axis")
    rise = numpy_helper.from_array(np.array([[[1, 2, 3, 4]]], np.float32), "rise")
    nodes = [
        helper.make_node("ReduceMean", ["input_values"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("ReduceMax", ["input_values"], ["max"], axes=[1], keepdims=1),
        helper.make_node("Concat", ["mean", "max"] if pool else ["input_values"], ["both"], axis=1),
        helper.make_node("Unsqueeze", ["both", "minus"], ["wide"]),
        helper.make_node("Mul", ["wide", "rise"], ["embeddings"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("input_values", TensorProto.FLOAT, ["batch", "samples"])],
        [helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, ["batch", "variants", "dim"])],
        [axis, rise, numpy_helper.from_array(np.array([2], np.int64), "minus")],
    )
    if change:
        change(graph)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(model, info.to_metadata() if metadata is None else metadata)
    path.write_bytes(model.SerializeToString())
    return path


def rename_input(graph):
    graph.input[0].name = "audio"
    for node in graph.node:
        node.input[:] = ["audio" if name == "input_values" else name for name in node.input]


def second_input(graph):
    graph.input.append(helper.make_tensor_value_info("mask", TensorProto.FLOAT, ["batch", "samples"]))


def rename_output(graph):
    graph.output[0].name = graph.node[-1].output[0] = "hidden"


def retype(what, onnx_type):
    """Put a cast between the graph and its input or output."""

    def change(graph):
        if what == "input":
            graph.input[0].type.tensor_type.elem_type = onnx_type
            for node in graph.node:
                node.input[:] = ["cast" if name == "input_values" else name for name in node.input]
            graph.node.insert(0, helper.make_node("Cast", ["input_values"], ["cast"], to=TensorProto.FLOAT))
        else:
            graph.output[0].type.tensor_type.elem_type = onnx_type
            graph.node[-1].output[0] = "uncast"
            graph.node.append(helper.make_node("Cast", ["uncast"], ["embeddings"], to=onnx_type))

    return change


def reshape(what, axes):
    def change(graph):
        value = getattr(graph, what)[0]
        value.CopyFrom(helper.make_tensor_value_info(value.name, TensorProto.FLOAT, axes))

    return change


def input_of_three_axes(graph):
    """A graph that is sound in itself, with one axis too many at its input."""
    reshape("input", ["batch", "samples", 1])(graph)
    for node in graph.node:
        node.input[:] = ["flat" if name == "input_values" else name for name in node.input]
    graph.node.insert(0, helper.make_node("Squeeze", ["input_values", "minus"], ["flat"]))


def output_of_two_axes(graph):
    graph.node[-1].CopyFrom(helper.make_node("Squeeze", ["wide", "minus"], ["embeddings"]))
    reshape("output", ["batch", "variants"])(graph)


def nan_where_it_is_silent(graph):
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


def refused(path, provider="cpu"):
    with pytest.raises(EncoderError) as caught:
        Encoder(path, provider)
    said = str(caught.value)
    assert "\n" not in said
    return said


def test_mfcc_opens():
    encoder = open_encoder("mfcc")
    assert (encoder.info.name, encoder.dim, encoder.provider, encoder.batches) == ("mfcc", 26, "cpu", False)
    assert encoder.encode(np.ones((3, 1_000), np.float32)).shape == (3, 3, 26)


def test_an_encoder_that_keeps_the_contract_opens(tmp_path):
    encoder = Encoder(tiny(tmp_path / "tiny.onnx"))
    assert encoder.info == INFO
    wave = np.array([[0, 0, 0, 0, 0, 0, 2, 6]], np.float32)
    np.testing.assert_array_equal(encoder.encode(wave), [[[1, 2, 3, 4], [6, 12, 18, 24]]])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (rename_input, "expected the one input 'input_values', found audio"),
        (second_input, "expected the one input 'input_values', found input_values, mask"),
        (rename_output, "expected an output 'embeddings', found hidden"),
        (retype("input", TensorProto.DOUBLE), "'input_values' is tensor(double), expected tensor(float)"),
        (retype("output", TensorProto.FLOAT16), "'embeddings' is tensor(float16), expected tensor(float)"),
        (input_of_three_axes, "expected [batch, samples]"),
        (output_of_two_axes, "expected [batch, variants, dim]"),
        (reshape("input", [1, "samples"]), "fixed shape [1, 'samples']"),
        (reshape("input", ["batch", 16_000]), "fixed shape ['batch', 16000]"),
        (needs_more, "fails on 8 samples"),
        (nan_where_it_is_silent, "gives NaN or infinity for 8 samples"),
    ],
)
def test_a_graph_that_breaks_the_contract(tmp_path, change, said):
    path = tiny(tmp_path / "broken.onnx", change=change)
    message = refused(path)
    assert said in message
    assert str(path) in message


@pytest.mark.parametrize("variants", [("mean",), ("mean", "max", "std")])
def test_variants_are_counted(tmp_path, variants):
    path = tiny(tmp_path / "miscounted.onnx", info=EncoderInfo(**{**vars(INFO), "variants": variants}))
    assert f"'embeddings' is [1, 2, 4] for waveforms of [1, 8], expected [1, {len(variants)}, dim]" in refused(path)


def test_frames_that_are_not_pooled_do_not_pass_for_variants(tmp_path):
    variants = tuple(f"v{n}" for n in range(8))  # as many as there are frames at the least length
    info = EncoderInfo(**{**vars(INFO), "variants": variants, "default_variant": "v0"})
    assert "'embeddings' is [1, 19, 4]" in refused(tiny(tmp_path / "frames.onnx", info=info, pool=False))


@pytest.mark.parametrize("key", INFO.to_metadata())
def test_each_key_is_needed(tmp_path, key):
    pairs = INFO.to_metadata()
    del pairs[key]
    path = tiny(tmp_path / "silent.onnx", metadata=pairs)
    message = refused(path)
    assert f"no metadata '{key}'" in message
    assert str(path) in message


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("contract", "2", "encoder contract '2', this abxfast reads 1"),
        ("name", "", "expected a word"),
        ("name", "two\nlines", "expected a word"),
        ("variants", "mean, max", "expected a JSON list"),
        ("variants", "[]", "expected a JSON list"),
        ("variants", '"mean"', "expected a JSON list"),
        ("variants", '["mean", "mean"]', "expected a JSON list of different names"),
        ("variants", '["mean", 2]', "expected a JSON list of different names"),
        ("variants", '["mean", ""]', "expected a JSON list of different names"),
        ("default_variant", "std", "default variant 'std' is none of mean, max"),
        ("sample_rate_hz", "16000.0", "expected a whole number from 4000 to 384000"),
        ("sample_rate_hz", "16", "expected a whole number from 4000 to 384000"),
        ("least_samples", "-8", "expected a whole number from 1"),
        ("least_samples", "0", "expected a whole number from 1"),
        ("least_samples", "9" * 5_000, "expected a whole number from 1 to 960000"),
        ("frame_hop_samples", "many", "expected a whole number from 1"),
        ("normalisation", " ", "expected a word"),
        ("precision", "", "expected a word"),
        ("tools", "{", "expected a JSON object"),
        ("parity", "[1]", "expected a JSON object"),
    ],
)
def test_garbled_metadata(tmp_path, key, value, said):
    path = tiny(tmp_path / "garbled.onnx", metadata={**INFO.to_metadata(), f"abxfast.{key}": value})
    message = refused(path)
    assert said in message
    assert str(path) in message
    assert len(message) < 400


def test_info_survives_the_metadata():
    info = EncoderInfo(**{**vars(INFO), "parity": {"cos": 0.5, "n": [1, 2]}, "licence": "MIT", "name": "声调"})
    assert EncoderInfo.from_metadata(info.to_metadata(), "x") == info
    assert json.loads(info.to_metadata()["abxfast.variants"]) == ["mean", "max"]


@pytest.mark.parametrize("content", [b"", b"RIFF....WAVE", b"\x08\x08" * 40, None])
def test_a_file_that_is_not_onnx(tmp_path, content):
    path = tmp_path / "not.onnx"
    whole = find_encoder("mfcc").read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if content is None else content)
    message = refused(path)
    assert str(path) in message


def test_a_file_that_is_not_there(tmp_path):
    assert "cannot be read (No such file or directory)" in refused(tmp_path / "none.onnx")


def test_names_are_looked_up(tmp_path, monkeypatch):
    monkeypatch.setattr("platformdirs.user_data_path", lambda *_, **__: tmp_path / "data")
    with pytest.raises(EncoderError, match="known: mfcc;"):
        open_encoder("xlsr")
    encoders_folder().mkdir(parents=True)
    tiny(encoders_folder() / "mine.onnx")
    assert open_encoder("mine").info == INFO
    assert open_encoder(tiny(tmp_path / "here.onnx")).path == tmp_path / "here.onnx"
    with pytest.raises(EncoderError, match="no file xlsr, and no encoder of that name; known: mfcc, mine") as caught:
        open_encoder("xlsr")
    assert str(encoders_folder()) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_provider_that_is_not_there_is_an_error():
    absent = next(name for name in encoder_module.PROVIDERS if name not in available_providers())
    with pytest.raises(EncoderError, match=f"--provider {absent}: not here; this onnxruntime brings .*cpu"):
        open_encoder("mfcc", absent)
    with pytest.raises(EncoderError, match="--provider: found 'gpu', expected auto, cpu, cuda"):
        open_encoder("mfcc", "gpu")
    assert open_encoder("mfcc", "cpu").provider == "cpu"


def test_auto_says_what_it_took(caplog):
    with caplog.at_level(logging.INFO, "abxfast"):
        open_encoder("mfcc", "auto")
    assert [record.getMessage() for record in caplog.records] == ["mfcc.onnx runs on cpu"]


def fake_onnxruntime(start):
    """An onnxruntime that brings cuda, and starts sessions as `start` says."""
    import onnxruntime

    def session(path, sess_options, providers, **_):
        real = onnxruntime.InferenceSession(path, sess_options=sess_options, providers=["CPUExecutionProvider"])
        return start(real, providers)

    return SimpleNamespace(
        SessionOptions=onnxruntime.SessionOptions,
        InferenceSession=session,
        get_available_providers=lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"],
    )


def test_a_provider_that_falls_back_in_silence_is_found_out(monkeypatch, caplog):
    monkeypatch.setattr(encoder_module, "_onnxruntime", lambda: fake_onnxruntime(lambda real, _: real))
    with pytest.raises(EncoderError, match="--provider cuda: does not start: the libraries of cuda do not load"):
        open_encoder("mfcc", "cuda")
    with caplog.at_level(logging.INFO, "abxfast"):
        assert open_encoder("mfcc", "auto").provider == "cpu"
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "cuda is here but does not start" in caplog.text


def test_a_provider_that_starts_is_taken_and_batches(monkeypatch):
    def start(real, providers):
        names = {"get_providers": lambda: providers, "run": real.run}
        return SimpleNamespace(
            **names, get_modelmeta=real.get_modelmeta, get_inputs=real.get_inputs, get_outputs=real.get_outputs
        )

    monkeypatch.setattr(encoder_module, "_onnxruntime", lambda: fake_onnxruntime(start))
    encoder = open_encoder("mfcc", "auto")
    assert (encoder.provider, encoder.batches) == ("cuda", True)


def test_without_a_runtime_the_extras_are_named(monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "onnxruntime" else find_spec(name, *rest)
    )
    for act in (available_providers, lambda: open_encoder("mfcc")):
        with pytest.raises(MissingPackageError, match="one of the extras cpu and gpu") as caught:
            act()
        assert "\n" not in str(caught.value)


def test_a_runtime_that_is_broken_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", SimpleNamespace())
    monkeypatch.setattr(importlib.util, "find_spec", lambda *_: object())
    with pytest.raises(MissingPackageError, match="overwrote each other"):
        available_providers()
    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # importing it raises ImportError
    with pytest.raises(MissingPackageError, match="does not load"):
        available_providers()


def scales_over_the_batch(graph):
    """Divide by the loudest sample of the batch, as dynamic quantisation does."""
    for node in graph.node:
        node.input[:] = ["scaled" if name == "input_values" else name for name in node.input]
    graph.node.insert(0, helper.make_node("ReduceL2", ["input_values"], ["loudness"], keepdims=1))
    graph.node.insert(1, helper.make_node("Add", ["loudness", "rise"], ["above"]))
    graph.node.insert(2, helper.make_node("ReduceMax", ["above"], ["scale"], keepdims=0))
    graph.node.insert(3, helper.make_node("Div", ["input_values", "scale"], ["scaled"]))


def test_on_the_cpu_a_graph_that_looks_at_its_batch_sees_one_snippet(tmp_path):
    encoder = Encoder(tiny(tmp_path / "dynamic.onnx", change=scales_over_the_batch), "cpu")
    waves = np.array([[1] * 8, [9] * 8], np.float32)
    alone = np.concatenate([encoder.encode(wave[None]) for wave in waves])
    np.testing.assert_array_equal(encoder.encode(waves), alone)
    encoder.batches = True
    assert (encoder.encode(waves)[0] != alone[0]).all()


def snippets():
    rng = np.random.default_rng(3)
    return [(0.1 * rng.standard_normal(n)).astype(np.float32) for n in (400, 16_000, 16_000, 16_000, 5_555, 32_000) * 3]


def test_a_vector_is_the_same_bit_for_bit_in_any_company_and_order():
    encoder = open_encoder("mfcc", "cpu")
    waves = snippets()
    alone = [encoder.encode(wave[None])[0] for wave in waves]
    order = list(range(len(waves)))
    np.random.default_rng(1).shuffle(order)
    for n in order:
        np.testing.assert_array_equal(encoder.encode(waves[n][None])[0], alone[n])
    equal = [n for n, wave in enumerate(waves) if len(wave) == 16_000]
    for company in (equal, equal[::-1], equal[2:5]):
        together = encoder.encode(np.stack([waves[n] for n in company]))
        np.testing.assert_array_equal(together, np.stack([alone[n] for n in company]))
    with ThreadPoolExecutor(8) as pool:
        threaded = list(pool.map(lambda n: encoder.encode(waves[n][None])[0], order * 4))
    for n, vector in zip(order * 4, threaded, strict=True):
        np.testing.assert_array_equal(vector, alone[n])


def test_a_failing_run_is_one_line():
    encoder = open_encoder("mfcc")
    with pytest.raises(EncoderError, match=r"mfcc\.onnx: fails on 100 samples") as caught:
        encoder.encode(np.zeros((1, 100), np.float32))
    assert "\n" not in str(caught.value)


def test_threads_are_those_that_may_be_used(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 5, 6}, raising=False)
    assert usable_threads() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert usable_threads() == 1


def saturating(path):
    """Write an encoder whose vectors are products of 255 and 127, which 16 bits do not hold, in pairs."""
    ones = numpy_helper.from_array(np.full((64, 32), 127, np.int8), "weights")
    nodes = [
        helper.make_node("Slice", ["input_values", "zero", "width", "time"], ["first"]),
        helper.make_node("Mul", ["first", "none"], ["silence"]),
        helper.make_node("Add", ["silence", "full"], ["loud"]),
        helper.make_node("Cast", ["loud"], ["bytes"], to=TensorProto.UINT8),
        helper.make_node("MatMulInteger", ["bytes", "weights"], ["product"]),
        helper.make_node("Cast", ["product"], ["number"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["number", "time"], ["embeddings"]),
    ]
    constants = {"zero": [0], "width": [64], "time": [1]}
    graph = helper.make_graph(
        nodes,
        "saturating",
        [helper.make_tensor_value_info("input_values", TensorProto.FLOAT, ["batch", "samples"])],
        [helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, ["batch", "variants", "dim"])],
        [
            ones,
            *(numpy_helper.from_array(np.array(value, np.int64), name) for name, value in constants.items()),
            numpy_helper.from_array(np.float32(0), "none"),
            numpy_helper.from_array(np.float32(255), "full"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    info = EncoderInfo(**{**INFO.__dict__, "variants": ("loud",), "default_variant": "loud", "least_samples": 64})
    helper.set_model_props(model, info.to_metadata())
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("asked", [True, False])
def test_int8_products_never_saturate(tmp_path, monkeypatch, asked):
    path = saturating(tmp_path / "saturating.onnx")
    if asked:  # as on a processor that needs it
        monkeypatch.setattr(encoder_module, "_int8_saturates", lambda: True)
    vectors = open_encoder(path, "cpu").encode(np.zeros((1, 64), np.float32))
    assert (vectors == 64 * 255 * 127).all()


def test_the_saturation_probe_is_what_its_recipe_makes():
    from importlib.resources import files

    from abxfast.export.saturation import build

    assert (files("abxfast.encoders") / "saturation.onnx").read_bytes() == build()
