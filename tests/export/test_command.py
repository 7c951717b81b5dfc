"""``abxfast export`` from end to end, as a user meets it: files, metadata, tables, one-line messages."""

import errno
import hashlib
import json
import logging
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import onnx
import onnxruntime
import pytest
import soundfile
from tiny import RATE_HZ, SMALL, drift_of, hidden_states, make_checkpoint, pooled, voice

from abxfast.cli import app as cli
from abxfast.encoders import Encoder
from abxfast.errors import AbxfastError, EncoderError, ExportError
from abxfast.export import builder as maker
from abxfast.export import exporter as exporting
from abxfast.export import parity
from abxfast.export import tolerances as limits
from abxfast.export.checkpoint import open_checkpoint
from abxfast.export.cost import multiplications
from abxfast.export.exporter import export

torch = pytest.importorskip("torch", reason="needs the export extra: pip install '.[test,export]'")
LAYERS = SMALL["num_hidden_layers"]
SHORT = "abxfast: parity: the audio is too short to check snippets of 5, 10, 20 s\n"


@pytest.fixture
def run(monkeypatch, capfd):
    """Run a command line; give exit status, stdout and stderr."""

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["abxfast", *map(str, words)])
        status = 0
        try:
            cli.main()
        except SystemExit as stop:
            status = stop.code or 0
        out, err = capfd.readouterr()
        return status, out, err

    return call


@pytest.fixture(scope="session")
def recordings(tmp_path_factory):
    """Give 12 s of audio in two voices and rooms: long enough for snippets of 1 s, and for no others."""
    folder = tmp_path_factory.mktemp("recordings")
    for i, options in enumerate(({}, {"pitch_hz": 190, "noise": 0.05})):
        soundfile.write(folder / f"tale-{i}.wav", voice(6, i + 40, **options), RATE_HZ)
    return folder


@pytest.fixture(scope="session")
def made(checkpoint_of, recordings, tmp_path_factory):
    """Give an encoder of a form and precision; made once."""
    files = {}

    def give(form, precision, layers=(2, LAYERS), poolings=("max", "mean"), **options):
        key = (form, precision)
        if key not in files:
            path = tmp_path_factory.mktemp("encoder") / f"{precision}.onnx"
            files[key] = export(
                str(checkpoint_of(form)),
                path,
                precision=precision,
                layers=layers,
                poolings=poolings,
                check=recordings,
                **options,
            )
        return files[key]

    return give


@pytest.fixture(autouse=True)
def level():
    """Put back what the command line sets."""
    logger = logging.getLogger("abxfast")
    before = logger.level
    yield
    logger.setLevel(before)


def left(folder):
    return sorted(path.name for path in folder.iterdir())


def snippets(recordings, seconds=1.0, count=16):
    waves = [soundfile.read(path, dtype="float32")[0] for path in sorted(recordings.iterdir())]
    wave, samples = np.concatenate(waves), round(seconds * RATE_HZ)
    return np.stack([wave[i : i + samples] for i in np.linspace(40_000, len(wave) - samples, count).astype(int)])


# -- what comes out


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
@pytest.mark.parametrize("form", ["xlsr", "base", "mms", "hubert base"])
def test_the_file_gives_what_the_model_gives(made, checkpoint_of, recordings, form, precision):
    exported = made(form, precision)
    waves = snippets(recordings)
    found = Encoder(exported.path, "cpu").encode(waves)
    for i, (layer, pooling) in enumerate([(2, "max"), (2, "mean"), (LAYERS, "max"), (LAYERS, "mean")]):
        assert exported.info.variants[i] == f"layer{layer}.{pooling}"
        exact = np.stack([pooled([hidden_states(checkpoint_of(form), wave)[layer]], [pooling])[0] for wave in waves])
        drift = drift_of(found[:, i], exact).mean()
        assert drift < {"fp32": 1e-6, "fp16": 0.005, "int8": 0.03}[precision]
        if precision == "fp32":
            assert np.abs(found[:, i] - exact).max() < 1e-5 * np.abs(exact).max()


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_a_vector_does_not_depend_on_its_neighbours(made, recordings, precision):
    encoder = Encoder(made("xlsr", precision).path, "cpu")
    waves = snippets(recordings, count=4)
    waves[2] *= 30  # a loud one, which would take the steps of int8 from the others
    together = encoder.encode(waves)
    for i in range(len(waves)):
        np.testing.assert_array_equal(encoder.encode(waves[i : i + 1])[0], together[i])
        np.testing.assert_array_equal(encoder.encode(waves[[1, i]])[1], together[i])


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_one_file_says_all_about_itself(made, checkpoint_of, recordings, precision):
    path, info, rows = made("xlsr", precision)
    assert left(path.parent) == [path.name]
    model = onnx.load(path)
    onnx.checker.check_model(str(path), full_check=True)
    keys = [pair.key for pair in model.metadata_props]
    assert len(keys) == len(set(keys)) == 15
    assert Encoder(path, "cpu").info == info
    assert (info.name, info.precision, info.default_variant) == (precision, precision, f"layer{LAYERS}.max")
    assert (info.sample_rate_hz, info.least_samples, info.frame_hop_samples) == (RATE_HZ, 400, 320)
    assert info.normalisation == "zero-mean unit-variance"
    folder = checkpoint_of("xlsr")
    assert (info.source, info.revision, info.licence) == (folder.name, "", "")
    assert info.sha256 == hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    assert {"abxfast", "torch", "transformers", "onnx", "onnxruntime"} <= set(info.tools)
    assert info.parity["audio"] == recordings.name
    assert len(info.parity["greatest |x| of each hidden state"]) == LAYERS + 1
    assert [row["variant"] for row in info.parity["rows"]] == list(info.variants)
    assert {row["snippet_s"] for row in info.parity["rows"]} == {1.0}
    assert info.parity["kept in fp32"] == []
    assert all(row.drift95 <= {"fp32": 1e-4, "fp16": 0.005, "int8": 0.03}[precision] for row in rows)


