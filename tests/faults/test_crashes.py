"""Crashes in native code, hangs and kill -9: what was under way is named once, everything else goes on."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
from noise_recordings import read_content, write_noise
from onnx import TensorProto, helper, numpy_helper
from tiny_encoder import INFO, write_graph

from abxfast.embedding import embed
from abxfast.encoders import Encoder, session
from abxfast.errors import AbxfastError, EncoderError

if TYPE_CHECKING:
    from pathlib import Path

CRASHING = """
import faulthandler, os, signal, sys, threading
from pathlib import Path
from abxfast import embedding
from abxfast.embedding import decoder, encoding
from abxfast.encoders import Encoder
where, how, audio, store = sys.argv[1:]
crash = {"segv": faulthandler._sigsegv, "abort": os.abort, "kill": lambda: os.kill(os.getpid(), signal.SIGKILL)}[how]
real_probe, real_stream = decoder.probe, decoder.stream
def probe(path, **options):
    if where == "probe" and path.name == "r1.wav": crash()
    return real_probe(path, **options)
def stream(path, *arguments, **options):
    for block in real_stream(path, *arguments, **options):
        if where == "stream" and path.name == "r1.wav": crash()
        yield block
decoder.probe, decoder.stream = probe, stream
if where == "encode":
    real, batches = encoding.EncodingRun._encode, threading.local()
    def run(self, batch):
        batches.current = batch
        return real(self, batch)
    encoding.EncodingRun._encode = run
    encode = Encoder.encode
    def crash_on_one(self, waves):
        batch = getattr(batches, "current", None)  # of this thread: another one encodes another recording
        if batch and batch[0].entry.item == "r1.wav": crash()
        return encode(self, waves)
    Encoder.encode = crash_on_one
