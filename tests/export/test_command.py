"""``abxfast export`` from end to end: files, printed tables, exit status, and errors of one line.

The wording of options in messages is tested where the command line translates it; here, what both have in common.
"""

import errno
import json
import logging
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
import pytest
import soundfile
from tiny import RATE_HZ, SMALL, cache_checkpoint, copy_checkpoint, hidden_states, load_weights, pooled, voice

from abxfast.encoders import Encoder
from abxfast.errors import EncoderError
from abxfast.export import options, parity

torch = pytest.importorskip("torch", reason="needs the export extra: pip install '.[test,export]'")
LAYERS = SMALL["num_hidden_layers"]
COMMIT = "c3f9d884181a224a6ac87bf8885c84d1cff3384f"
TOO_SHORT = "abxfast: parity: the audio is too short to check snippets of 5, 10, 20 s\n"
"""The warning about the recordings of these tests."""


@pytest.fixture(autouse=True)
def log_level():
    """Restore the level that the command line sets."""
    logger = logging.getLogger("abxfast")
    before = logger.level
    yield
    logger.setLevel(before)


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def check_one_line(err):
    lines = [line for line in err.splitlines() if line]
    assert len(lines) == 1, err
    assert lines[0].startswith("abxfast: ")
    assert "Traceback" not in err


# -- success


def test_all_layers_in_one_file(run, checkpoint_of, recordings, tmp_path):
    path = tmp_path / "all.making-1.onnx"
    words = ("export", checkpoint_of("xlsr"), "-o", path, "--precision", "fp32", "--check", recordings)
    status, out, err = run(*words, "--layers", f"1-{LAYERS}", "--pooling", "std,max")
    assert status == 0, err
    names = [f"layer{layer}.{pooling}" for layer in range(1, LAYERS + 1) for pooling in ("std", "max")]
    encoder = Encoder(path, "cpu")
    assert encoder.info.name == "all.making-1"
    assert list(encoder.info.variants) == names
    assert encoder.info.default_variant == f"layer{LAYERS}.std"
    wave = soundfile.read(recordings / "tale-1.wav", dtype="float32")[0][None, -RATE_HZ:]
    exact = pooled(hidden_states(checkpoint_of("xlsr"), wave[0])[1:], ["std", "max"])
    np.testing.assert_allclose(encoder.encode(wave)[0], exact, rtol=0, atol=1e-5 * np.abs(exact).max())
    for name in (*names, "drift", "licence of the weights: not stated", "abxfast embed", str(path)):
        assert name in out
    assert "normalisation of waveforms: True (preprocessor_config.json)" in err
    assert "all.making-1.onnx runs on cpu" in err
    assert TOO_SHORT in err


def test_info_shows_the_parity_table(run, exported):
    path, _, rows = exported("xlsr", "int8")
    status, out, _ = run("info", path)
    assert status == 0
    assert "parity with PyTorch fp32 on the original checkpoint" in out
    for row in rows:
        line = next(line for line in out.splitlines() if line.split()[:1] == [row.variant])
        assert f"{row.drift95:.2g}" in line
        assert "1 s" in line
    status, out, _ = run("info", path, "--json")
    assert json.loads(out)["precision"] == "int8"


def test_the_encoder_can_be_used(run, exported, recordings, tmp_path):
    encoder = exported("base", "int8").path
    status, _, err = run("embed", recordings, "-o", tmp_path / "a.store", "--snippet", "1", "--encoder", encoder)
    assert status == 0, err
    status, out, _ = run("score", tmp_path / "a.store", "--variant", "layer2.mean")
    assert status == 0
    assert "tale-0" in out