def test_smaller_precisions_are_smaller(made):
    sizes = [made("mms", precision).path.stat().st_size for precision in ("fp32", "fp16", "int8")]
    assert sizes == sorted(sizes, reverse=True)


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
    wave = snippets(recordings, count=1)
    exact = pooled(hidden_states(checkpoint_of("xlsr"), wave[0])[1:], ["std", "max"])
    np.testing.assert_allclose(encoder.encode(wave)[0], exact, rtol=0, atol=1e-5 * np.abs(exact).max())
    for name in (*names, "drift", "licence of the weights: not stated", "abxfast embed", str(path)):
        assert name in out
    assert "normalisation of waveforms: True (preprocessor_config.json)" in err
    assert "all.making-1.onnx runs on cpu" in err
    assert "abxfast: parity: the audio is too short to check snippets of 5, 10, 20 s" in err


def test_info_shows_the_table(run, made):
    exported = made("xlsr", "int8")
    status, out, _ = run("info", exported.path)
    assert status == 0
    assert "parity with PyTorch fp32 on the original checkpoint" in out
    for row in exported.rows:
        line = next(line for line in out.splitlines() if line.split()[:1] == [row.variant])
        assert f"{row.drift95:.2g}" in line
        assert "1 s" in line
    status, out, _ = run("info", exported.path, "--json")
    assert json.loads(out)["precision"] == "int8"


def test_embed_takes_it(run, made, recordings, tmp_path):
    encoder = made("base", "int8").path
    status, _, err = run("embed", recordings, "-o", tmp_path / "a.store", "--snippet", "1", "--encoder", encoder)
    assert status == 0, err
    status, out, _ = run("score", tmp_path / "a.store", "--variant", "layer2.mean")
    assert status == 0
    assert "tale-0" in out


def test_without_a_name_it_goes_where_encoders_are(run, checkpoint_of, recordings, tmp_path, monkeypatch):
    monkeypatch.setattr("abxfast.encoders.session.platformdirs.user_data_path", lambda *_, **__: tmp_path / "data")
    folder = shutil.copytree(checkpoint_of("xlsr"), tmp_path / "mine")
    status, out, err = run("export", folder, "--layers", "2", "--precision", "fp32", "--check", recordings, "-q")
    assert (status, err) == (0, SHORT)
    assert left(tmp_path / "data" / "encoders") == ["mine-l2.fp32.onnx"]
    monkeypatch.chdir(folder)
    (tmp_path / "data" / "encoders" / "mine-l2.fp32.onnx").unlink()
    status, _, err = run("export", ".", "--layers", "2", "--precision", "fp32", "--check", recordings, "-q")
    assert (status, err) == (0, SHORT)
    assert left(tmp_path / "data" / "encoders") == ["mine-l2.fp32.onnx"]
    status, out, _ = run("info", "mine-l2.fp32")
    assert status == 0
    assert "layer2.max (default)" in out


def cache(hub, checkpoint):
    """Put a checkpoint into a cache of the hub, as some/xlsr."""
    commit = "c3f9d884181a224a6ac87bf8885c84d1cff3384f"
    at = hub / "models--some--xlsr"
    (at / "refs").mkdir(parents=True)
    (at / "refs" / "main").write_text(commit)
    return shutil.copytree(checkpoint, at / "snapshots" / commit), commit