embedding.embed(Path(audio), Path(store), snippets=[1], threads=2)
"""


@pytest.fixture
def audio(tmp_path: Path) -> Path:
    for n in range(4):
        write_noise(tmp_path / "audio" / f"r{n}.wav", 3.2, seed=n)
    return tmp_path / "audio"


def crash(where: str, how: str, audio: Path, store: Path) -> int:
    command = [sys.executable, "-c", CRASHING, where, how, str(audio), str(store)]
    return subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, check=False).returncode


@pytest.mark.parametrize(("where", "how"), [("probe", "segv"), ("stream", "abort"), ("encode", "segv")])
def test_after_a_crash_the_recording_under_way_is_named_and_skipped(
    audio: Path, tmp_path: Path, run, where: str, how: str
) -> None:
    store = tmp_path / "s.store"
    assert crash(where, how, audio, store) == {"segv": -signal.SIGSEGV, "abort": -signal.SIGABRT}[how]
    words = ("embed", audio, "-o", store, "--snippet", "1")
    for _ in range(2):  # skipped as long as the log is there
        status, _, err = run(*words)
        assert status == 1
        assert f"{audio / 'r1.wav'}: is skipped: an earlier run crashed on it" in err
        assert "1 failed" in err
    assert sorted(set(read_content(store)[0][1.0, "mfcc.max"][0])) == ["r0.wav", "r2.wav", "r3.wav"]
    (log,) = (store / "running").glob("*.crash")
    assert str(log) in err
    log.unlink()
    assert run(*words)[0] == 0
    assert not (store / "running").exists()
    embed(audio, tmp_path / "other.store", snippets=[1])
    assert read_content(store) == read_content(tmp_path / "other.store")


def test_a_changed_recording_is_tried_again_after_a_crash(audio: Path, tmp_path: Path, run) -> None:
    store = tmp_path / "s.store"
    crash("stream", "segv", audio, store)
    write_noise(audio / "r1.wav", 3.3, seed=9)
    assert run("embed", audio, "-o", store, "--snippet", "1")[0] == 0


def test_after_a_kill_nothing_is_skipped(audio: Path, tmp_path: Path, run) -> None:
    store = tmp_path / "s.store"
    assert crash("stream", "kill", audio, store) == -signal.SIGKILL
    assert run("embed", audio, "-o", store, "--snippet", "1")[0] == 0
    assert run("embed", audio, "-o", store, "--snippet", "1")[0] == 0


def test_a_study_goes_on_without_the_recording_that_it_crashed_on(audio: Path, tmp_path: Path, run) -> None:
    study = tmp_path / "study.toml"
    study.write_text(
        '[study]\nrecordings = "audio"\nsnippets = [1]\npermutations = 0\n[experiment.e]\non = "recording"\n'
    )
    assert run("run", study, "-o", tmp_path / "out", "--no-report")[0] == 0
    (store,) = (tmp_path / "out" / "stores").iterdir()
    shutil.rmtree(tmp_path / "out" / "partial")
    shutil.rmtree(store)
    crash("stream", "segv", audio, store)
    status, _, err = run("run", study, "-o", tmp_path / "out", "--no-report")
    assert status == 1
    assert "r1.wav: is skipped" in err


def loop_encoder(path: Path, turns: int) -> Path:
    """Write an encoder whose output takes so many turns of a loop, of one addition each."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["still_go"]),
            helper.make_node("Add", ["sum", "sum"], ["more"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("sum", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("still_go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("more", TensorProto.FLOAT, None),
        ],
    )
    nodes = [
        helper.make_node("ReduceMean", ["input_values"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("Loop", ["turns", "yes", "mean"], ["looped"], body=body),
        helper.make_node("Concat", ["looped", "looped"], ["both"], axis=1),
        helper.make_node("Unsqueeze", ["both", "two"], ["embeddings"]),
    ]
    constants = [
        numpy_helper.from_array(np.array(turns, np.int64), "turns"),
        numpy_helper.from_array(np.array(True), "yes"),
        numpy_helper.from_array(np.array([2], np.int64), "two"),
    ]
    return write_graph(path, nodes, constants, info=INFO)


def test_an_encoder_that_never_ends_is_given_up(tmp_path: Path) -> None:
    assert Encoder(loop_encoder(tmp_path / "two.onnx", 2), "cpu").dim == 1
    with pytest.raises(EncoderError, match=r"given up on 8 samples: it took longer than 0\.2 s"):
        Encoder(loop_encoder(tmp_path / "endless.onnx", 1 << 62), "cpu", timeout_s=0.2)


def test_a_recording_whose_encoding_takes_too_long_is_named_and_the_others_go_on(
    audio: Path, tmp_path: Path, run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from abxfast.embedding.encoding import EncodingRun

    encode = EncodingRun._encode
    tries = []

    def endless(self, batch):
        if batch[0].entry.item == "r1.wav":
            tries.append(batch)
            raise EncoderError("mfcc.onnx: is given up on 16000 samples: it took longer than 600 s")
        return encode(self, batch)

    monkeypatch.setattr(EncodingRun, "_encode", endless)
    status, _, err = run("embed", audio, "-o", tmp_path / "s.store", "--snippet", "0.1", "--threads", "1")
    assert status == 1
    assert err.count("given up") == 1
    assert "r1.wav at 0 s: " in err
    assert len(tries) < 10, "all 32 snippets were tried"


@pytest.mark.parametrize("value", [0, -1, float("inf"), float("nan")])
def test_a_time_limit_must_be_seconds(audio: Path, tmp_path: Path, value: float) -> None:
    with pytest.raises(AbxfastError, match="`timeout_s`"):
        embed(audio, tmp_path / "s.store", timeout_s=value)


def test_the_default_limit_is_generous() -> None:
    assert session.DEFAULT_TIMEOUT_S >= 300


def abxfast(*words: object) -> subprocess.Popen[bytes]:
    code = f"import sys; sys.argv = {['abxfast', *map(str, words)]!r}; from abxfast.cli import main; main()"
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def results(folder: Path) -> dict[str, bytes]:
    """Return the tables of a study, and its page."""
    return {path.name: path.read_bytes() for path in sorted((folder / "tables").iterdir())}


@pytest.mark.parametrize("command", ["embed", "run"])
def test_kill_9_at_any_moment_changes_nothing(tmp_path: Path, run, command: str, n_kills: int) -> None:
    for n in range(6):
        write_noise(tmp_path / "audio" / f"r{n}.wav", 6.2, seed=n)
    study = tmp_path / "study.toml"
    study.write_text(
        '[study]\nrecordings = "audio"\nsnippets = [0.5]\npermutations = 20\n[experiment.e]\non = "recording"\n'
    )
    words = {
        "embed": ("embed", tmp_path / "audio", "--snippet", "0.5", "-o"),
        "run": ("run", study, "--no-report", "-o"),
    }[command]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    started = time.monotonic()
    process = abxfast(*words, whole)
    assert process.wait() == 0, process.stderr.read()
    duration_s = time.monotonic() - started
    process.stderr.close()
    random_moment = random.Random(0)  # noqa: S311
    for _ in range(n_kills):
        process = abxfast(*words, killed)
        try:
            process.wait(random_moment.uniform(0, duration_s))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stderr.close()
        if random_moment.random() < 0.1:
            shutil.rmtree(killed, ignore_errors=True)
    status, _, err = run(*words, killed)
    assert status == 0, err
    if command == "embed":
        assert read_content(killed)[0] == read_content(whole)[0]
    else:
        assert results(killed) == results(whole)
