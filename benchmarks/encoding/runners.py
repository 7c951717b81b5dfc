"""The runners of ``benchmarks/encoding/embed.py``: one checkpoint, run by abxfast and by its peers."""

from __future__ import annotations

import os
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

LAYERS = 21
GEMM = (499, 1024, 4096)
"""Rows, terms and columns of the product whose int8 rate is measured: the feed-forward of a 10 s snippet."""


class Runner(NamedTuple):
    """What is timed.

    Attributes
    ----------
    label : str
        Name in the table.
    kind : str
        Key of `OPENERS`.
    file : str
        Checkpoint or ONNX file within the benchmark's folder.
    precision : str
    timed : bool
        False if only its vectors are needed.
    """

    label: str
    kind: str
    file: str
    precision: str
    timed: bool = True


CPU = {
    "torch-fp32": Runner("transformers, PyTorch fp32", "torch", "full", "fp32"),
    "torch-bf16": Runner("transformers, PyTorch bf16", "torch", "full", "bf16"),
    "ort-fp32": Runner("ONNX Runtime fp32, plain export", "ort", "full.plain.onnx", "fp32"),
    "ort-int8": Runner("ONNX Runtime int8, MatMul only", "ort", "full.plain8.onnx", "int8"),
    "openvino-f32": Runner("OpenVINO f32", "openvino", "full.plain.onnx", "f32"),
    "openvino-bf16": Runner("OpenVINO bf16", "openvino", "full.plain.onnx", "bf16"),
    "abxfast-fp32": Runner("abxfast fp32", "abxfast", "full.fp32.onnx", "fp32"),
    "abxfast-int8": Runner("abxfast int8", "abxfast", "full.int8.onnx", "int8"),
    "stress-abxfast-int8": Runner("abxfast int8, stress checkpoint", "abxfast", "stress.int8.onnx", "int8"),
    "stress-ort-int8": Runner("ONNX Runtime int8, stress checkpoint", "ort", "stress.plain8.onnx", "int8", timed=False),
    "stress-torch-fp32": Runner("reference of the stress checkpoint", "torch", "stress", "fp32", timed=False),
}
CUDA = {
    "torch-fp32": Runner("transformers, PyTorch fp32, GPU", "torch", "full", "fp32"),
    "torch-fp16": Runner("transformers, PyTorch fp16, GPU", "torch", "full", "fp16"),
    "ort-fp32": Runner("ONNX Runtime fp32, plain export, GPU", "ort", "full.plain.onnx", "fp32"),
    "abxfast-fp16": Runner("abxfast fp16, GPU", "abxfast", "full.fp16.onnx", "fp16"),
}
RUNNERS = {"cpu": CPU, "cuda": CUDA}


def load_truncated(folder, attention):
    """Load the first 21 blocks, without the final layer norm: their output is hidden state 21 of the whole model."""
    import torch
    from transformers import Wav2Vec2Model

    model = Wav2Vec2Model.from_pretrained(folder, attn_implementation=attention).eval()
    model.encoder.layers = model.encoder.layers[:LAYERS]
    model.encoder.layer_norm = torch.nn.Identity()
    model.config.num_hidden_layers, model.config.apply_spec_augment = LAYERS, False
    return model


def run_pooled(model, wave):
    """Normalise as the checkpoint's preprocessor does, run, pool."""
    import torch

    wave = (wave - wave.mean(-1, keepdim=True)) / torch.sqrt(wave.var(-1, keepdim=True, unbiased=False) + 1e-7)
    return model(wave.to(model.dtype)).last_hidden_state.amax(1)


def open_torch(path, precision, threads, device):
    """Open the checkpoint in transformers."""
    import torch

    torch.set_num_threads(threads)
    dtype = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}[precision]
    model = load_truncated(path, "sdpa").to(device=device, dtype=dtype)

    def run(waves):
        with torch.inference_mode():
            return run_pooled(model, torch.from_numpy(waves).to(device)).float().cpu().numpy()

    return run


def open_ort(path, precision, threads, device):  # noqa: ARG001 - the file has its own precision
    """Open a plain export in ONNX Runtime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    provider = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}[device]
    session = onnxruntime.InferenceSession(str(path), options, providers=[provider])
    return lambda waves: session.run(None, {"input_values": waves})[0]


def open_openvino(path, precision, threads, device):  # noqa: ARG001
    """Open a plain export in OpenVINO, with one stream per calling thread."""
    import openvino

    streams = max(1, usable_threads() // threads)
    hints = {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": usable_threads(), "NUM_STREAMS": streams}
    model = openvino.Core().compile_model(str(path), "CPU", hints)
    local = threading.local()

    def run(waves):
        if not hasattr(local, "request"):
            local.request = model.create_infer_request()
        return local.request.infer({0: waves})[0].copy()

    return run


def open_abxfast(path, precision, threads, device):  # noqa: ARG001
    """Open an encoder as ``abxfast embed`` does."""
    from abxfast.encoders import Encoder

    encoder = Encoder(path, device)
    return lambda waves: encoder.encode(waves)[:, 0]


OPENERS = {"torch": open_torch, "ort": open_ort, "openvino": open_openvino, "abxfast": open_abxfast}


def usable_threads():
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def measure_int8_rate():
    """Return the rate of onnxruntime's int8 products in GOP/s: a bare MatMulInteger on each thread at once."""
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    rng, (m, k, n) = np.random.default_rng(0), GEMM
    weights = numpy_helper.from_array(rng.integers(-127, 128, (k, n)).astype(np.int8), "w")
    zero = numpy_helper.from_array(np.uint8(128), "z")
    x = helper.make_tensor_value_info("x", TensorProto.UINT8, [m, k])
    y = helper.make_tensor_value_info("y", TensorProto.INT32, [m, n])
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["x", "w", "z"], ["y"])], "g", [x], [y], [weights, zero]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    feed = {"x": rng.integers(0, 256, (m, k)).astype(np.uint8)}
    times, count = [], 100 * usable_threads()
    with ThreadPoolExecutor(usable_threads()) as pool:
        for _ in range(5):
            started = time.perf_counter()
            list(pool.map(lambda _: session.run(None, feed), range(count)))
            times.append(time.perf_counter() - started)
    return 2 * m * k * n * count / statistics.median(times) / 1e9