def test_from_the_cache_of_the_hub(run, checkpoint_of, recordings, tmp_path, monkeypatch):
    from huggingface_hub import constants

    folder, commit = cache(tmp_path / "hub", checkpoint_of("xlsr"))
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    path = tmp_path / "a.onnx"
    words = ("--layers", "2", "--precision", "fp32", "--check", recordings)
    status, out, err = run("export", "some/xlsr", "-o", path, *words)
    assert status == 0, err
    info = Encoder(path, "cpu").info
    assert (info.source, info.revision, info.licence) == ("some/xlsr", commit, "apache-2.0")
    assert "licence of the weights: apache-2.0" in out


def test_what_is_found_on_the_way_is_said(run, checkpoint_of, recordings, tmp_path):
    """The greatest |x| of each layer for fp16, and by what rule waveforms are normalised where no file says it."""
    path, form = tmp_path / "m.onnx", "layer, no bias"
    words = ("export", checkpoint_of(form), "-o", path, "--layers", "1", "--check", recordings)
    status, out, err = run(*words, "--precision", "fp16")
    assert status == 0
    assert "normalisation of waveforms: True (no preprocessor_config.json: by feat_extract_norm 'layer')" in err
    greatest = Encoder(path, "cpu").info.parity["greatest |x| of each hidden state"]
    assert f"greatest |x| of layers 0 to 1: {greatest[0]:g}, {greatest[1]:g}" in out
    assert "no preprocessor_config.json" in run("info", path)[1]


# -- parity


def test_the_report_is_what_its_words_say():
    """Against DESIGN.md's formulas and the float64 loop over triplets."""
    rng = np.random.default_rng(0)
    exact = rng.standard_normal((12, 5)) + np.repeat([[0.0], [0.7]], 6, axis=0)
    found = exact + 0.3 * rng.standard_normal(exact.shape)
    row = parity._row("layer1.max", 1.0, found, exact)
    drift = drift_of(found, exact)
    cos = (found * exact).sum(1) / np.linalg.norm(found, axis=1) / np.linalg.norm(exact, axis=1)
    assert row.difference == pytest.approx(np.abs(found - exact).max() / np.abs(exact).max())
    assert row.angle == pytest.approx((1 - cos).max())
    assert (row.drift, row.drift95) == pytest.approx((drift.mean(), np.percentile(drift, 95)))
    scores = []
    for vectors in (found, exact):
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        distances = 1 - unit @ unit.T
        for a, b in ((range(6), range(6, 12)), (range(6, 12), range(6))):
            wins = [
                (distances[i, x] < distances[j, x]) + 0.5 * (distances[i, x] == distances[j, x])
                for x in a
                for i in a
                if i != x
                for j in b
            ]
            scores.append(np.mean(wins))
    assert row.abx == pytest.approx(max(abs(scores[0] - scores[2]), abs(scores[1] - scores[3])))
    assert row.abx > 0


def test_the_cells_of_the_check_are_large_enough():
    assert parity.PER_HALF * (parity.PER_HALF - 1) * parity.PER_HALF >= 10_000
    assert parity.LENGTHS_S == (1.0, 5.0, 10.0, 20.0)


def test_calibration_and_check_hear_different_audio(recordings):
    from abxfast.export.calibration_audio import read_material

    material = read_material(recordings)
    whole = np.concatenate([*material.calibration, *material.halves])
    files = [soundfile.read(path, dtype="float32")[0] for path in sorted(recordings.iterdir())]
    np.testing.assert_array_equal(whole, np.concatenate(files))
    assert [len(half) for half in material.halves] == [round(12 * RATE_HZ * 7 / 16)] * 2


def test_recordings_that_cannot_be_read_are_told(recordings, tmp_path, caplog):
    from abxfast.export.calibration_audio import read_material

    folder = shutil.copytree(recordings, tmp_path / "mixed")
    for name in ("bad.wav", "worse.flac"):
        (folder / name).write_bytes(b"RIFFxxxx")
    assert len(read_material(folder).calibration) == len(read_material(recordings).calibration)
    assert len(caplog.messages) == 2
    for name, line in zip(("bad.wav", "worse.flac"), caplog.messages, strict=True):
        assert line.startswith(f"--check {folder}: left out: ")
        assert name in line


def test_without_recordings_those_of_the_demo_serve():
    from abxfast.export.calibration_audio import read_material

    material = read_material(None)
    assert "demo" in material.name
    assert all(parity.cut(material, length_s) is not None for length_s in parity.LENGTHS_S)


@pytest.fixture
def unsmoothed(monkeypatch):
    """Naive int8, which the stress checkpoint ruins."""
    monkeypatch.setattr("abxfast.export.calibration.smoothing", lambda *_, **__: None)


