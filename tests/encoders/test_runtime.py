"""onnxruntime: missing or broken installations, providers, and int8 products that do not saturate."""

import importlib.util
import logging
import sys
from functools import partial
from importlib.resources import files
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from tiny_encoder import INFO, write_graph

from abxfast.encoders import PROVIDERS, EncoderInfo, available_providers, installed_runtimes, open_encoder
from abxfast.errors import EncoderError, MissingPackageError


def test_an_unavailable_provider_is_an_error():
    absent = next(name for name in PROVIDERS if name not in available_providers())
    with pytest.raises(EncoderError, match=f"^`provider='{absent}'`: not available; this onnxruntime supports .*cpu"):
        open_encoder("mfcc", absent)
    with pytest.raises(EncoderError, match=r"^`provider`: found 'gpu', expected auto, cpu, cuda"):
        open_encoder("mfcc", "gpu")
    assert open_encoder("mfcc", "cpu").provider == "cpu"


def test_auto_logs_the_provider(caplog):
    with caplog.at_level(logging.INFO, "abxfast"):
        open_encoder("mfcc", "auto")
    assert [record.getMessage() for record in caplog.records] == ["mfcc.onnx runs on cpu"]


def test_the_installed_distribution_is_listed():
    assert onnxruntime.__version__ in installed_runtimes().values()


@pytest.fixture
def install(monkeypatch):
    """Return a function that installs an onnxruntime with CUDA, whose sessions are what `start` returns."""

    def session(start, path, sess_options, providers, **_):
        real = onnxruntime.InferenceSession(path, sess_options=sess_options, providers=["CPUExecutionProvider"])
        return start(real, providers)

    def put(start):
        fake = SimpleNamespace(
            __spec__=object(),
            SessionOptions=onnxruntime.SessionOptions,
            RunOptions=onnxruntime.RunOptions,
            InferenceSession=partial(session, start),
            get_available_providers=lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"],
        )
        monkeypatch.setitem(sys.modules, "onnxruntime", fake)

    return put


def test_a_silent_fallback_to_the_cpu_is_detected(install, caplog):
    install(lambda real, _: real)
    with pytest.raises(EncoderError, match=r"^`provider='cuda'`: does not start: the libraries of cuda do not load"):
        open_encoder("mfcc", "cuda")
    with caplog.at_level(logging.INFO, "abxfast"):
        assert open_encoder("mfcc", "auto").provider == "cpu"
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "cuda is available but does not start" in caplog.text


def test_a_provider_that_starts_is_used_and_batches(install):
    def start(real, providers):
        names = {"get_providers": lambda: providers, "run": real.run}
        return SimpleNamespace(
            **names, get_modelmeta=real.get_modelmeta, get_inputs=real.get_inputs, get_outputs=real.get_outputs
        )

    install(start)
    encoder = open_encoder("mfcc", "auto")
    assert (encoder.provider, encoder.batches) == ("cuda", True)


def test_without_onnxruntime_the_extras_are_named(monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "onnxruntime" else find_spec(name, *rest)
    )
    for call in (available_providers, lambda: open_encoder("mfcc")):
        with pytest.raises(MissingPackageError, match=r"abxfast\[cpu\].*, or abxfast\[gpu\] in its place") as caught:
            call()
        assert "\n" not in str(caught.value)


def test_a_broken_installation_is_reported(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", SimpleNamespace())
    monkeypatch.setattr(importlib.util, "find_spec", lambda *_: object())
    with pytest.raises(MissingPackageError, match="overwrote each other"):
        available_providers()
    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # importing it raises ImportError
    with pytest.raises(MissingPackageError, match="does not load"):
        available_providers()


def saturating(path):
    """Write an encoder whose vectors are sums of 255 · 127, of which two overflow 16 bits."""
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
    numbers = [
        numpy_helper.from_array(np.full((64, 32), 127, np.int8), "weights"),
        *(numpy_helper.from_array(np.array(value, np.int64), name) for name, value in constants.items()),
        numpy_helper.from_array(np.float32(0), "none"),
        numpy_helper.from_array(np.float32(255), "full"),
    ]
    info = EncoderInfo(**{**vars(INFO), "variants": ("loud",), "default_variant": "loud", "least_samples": 64})
    return write_graph(path, nodes, numbers, info=info)


@pytest.mark.parametrize("avoid_saturation", [True, False])
def test_int8_products_never_saturate(tmp_path, monkeypatch, avoid_saturation):
    path = saturating(tmp_path / "saturating.onnx")
    if avoid_saturation:  # as on x86 without VNNI
        monkeypatch.setattr("abxfast.encoders.runtime.int8_saturates", lambda: True)
    vectors = open_encoder(path, "cpu").encode(np.zeros((1, 64), np.float32))
    assert (vectors == 64 * 255 * 127).all()


def test_the_saturation_probe_is_what_its_script_writes():
    from abxfast.export.saturation import build_probe

    assert (files("abxfast.encoders") / "saturation.onnx").read_bytes() == build_probe()