def test_without_an_output_the_file_is_a_named_encoder(run, checkpoint_of, recordings, tmp_path, monkeypatch):
    monkeypatch.setattr("platformdirs.user_data_path", lambda *_, **__: tmp_path / "data")
    folder = shutil.copytree(checkpoint_of("xlsr"), tmp_path / "mine")
    words = ("--layers", "2", "--precision", "fp32", "--check", recordings, "-q")
    status, _, err = run("export", folder, *words)
    assert (status, err) == (0, TOO_SHORT)
    assert names_in(tmp_path / "data" / "encoders") == ["mine-l2.fp32.onnx"]
    monkeypatch.chdir(folder)
    (tmp_path / "data" / "encoders" / "mine-l2.fp32.onnx").unlink()
    status, _, err = run("export", ".", *words)
    assert (status, err) == (0, TOO_SHORT)
    assert names_in(tmp_path / "data" / "encoders") == ["mine-l2.fp32.onnx"]
    status, out, _ = run("info", "mine-l2.fp32")
    assert status == 0
    assert "layer2.max (default)" in out


def test_from_the_cache_of_the_hub(run, checkpoint_of, recordings, tmp_path, monkeypatch):
    from huggingface_hub import constants

    folder = cache_checkpoint(tmp_path / "hub", checkpoint_of("xlsr"), "some/xlsr", COMMIT)
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    path = tmp_path / "a.onnx"
    words = ("--layers", "2", "--precision", "fp32", "--check", recordings)
    status, out, err = run("export", "some/xlsr", "-o", path, *words)
    assert status == 0, err
    info = Encoder(path, "cpu").info
    assert (info.source, info.revision, info.licence) == ("some/xlsr", COMMIT, "apache-2.0")
    assert "licence of the weights: apache-2.0" in out


def test_what_calibration_measured_is_printed(run, checkpoint_of, recordings, tmp_path):
    """The maximum |x| of each layer for fp16, and the rule for the normalisation if no file declares it."""
    path, form = tmp_path / "m.onnx", "layer, no bias"
    words = ("export", checkpoint_of(form), "-o", path, "--layers", "1", "--check", recordings)
    status, out, err = run(*words, "--precision", "fp16")
    assert status == 0
    assert "normalisation of waveforms: True (no preprocessor_config.json: by feat_extract_norm 'layer')" in err
    peaks = Encoder(path, "cpu").info.parity["greatest |x| of each hidden state"]
    assert f"of layers 0 to 1: {peaks[0]:g}, {peaks[1]:g}" in out
    assert "no preprocessor_config.json" in run("info", path)[1]


def test_inputs_can_be_kept_in_fp32(run, checkpoint_of, recordings, tmp_path):
    path = tmp_path / "m.onnx"
    words = ("export", checkpoint_of("xlsr"), "-o", path, "--layers", "2", "--check", recordings, "-q")
    status, _, err = run(*words, "--keep", "blocks.0.ffn2", "--keep", "position")
    assert (status, err) == (0, TOO_SHORT)
    assert Encoder(path, "cpu").info.parity["kept in fp32"] == ["blocks.0.ffn2", "position"]
    kinds = [node.op_type for node in onnx.load(path).graph.node]
    assert kinds.count("Conv") == 1
    assert kinds.count("MatMulIntegerToFloat") == 1 + 2 * 6 - 1


# -- failure: one line, status 2, no file


@pytest.mark.usefixtures("no_smoothing")
def test_an_encoder_that_drifts_is_not_written(run, checkpoint_of, recordings, tmp_path):
    path = tmp_path / "out" / "m.onnx"
    path.parent.mkdir()
    path.write_bytes(b"an older one")
    words = ("export", checkpoint_of("stress"), "-o", path, "--layers", "3", "--check", recordings, "-q")
    status, out, err = run(*words)
    assert (status, out) == (2, "")
    check_one_line(err.removeprefix(TOO_SHORT))
    for fragment in ("drift", "at most 0.03 is allowed", "layer3.max at 1 s", "keep", "blocks.", "fp16", "fp32"):
        assert fragment in err
    assert names_in(path.parent) == ["m.onnx"]
    assert path.read_bytes() == b"an older one"
    status, out, err = run(*words, "--allow-drift", "2")
    assert status == 0
    check_one_line(err.removeprefix(TOO_SHORT))
    drift = re.search(r"m.onnx: accepted since \S+ is 2: drift (\S+) of layer3.max at 1 s \(limit 0.03\)", err)
    assert float(drift[1]) == pytest.approx(max(row["drift95"] for row in Encoder(path, "cpu").info.parity["rows"]))
    assert names_in(path.parent) == ["m.onnx"]


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def fail_to_write(monkeypatch):
    write = Path.write_bytes

    def write_half(path, data):
        write(path, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", write_half)


def fail_with(function, number, text):
    def fail(*_):
        raise OSError(number, text)

    return lambda monkeypatch: monkeypatch.setattr(function, fail)


def report_full_disk(monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 10**12, 50_000))