@pytest.mark.usefixtures("unsmoothed")
def test_an_encoder_that_drifts_is_not_left_behind(run, checkpoint_of, recordings, tmp_path):
    path = tmp_path / "out" / "m.onnx"
    path.parent.mkdir()
    path.write_bytes(b"an older one")
    words = ("export", checkpoint_of("stress"), "-o", path, "--layers", "3", "--check", recordings, "-q")
    status, out, err = run(*words)
    assert (status, out) == (2, "")
    one_line(err.removeprefix(SHORT))
    assert "drift" in err
    assert "at most 0.03 is allowed" in err
    assert "layer3.max at 1 s" in err
    assert "--keep" in err
    assert "blocks." in err
    assert "fp16 or fp32" in err
    assert left(path.parent) == ["m.onnx"]
    assert path.read_bytes() == b"an older one"
    status, out, err = run(*words, "--allow-drift", "2")
    assert status == 0
    one_line(err.removeprefix(SHORT))
    found = re.search(r"m.onnx: let through by --allow-drift 2: drift (\S+) of layer3.max at 1 s \(limit 0.03\)", err)
    assert float(found[1]) == pytest.approx(max(row["drift95"] for row in Encoder(path, "cpu").info.parity["rows"]))
    assert max(row["drift95"] for row in Encoder(path, "cpu").info.parity["rows"]) > 0.03
    assert left(path.parent) == ["m.onnx"]


