"""Hand-made ONNX encoders: a small one that keeps the contract, and changes that break it."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from abxfast.encoders import EncoderInfo

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


def write_encoder(path, *, info=INFO, metadata=None, change=None, pool=True):
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
    constants = [axis, rise, numpy_helper.from_array(np.array([2], np.int64), "minus")]
    return write_graph(path, nodes, constants, info=info, metadata=metadata, change=change)


def write_graph(path, nodes, constants, *, info, metadata=None, change=None):
    """Write nodes from ``input_values`` to ``embeddings`` as an ONNX file that declares `info`, or `metadata`."""
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("input_values", TensorProto.FLOAT, ["batch", "samples"])],
        [helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, ["batch", "variants", "dim"])],
        constants,
    )
    if change:
        change(graph)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(model, info.to_metadata() if metadata is None else metadata)
    path.write_bytes(model.SerializeToString())
    return path
