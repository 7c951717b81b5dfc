"""What `export` checks before it begins: arguments, packages, model and disk space."""

import shutil
import subprocess
import sys
from typing import NamedTuple

import pytest
from tiny import cache_checkpoint

from abxfast.errors import ExportError
from abxfast.export import export, options

torch = pytest.importorskip("torch", reason="needs the export extra: pip install '.[test,export]'")


def message_of(source, output, **arguments):
    with pytest.raises(ExportError) as caught:
        export(str(source), output, **{"layers": (2,)} | arguments)
    message = str(caught.value)
    assert "\n" not in message
    assert "--" not in message
    return message


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"precision": "int4"}, "`precision`: found 'int4', expected one of fp32, fp16, int8"),
        ({"layers": ()}, "`layers`: found none, expected numbers from 0"),
        ({"layers": (3, -1)}, "`layers`: found 3, -1, expected numbers from 0"),
        ({"poolings": ()}, "`poolings`: found none, expected some of max, mean, std"),
        ({"poolings": ("max", "median")}, "`poolings`: found median, expected some of max, mean, std"),
        ({"allow_drift": float("nan")}, "`allow_drift`: found nan, expected a number from 0"),
        ({"allow_drift": -0.1}, "`allow_drift`: found -0.1, expected a number from 0"),
    ],
)
def test_invalid_arguments(tmp_path, arguments, expected):
    assert message_of(tmp_path, tmp_path / "m.onnx", **arguments) == expected


def test_invalid_outputs(tmp_path):
    for name in ("m.bin", "."):
        path = tmp_path / name
        assert message_of(tmp_path, path) == f"`output`: found {path}, expected a name that ends in .onnx"
    path = tmp_path / "not" / "m.onnx"
    assert message_of(tmp_path, path) == f"`output`: the folder of {path} does not exist; create it first"
    path = tmp_path / "m.onnx"
    path.mkdir()
    assert message_of(tmp_path, path) == f"`output`: {path} is a folder, expected a file"


def test_requests_that_the_model_cannot_meet(checkpoint_of, tmp_path):
    source, output = checkpoint_of("xlsr"), tmp_path / "m.onnx"
    expected = f"`layers`: found 4, but {source.name} has 3 blocks; expected layers from 0 to 3"
    assert message_of(source, output, layers=(4,)) == expected
    expected = (
        "`keep='block.1.fnn2'`: no such input, expected a name such as blocks.3.ffn2; did you mean blocks.1.ffn2?"
    )
    assert message_of(source, output, keep=["block.1.fnn2"]) == expected
    assert list(tmp_path.iterdir()) == []


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def test_too_little_space_on_the_disk(checkpoint_of, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 10**12, 50_000))
    message = message_of(checkpoint_of("xlsr"), tmp_path / "m.onnx")
    assert message.endswith("but 0 MB are free on that disk; free some space, or choose another folder")


def test_the_size_limit_is_checked_before_weights_are_read(recordings, tmp_path):
    """XLS-R with 2 billion weights, whose file of weights is empty."""
    from transformers import Wav2Vec2Config

    source = tmp_path / "source"
    config = {"hidden_size": 1_920, "num_hidden_layers": 48, "num_attention_heads": 16, "intermediate_size": 7_680}
    config |= {"feat_extract_norm": "layer", "conv_bias": True, "do_stable_layer_norm": True}
    Wav2Vec2Config(**config).save_pretrained(source)
    (source / "model.safetensors").write_bytes(b"")
    limit = "but an ONNX file is limited to 2 GB; choose"
    for precision, layer, expected in (
        ("fp32", 48, f"8.6 GB, {limit} `precision='fp16'` or `precision='int8'`, or fewer `layers`"),
        ("fp16", 48, f"{limit} `precision='int8'`, or fewer `layers`"),
        ("int8", 48, f"{limit} fewer `layers`"),
        ("fp16", 10, "cannot be read as weights"),
        ("int8", 40, "cannot be read as weights"),
    ):
        message = message_of(source, tmp_path / "m.onnx", precision=precision, layers=(layer,), check=recordings)
        assert expected in message, precision
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


@pytest.mark.parametrize(
    "arguments", [{"layers": (4,)}, {"keep": ["conv.0"]}, {"check": "no"}, {"precision": "fp32"}], ids=str
)
def test_requests_are_checked_before_weights_are_fetched(checkpoint_of, recordings, tmp_path, monkeypatch, arguments):
    from huggingface_hub import constants

    commit = "c3f9d884181a224a6ac87bf8885c84d1cff3384f"
    cache_checkpoint(tmp_path / "hub", checkpoint_of("xlsr"), "some/xlsr", commit)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr("abxfast.export.checkpoint.fetch_weights", None)
    if "precision" in arguments:
        monkeypatch.setattr(options, "MAX_BYTES", 0)
    message_of("some/xlsr", tmp_path / "m.onnx", **{"check": recordings} | arguments)


def test_the_package_is_imported_without_the_extra():
    program = """
import sys
for name in ("torch", "transformers", "onnx", "huggingface_hub", "safetensors", "onnxruntime"):
    sys.modules[name] = None
import abxfast.export
from abxfast.export import PRECISIONS, export
assert PRECISIONS and set(abxfast.export.__all__) <= set(dir(abxfast.export))
try:
    export("source", "m.onnx")
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    needed = "torch, transformers, onnx, huggingface_hub, safetensors, onnxruntime"
    assert done.stdout.startswith(f"export needs {needed}, not installed: ")