@pytest.mark.usefixtures("unsmoothed")
def test_the_layers_that_are_advised_are_not_in_fp32_yet(checkpoint_of, recordings, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(maker, "BUDGET", 0.2)
    caplog.set_level("INFO", "abxfast")
    options = {"layers": (3,), "check": recordings, "keep": ["blocks.0.ffn2"], "allow_drift": 1e-6}
    with pytest.raises(ExportError) as told:
        export(str(checkpoint_of("stress")), tmp_path / "m.onnx", **options)
    (line,) = (message for message in caplog.messages if "; kept in fp32: " in message)
    kept = {"blocks.0.ffn2", *line.partition("fp32: ")[2].split(", ")}
    advised = re.search("most is lost in (.*?);", str(told.value))[1].split(", ")
    assert len(advised) == 3
    assert kept.isdisjoint(advised)
    assert len(kept) > 1
    assert kept | set(advised) <= set(multiplications(exporting_shape(checkpoint_of("stress")), 3))


def test_a_drift_that_needs_no_mending_comes_with_advice_too(checkpoint_of, recordings, tmp_path):
    with pytest.raises(ExportError, match=r"most is lost in (blocks|conv|proj|pos)\S*, \S+, \S+; keep them"):
        export(str(checkpoint_of("xlsr")), tmp_path / "m.onnx", layers=(2,), check=recordings, allow_drift=1e-6)
    everything = list(multiplications(exporting_shape(checkpoint_of("xlsr")), 1))
    options = {"layers": (1,), "check": recordings, "keep": everything, "allow_drift": 0.0}
    with pytest.raises(ExportError, match=r"allowed; take --precision fp16 or fp32"):
        export(str(checkpoint_of("xlsr")), tmp_path / "m.onnx", **options)


def test_a_wrong_fp32_graph_is_found(run, checkpoint_of, recordings, tmp_path, monkeypatch):
    monkeypatch.setattr("abxfast.export.frontend.WAVE_EPS", 0.01)
    words = ("export", checkpoint_of("xlsr"), "-o", tmp_path / "m.onnx", "--layers", "3", "--check", recordings, "-q")
    status, _, err = run(*words, "--precision", "fp32")
    assert status == 2
    one_line(err.removeprefix(SHORT))
    assert "greatest difference" in err
    assert "at most 0.0001" in err
    assert left(tmp_path) == []


def test_what_is_let_through_is_said(caplog):
    """Also what is no drift; and only what is beyond a limit."""
    row = parity.Row("layer1.max", 5.0, 0.0, 0.0, 0.02, 0.02, 0.0123)
    made = SimpleNamespace(recipe=SimpleNamespace(precision="int8"))
    exporting._judge([row], 0.05, made, Path("m.onnx"))
    expected = (
        "m.onnx: let through by --allow-drift 0.05: change of an ABX score 0.0123 of layer1.max at 5 s (limit 0.01)"
    )
    assert caplog.messages == [expected]
    exporting._judge([row._replace(abx=0.009)], 0.05, made, Path("m.onnx"))
    assert caplog.messages == [expected]


@pytest.mark.parametrize(
    ("precision", "key", "limit"),
    [("fp32", "difference", 1e-4), ("fp16", "drift95", 0.005), ("int8", "drift95", 0.03), ("int8", "abx", 0.01)],
)
def test_the_limits_are_those_of_the_manual(precision, key, limit):
    row = parity.Row("layer1.max", 1.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    made = SimpleNamespace(recipe=SimpleNamespace(precision=precision), worst=list)
    exporting._judge([row, row._replace(**{key: 0.99 * limit})], None, made, Path("m.onnx"))
    with pytest.raises(ExportError, match=f"at most {limit:g} is allowed"):
        exporting._judge([row, row._replace(**{key: 1.01 * limit})], None, made, Path("m.onnx"))


def test_a_drift_that_is_no_number_is_too_much():
    row = parity.Row("layer1.max", 1.0, 0.0, 0.0, float("nan"), float("nan"), 0.0)
    for rows in ([row], [row._replace(drift95=0.0), row], [row, row._replace(drift95=0.0)]):
        assert limits.beyond(rows, limits.LIMITS["int8"])


# -- what stays in fp32


def test_a_changed_abx_score_brings_the_worst_back_too(checkpoint_of, recordings, tmp_path, monkeypatch):
    """Drift may be well within its limit where scores are not."""
    monkeypatch.setitem(limits.LIMITS, "int8", limits.Limits(drift=0.03, abx=-1.0))
    monkeypatch.setattr(maker, "BUDGET", 0.1)
    options = {"layers": (LAYERS,), "check": recordings, "allow_drift": 9}
    exported = export(str(checkpoint_of("xlsr")), tmp_path / "a.onnx", **options)
    assert exported.rows[0].drift95 < exporting.WANTED_DRIFT
    assert exported.info.parity["kept in fp32"]


def test_a_changed_abx_score_takes_all_of_the_budget(checkpoint_of, recordings, tmp_path, monkeypatch):
    """Also where drift is beyond what is wanted, and a single layer would bring it there."""
    source, options = str(checkpoint_of("xlsr")), {"layers": (LAYERS,), "check": recordings, "allow_drift": 9}
    drift = export(source, tmp_path / "a.onnx", **options).rows[0].drift95
    monkeypatch.setattr(maker, "BUDGET", 0.1)
    monkeypatch.setattr(exporting, "WANTED_DRIFT", 0.99 * drift)
    monkeypatch.setitem(limits.LIMITS, "int8", limits.Limits(drift=0.03, abx=-1.0))
    kept = set(export(source, tmp_path / "a.onnx", **options).info.parity["kept in fp32"])
    cost = multiplications(exporting_shape(source), LAYERS)
    left_over = 0.1 * sum(cost.values()) - sum(cost[name] for name in kept)
    assert 0 <= left_over < min(value for name, value in cost.items() if name not in kept)


@pytest.mark.usefixtures("unsmoothed")
def test_the_worst_come_back_within_the_budget(checkpoint_of, recordings, tmp_path, monkeypatch):
    source, options = str(checkpoint_of("stress")), {"layers": (LAYERS,), "check": recordings, "allow_drift": 9}
    monkeypatch.setattr(maker, "BUDGET", 0.0)
    before = export(source, tmp_path / "a.onnx", **options)
    assert before.info.parity["kept in fp32"] == []
    monkeypatch.setattr(maker, "BUDGET", 0.1)
    after = export(source, tmp_path / "b.onnx", **options)
    cost = multiplications(exporting_shape(source), LAYERS)
    kept = set(after.info.parity["kept in fp32"])
    assert kept
    assert sum(cost[name] for name in kept) <= 0.1 * sum(cost.values())
    assert after.rows[0].drift < 0.5 * before.rows[0].drift


def exporting_shape(source):
    return load_checkpoint(source).architecture


def test_what_is_asked_to_stay_stays(run, checkpoint_of, recordings, tmp_path):
    path = tmp_path / "m.onnx"
    words = ("export", checkpoint_of("xlsr"), "-o", path, "--layers", "2", "--check", recordings, "-q")
    status, _, err = run(*words, "--keep", "blocks.0.ffn2", "--keep", "position")
    assert (status, err) == (0, SHORT)
    assert Encoder(path, "cpu").info.parity["kept in fp32"] == ["blocks.0.ffn2", "position"]
    types = [node.op_type for node in onnx.load(path).graph.node]
    assert types.count("Conv") == 1
    assert types.count("MatMulIntegerToFloat") == 1 + 2 * 6 - 1


def test_fp16_keeps_what_would_overflow(checkpoint_of, recordings, tmp_path, monkeypatch):
    """A hidden layer whose numbers pass 65,504, and a value projection that does; the rest is in float16."""
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(checkpoint_of("xlsr"), tmp_path / "huge")
    weights = load_file(folder / "model.safetensors")
    at = "wav2vec2.encoder.layers.1"
    feed, attend = f"{at}.feed_forward", f"{at}.attention"
    for many, one in (
        (f"{feed}.intermediate_dense", f"{feed}.output_dense"),
        (f"{attend}.v_proj", f"{attend}.out_proj"),
    ):
        weights[f"{many}.weight"] *= 1e5
        weights[f"{many}.bias"] *= 1e5
        weights[f"{one}.weight"] /= 1e5
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    options = {"precision": "fp16", "layers": (LAYERS,), "check": recordings}
    exported = export(str(folder), tmp_path / "m.onnx", **options)
    kept = set(exported.info.parity["kept in fp32"])
    assert {"blocks.1.qkv", "blocks.1.out", "blocks.1.ffn1", "blocks.1.ffn2"} <= kept
    assert not [name for name in kept if name.startswith(("blocks.0", "blocks.2"))]
    assert exported.rows[0].drift95 < 0.005
    waves = snippets(recordings)
    exact = np.stack([pooled(hidden_states(folder, wave)[-1:], ["max"])[0] for wave in waves])
    assert drift_of(Encoder(exported.path, "cpu").encode(waves)[:, 0], exact).mean() < 0.005

    # On a processor onnxruntime computes float16 in float32, and may never round what goes from node to node.
    assert np.isfinite(halves(exported.path, waves[0])).all()
    monkeypatch.setattr(maker, "MAX_HALF", float("inf"))
    unguarded = export(str(folder), tmp_path / "n.onnx", allow_drift=9, **options)
    assert not np.isfinite(halves(unguarded.path, waves[0])).all()


def halves(path, wave):
    """Run a graph, and give every value that is in float16, in one array."""
    model = onnx.load(path)
    found = []
    for node in model.graph.node:
        casts = [attribute.i for attribute in node.attribute if node.op_type == "Cast" and attribute.name == "to"]
        if casts == [onnx.TensorProto.FLOAT16] or (not casts and set(node.input) & set(found)):
            found.append(node.output[0])
    assert found
    model.graph.output.extend(onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT16, None) for n in found)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.concatenate([value.ravel() for value in session.run(found, {"input_values": wave[None]})])


# -- bad input: one line, status 2, nothing left behind


def one_line(err):
    lines = [line for line in err.splitlines() if line]
    assert len(lines) == 1, err
    assert lines[0].startswith("abxfast: ")
    assert "Traceback" not in err


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def fail_to_write(monkeypatch):
    whole = Path.write_bytes

    def half(path, data):
        whole(path, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", half)


def fail_to_sync(monkeypatch):
    def full(_):
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    monkeypatch.setattr("os.fsync", full)


def fail_to_replace(monkeypatch):
    def denied(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("os.replace", denied)


def no_room(monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 10**12, 50_000))


def no_network(monkeypatch):
    from huggingface_hub import constants

    def unreachable(*_, **__):
        raise OSError(errno.ENETUNREACH, "Network is unreachable")

    monkeypatch.setattr(socket, "getaddrinfo", unreachable)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", "/nonexistent")


def read_only(monkeypatch):
    def refuse(*_):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("os.mkdir", refuse)
    monkeypatch.setattr("abxfast.export.calibration_audio.read_material", None)  # it is told before anything is begun


def no_number(monkeypatch):
    def fail(encoder, _):
        raise EncoderError(f"{encoder.path}: gives NaN")

    monkeypatch.setattr(Encoder, "encode", fail)


def truncated(folder):
    data = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(data[: len(data) // 2])


def text_model(folder):
    (folder / "config.json").write_text('{"model_type": "bert"}')


def no_config(folder):
    (folder / "config.json").unlink()


def lacking(folder):
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    del weights["wav2vec2.encoder.layers.1.feed_forward.output_dense.bias"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


BAD = {
    # what is done to the world or to the folder, more options, what the line says
    "an unknown id": (no_network, {"source": "nobody/nothing"}, "nobody/nothing: not in the cache"),
    "no source": (None, {"source": ""}, "no checkpoint given, expected a folder or an id of the Hugging Face hub"),
    "no config": (no_config, {}, "no config.json"),
    "a text model": (text_model, {}, "'bert'; supported are wav2vec 2.0 (XLSR-53, XLS-R, MMS) and HuBERT"),
    "a layer that is not there": (None, {"--layers": "4"}, "has 3 blocks"),
    "layers that are no numbers": (None, {"--layers": "last"}, "--layers: found 'last'"),
    "layers the wrong way round": (None, {"--layers": "3-1"}, "expected numbers such as 21, 9,21 or 1-24"),
    "a truncated file": (truncated, {}, "model.safetensors: cannot be read as weights"),
    "a missing weight": (lacking, {}, "the weights lack encoder.layers.1.feed_forward.output_dense.bias"),
    "no room": (no_room, {}, "make room"),
    "no room after all": (fail_to_write, {}, "out/m.onnx: cannot be written (No space left on device)"),
    "no room at the end": (fail_to_sync, {}, "out/m.onnx: cannot be written (Disk quota exceeded)"),
    "no right to replace": (fail_to_replace, {}, "Permission denied"),
    "a disk that cannot be written": (read_only, {}, "out/m.onnx: cannot be written (Read-only file system)"),
    "a graph that gives no number": (no_number, {}, "abxfast: out/m.onnx: not written: gives NaN"),
    "too large": (
        lambda monkeypatch: monkeypatch.setattr(exporting, "MAX_BYTES", 300_000),
        {"--precision": "fp32"},
        "take --precision fp16 or int8",
    ),
    "no audio": (None, {"--check": "EMPTY"}, "--check"),
    "no such folder of audio": (None, {"--check": "not-there"}, "not-there"),
    "audio that is too short": (None, {"--check": "SHORT"}, "2.0 s of audio, expected at least 10 s"),
    "no such folder": (None, {"-o": "not/there/m.onnx"}, "make it first"),
    "a folder": (None, {"-o": "."}, "expected a name that ends in .onnx"),
    "another suffix": (None, {"-o": "m.bin"}, "expected a name that ends in .onnx"),
    "an unknown precision": (None, {"--precision": "int4"}, "expected one of fp32, fp16, int8"),
    "an unknown pooling": (None, {"--pooling": "max,median"}, "found median, expected some of max, mean, std"),
    "a drift that is no number": (None, {"--allow-drift": "nan"}, "--allow-drift: found nan, expected a number from 0"),
    "an unknown layer to keep": (None, {"--keep": "block.1.fnn2"}, "did you mean blocks.1.ffn2?"),
    "a revision of a folder": (None, {"--revision": "main"}, "is a folder, which has none"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line(run, checkpoint_of, recordings, tmp_path, monkeypatch, case):
    spoil, options, word = BAD[case]
    source, out = tmp_path / "source", tmp_path / "out"
    shutil.copytree(checkpoint_of("xlsr"), source)
    for folder in (out, tmp_path / "EMPTY", tmp_path / "SHORT"):
        folder.mkdir()
    soundfile.write(tmp_path / "SHORT" / "a.wav", voice(2), RATE_HZ)
    (tmp_path / "EMPTY" / "notes.txt").write_text("no sound")
    monkeypatch.chdir(tmp_path)
    if spoil in (truncated, text_model, no_config, lacking):
        spoil(source)
    elif spoil is not None:
        spoil(monkeypatch)
    words = {"-o": "out/m.onnx", "--layers": "2", "--check": recordings} | options
    before = left(tmp_path)
    status, stdout, err = run("export", words.pop("source", source), "-q", *(w for pair in words.items() for w in pair))
    assert (status, stdout) == (2, ""), err
    one_line(err.removeprefix(SHORT))
    assert word in err
    assert left(out) == []
    assert left(tmp_path) == before


@pytest.mark.parametrize("name", exporting.NEEDS)
def test_without_the_extra(checkpoint_of, tmp_path, name):
    """In a process of its own, where the package is really not to be had."""
    program = f"import sys; sys.modules[{name!r}] = None; from abxfast.cli.app import main; main()"
    words = ["export", checkpoint_of("xlsr"), "-o", tmp_path / "m.onnx", "--layers", "2"]
    done = subprocess.run(
        [sys.executable, "-c", program, *words], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    one_line(done.stderr)
    assert f"export needs {name}; install the export extra" in done.stderr
    assert left(tmp_path) == []


def test_the_real_limit_is_told_before_any_weight_is_read(run, recordings, tmp_path):
    """XLS-R with 2 billion weights; the file of weights is not even one."""
    from transformers import Wav2Vec2Config

    source = tmp_path / "source"
    config = {"hidden_size": 1_920, "num_hidden_layers": 48, "num_attention_heads": 16, "intermediate_size": 7_680}
    config |= {"feat_extract_norm": "layer", "conv_bias": True, "do_stable_layer_norm": True}
    Wav2Vec2Config(**config).save_pretrained(source)
    (source / "model.safetensors").write_bytes(b"")
    for precision, layers, word in (
        ("fp32", "48", "8.6 GB, and an ONNX file of more than 2 GB cannot stand alone; take --precision fp16 or int8"),
        ("fp16", "48", "take --precision int8"),
        ("int8", "48", "take fewer --layers"),
        ("fp16", "10", "cannot be read as weights"),
        ("int8", "40", "cannot be read as weights"),
    ):
        words = ("export", source, "-o", tmp_path / "m.onnx", "--precision", precision, "--layers", layers, "-q")
        status, _, err = run(*words, "--check", recordings)
        assert status == 2
        one_line(err)
        assert word in err, precision
    assert left(tmp_path) == ["source"]


@pytest.mark.parametrize(
    "option", [("--layers", "4"), ("--keep", "conv.0"), ("--check", "no"), ("--precision", "fp32")]
)
def test_what_is_wrong_is_told_before_weights_are_fetched(
    run, checkpoint_of, recordings, tmp_path, monkeypatch, option
):
    from huggingface_hub import constants

    cache(tmp_path / "hub", checkpoint_of("xlsr"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr("abxfast.export.checkpoint._fetch_weights", None)
    monkeypatch.setattr(exporting, "MAX_BYTES", 0 if option[1] == "fp32" else exporting.MAX_BYTES)
    words = {"-o": tmp_path / "m.onnx", "--layers": "2", "--check": recordings} | dict([option])
    status, _, err = run("export", "some/xlsr", "-q", *(word for pair in words.items() for word in pair))
    assert status == 2
    one_line(err)


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("config.json", {"architectures": 5}),
        ("config.json", {"hidden_dropout": "x"}),
        ("config.json", {"_attn_implementation": "flash_attention_2"}),
        ("preprocessor_config.json", {"feature_extractor_type": "Foo"}),
    ],
)
def test_what_transformers_cannot_load(checkpoint_of, tmp_path, file, change):
    folder = shutil.copytree(checkpoint_of("xlsr"), tmp_path / "odd")
    (folder / file).write_text(json.dumps(json.loads((folder / file).read_text()) | change))
    with pytest.raises(ExportError, match="transformers, which the encoder is checked against, cannot load it"):
        parity.Reference(load_checkpoint(folder), [1], ["max"])


def test_weights_that_transformers_would_fill_in(checkpoint_of, tmp_path):
    folder = shutil.copytree(checkpoint_of("xlsr"), tmp_path / "odd")
    lacking(folder)
    with pytest.raises(
        ExportError, match=r"transformers finds no encoder\.layers\.1\.feed_forward\.output_dense\.bias"
    ):
        parity.Reference(load_checkpoint(folder), [1], ["max"])


def test_no_place_for_the_stimuli(monkeypatch):
    from abxfast.export.calibration_audio import read_material

    def full(*_):
        raise soundfile.LibsndfileError(2)

    monkeypatch.setattr("abxfast.export.calibration_audio.write_corpus", full)
    with pytest.raises(ExportError, match=r"cannot be written to the temporary folder .*--check"):
        read_material(None)


def test_no_place_where_encoders_are(run, checkpoint_of, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("abxfast.encoders.session.platformdirs.user_data_path", lambda *_, **__: tmp_path / "file")
    status, _, err = run("export", checkpoint_of("xlsr"), "--layers", "2", "-q")
    assert status == 2
    one_line(err)
    assert "name a file with -o" in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_in_the_middle_nothing_is_left(run, checkpoint_of, recordings, tmp_path, monkeypatch, number):
    def stop(*_):
        assert left(tmp_path) != []
        signal.raise_signal(number)

    monkeypatch.setattr(parity, "references", stop)
    words = ("export", checkpoint_of("xlsr"), "-o", tmp_path / "m.onnx", "--layers", "2", "--check", recordings, "-q")
    before = signal.getsignal(signal.SIGINT), signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background may have been told to ignore it
    try:
        status, out, err = run(*words)
    finally:
        for each, handler in zip((signal.SIGINT, signal.SIGTERM), before, strict=True):
            signal.signal(each, handler)
    assert (status, out, err) == (130, "", "abxfast: stopped; nothing was written\n")
    assert left(tmp_path) == []


def test_export_of_python_raises_what_the_command_prints(tmp_path):
    with pytest.raises(AbxfastError, match="expected numbers from 0 on"):
        export(str(tmp_path), tmp_path / "m.onnx", layers=())
    with pytest.raises(AbxfastError, match="--pooling: found none"):
        export(str(tmp_path), tmp_path / "m.onnx", poolings=())


def test_the_seeds_of_this_file_are_real_models(tmp_path):
    """Every form has a drift to lose: its snippets differ, at the last layer, by more than rounding does."""
    folder = make_checkpoint(tmp_path, "base")
    exact = np.stack([pooled(hidden_states(folder, voice(1, seed))[-1:], ["max"])[0] for seed in range(6)])
    unit = exact / np.linalg.norm(exact, axis=1, keepdims=True)
    assert (1 - unit @ unit.T)[np.triu_indices(6, 1)].min() > 1e-4