def lower_size_limit(monkeypatch):
    monkeypatch.setattr(options, "MAX_BYTES", 300_000)


def disconnect(monkeypatch):
    from huggingface_hub import constants

    def unreachable(*_, **__):
        raise OSError(errno.ENETUNREACH, "Network is unreachable")

    monkeypatch.setattr(socket, "getaddrinfo", unreachable)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", "/nonexistent")


def return_nan(monkeypatch):
    def fail(encoder, _):
        raise EncoderError(f"{encoder.path}: returns NaN")

    monkeypatch.setattr(Encoder, "encode", fail)


def truncate_weights(folder):
    data = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(data[: len(data) // 2])


def describe_text_model(folder):
    (folder / "config.json").write_text('{"model_type": "bert"}')


def remove_config(folder):
    (folder / "config.json").unlink()


def remove_weight(folder):
    weights = load_weights(folder)
    del weights["wav2vec2.encoder.layers.1.feed_forward.output_dense.bias"]
    copy_checkpoint(folder, folder.with_name("copy"), weights)
    (folder.with_name("copy") / "model.safetensors").replace(folder / "model.safetensors")
    shutil.rmtree(folder.with_name("copy"))


CHANGE_FOLDER = (truncate_weights, describe_text_model, remove_config, remove_weight)
INVALID = {
    # change of the environment or of the checkpoint's folder, options, fragment of the message
    "an unknown id": (disconnect, {"source": "nobody/nothing"}, "nobody/nothing: not in the cache"),
    "no source": (None, {"source": ""}, "no checkpoint given, expected a folder or an id"),
    "no config": (remove_config, {}, "no config.json"),
    "a text model": (
        describe_text_model,
        {},
        "'bert'; supported are wav2vec 2.0 (XLSR-53, XLS-R, MMS), HuBERT, UniSpeech, UniSpeech-SAT, data2vec-audio and",
    ),
    "a layer that does not exist": (None, {"--layers": "4"}, "has 3 blocks"),
    "layers that are not numbers": (None, {"--layers": "last"}, "found 'last'"),
    "layers in reverse": (None, {"--layers": "3-1"}, "expected numbers such as 21, 9,21 or 1-24"),
    "a truncated file": (truncate_weights, {}, "model.safetensors: cannot be read as weights"),
    "a missing weight": (remove_weight, {}, "the weights lack encoder.layers.1.feed_forward.output_dense.bias"),
    "a full disk": (report_full_disk, {}, "free some space"),
    "no space while writing": (fail_to_write, {}, "out/m.onnx: cannot be written (No space left on device)"),
    "a quota": (
        fail_with("os.fsync", errno.EDQUOT, "Disk quota exceeded"),
        {},
        "out/m.onnx: cannot be written (Disk quota exceeded)",
    ),
    "no right to replace": (fail_with("os.replace", errno.EACCES, "Permission denied"), {}, "Permission denied"),
    "a read-only disk": (
        fail_with("os.mkdir", errno.EROFS, "Read-only file system"),
        {},
        "out/m.onnx: cannot be written (Read-only file system)",
    ),
    "a graph that fails": (return_nan, {}, "abxfast: out/m.onnx: not written: returns NaN"),
    "too large": (lower_size_limit, {"--precision": "fp32"}, "an ONNX file is limited to 2 GB; choose"),
    "no audio": (None, {"--check": "EMPTY"}, "EMPTY"),
    "a missing folder of audio": (None, {"--check": "not-there"}, "not-there"),
    "audio that is too short": (None, {"--check": "SHORT"}, "2.0 s of audio, expected at least 10 s"),
    "a missing folder": (None, {"-o": "not/there/m.onnx"}, "the folder of not/there/m.onnx does not exist; create it"),
    "a folder": (None, {"-o": "."}, "expected a name that ends in .onnx"),
    "another suffix": (None, {"-o": "m.bin"}, "expected a name that ends in .onnx"),
    "an unknown precision": (None, {"--precision": "int4"}, "expected one of fp32, fp16, int8"),
    "an unknown pooling": (None, {"--pooling": "max,median"}, "found median, expected some of max, mean, std"),
    "a drift of NaN": (None, {"--allow-drift": "nan"}, "found nan, expected a number from 0"),
    "an unknown input to keep": (None, {"--keep": "block.1.fnn2"}, "did you mean blocks.1.ffn2?"),
    "a revision of a folder": (None, {"--revision": "main"}, "is a folder, which has no revisions"),
}


@pytest.mark.parametrize("case", INVALID)
def test_invalid_input_is_reported_in_one_line(run, checkpoint_of, recordings, tmp_path, monkeypatch, case):
    change, changed_options, fragment = INVALID[case]
    source, out = tmp_path / "source", tmp_path / "out"
    shutil.copytree(checkpoint_of("xlsr"), source)
    for folder in (out, tmp_path / "EMPTY", tmp_path / "SHORT"):
        folder.mkdir()
    soundfile.write(tmp_path / "SHORT" / "a.wav", voice(2), RATE_HZ)
    (tmp_path / "EMPTY" / "notes.txt").write_text("no sound")
    monkeypatch.chdir(tmp_path)
    if change in CHANGE_FOLDER:
        change(source)
    elif change is not None:
        change(monkeypatch)
    words = {"-o": "out/m.onnx", "--layers": "2", "--check": recordings} | changed_options
    before = names_in(tmp_path)
    status, stdout, err = run("export", words.pop("source", source), "-q", *(w for pair in words.items() for w in pair))
    # What the computer lacks is not wrong use.
    assert (status, stdout) == (1 if "No space" in fragment or "quota" in fragment else 2, ""), err
    check_one_line(err.removeprefix(TOO_SHORT))
    assert fragment in err
    assert names_in(out) == []
    assert names_in(tmp_path) == before


@pytest.mark.parametrize("name", options.REQUIRED_PACKAGES)
def test_without_the_extra(checkpoint_of, tmp_path, name):
    """In a process of its own, in which the package cannot be imported."""
    program = f"import sys; sys.modules[{name!r}] = None; from abxfast.cli.app import main; main()"
    words = ["export", checkpoint_of("xlsr"), "-o", tmp_path / "m.onnx", "--layers", "2"]
    done = subprocess.run(
        [sys.executable, "-c", program, *words], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    check_one_line(done.stderr)
    assert f"export needs {name}, not installed: " in done.stderr
    assert 'pip install "abxfast[' in done.stderr
    assert names_in(tmp_path) == []


def test_an_unwritable_folder_of_encoders(run, checkpoint_of, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("platformdirs.user_data_path", lambda *_, **__: tmp_path / "file")
    status, _, err = run("export", checkpoint_of("xlsr"), "--layers", "2", "-q")
    assert status == 2
    check_one_line(err)
    assert f"{tmp_path / 'file' / 'encoders'}: cannot be" in err
    assert "-o" in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_export_leaves_no_file(run, checkpoint_of, recordings, tmp_path, monkeypatch, number):
    def stop(*_):
        assert names_in(tmp_path) != []
        signal.raise_signal(number)

    monkeypatch.setattr(parity, "compute_references", stop)
    words = ("export", checkpoint_of("xlsr"), "-o", tmp_path / "m.onnx", "--layers", "2", "--check", recordings, "-q")
    before = signal.getsignal(signal.SIGINT), signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job may ignore it
    try:
        status, out, err = run(*words)
    finally:
        for each, handler in zip((signal.SIGINT, signal.SIGTERM), before, strict=True):
            signal.signal(each, handler)
    assert (status, out, err) == (130, "", "abxfast: stopped; nothing was written\n")
    assert names_in(tmp_path) == []
