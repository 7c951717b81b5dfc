"""Exported encoders: their vectors, their metadata, what stays in fp32, and failures that leave no file."""

import errno
import hashlib
import logging
import re
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import soundfile
from tiny import (
    RATE_HZ,
    SMALL,
    drift_of,
    hidden_states,
    load_checkpoint,
    load_weights,
    make_checkpoint,
    open_model,
    pooled,
    voice,
)

from abxfast.encoders import Encoder
from abxfast.errors import EncoderError, ExportError
from abxfast.export import builder, export, exporter, tolerances
from abxfast.export.cost import multiplications_per_frame

torch = pytest.importorskip("torch", reason="needs the export extra: pip install '.[test,export]'")
LAYERS = SMALL["num_hidden_layers"]


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def cut(recordings, count=16):
    """Return snippets of 1 s of the part of the recordings that is not used for calibration."""
    waves = [soundfile.read(path, dtype="float32")[0] for path in sorted(recordings.iterdir())]
    wave = np.concatenate(waves)
    starts = np.linspace(40_000, len(wave) - RATE_HZ, count).astype(int)
    return np.stack([wave[start : start + RATE_HZ] for start in starts])


def costs(checkpoint, n_blocks=LAYERS):
    return multiplications_per_frame(load_checkpoint(checkpoint).architecture, n_blocks)


# -- the encoder


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
@pytest.mark.parametrize("form", ["xlsr", "base", "mms", "hubert base", "data2vec", "whisper"])
def test_vectors_are_those_of_the_model(exported, checkpoint_of, recordings, form, precision):
    path, info, _ = exported(form, precision)
    waves = cut(recordings)
    vectors = Encoder(path, "cpu").encode(waves)
    for i, (layer, pooling) in enumerate([(2, "max"), (2, "mean"), (LAYERS, "max"), (LAYERS, "mean")]):
        assert info.variants[i] == f"layer{layer}.{pooling}"
        exact = np.stack([pooled([hidden_states(checkpoint_of(form), wave)[layer]], [pooling])[0] for wave in waves])
        assert drift_of(vectors[:, i], exact).mean() < {"fp32": 1e-6, "fp16": 0.005, "int8": 0.03}[precision]
        if precision == "fp32":
            assert np.abs(vectors[:, i] - exact).max() < 1e-5 * np.abs(exact).max()


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_a_vector_does_not_depend_on_its_batch(exported, recordings, precision):
    encoder = Encoder(exported("xlsr", precision).path, "cpu")
    waves = cut(recordings, count=4)
    waves[2] *= 30  # in one int8 batch, a loud snippet would leave few steps to the others
    together = encoder.encode(waves)
    for i in range(len(waves)):
        np.testing.assert_array_equal(encoder.encode(waves[i : i + 1])[0], together[i])
        np.testing.assert_array_equal(encoder.encode(waves[[1, i]])[1], together[i])


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_the_file_describes_itself(exported, checkpoint_of, recordings, precision):
    path, info, rows = exported("xlsr", precision)
    assert names_in(path.parent) == [path.name]
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
    assert info.parity["normalisation by"] == "preprocessor_config.json"
    assert len(info.parity["greatest |x| of each hidden state"]) == LAYERS + 1
    assert [row["variant"] for row in info.parity["rows"]] == list(info.variants)
    assert {row["snippet_s"] for row in info.parity["rows"]} == {1.0}
    assert info.parity["kept in fp32"] == []
    assert all(row.drift95 <= {"fp32": 1e-4, "fp16": 0.005, "int8": 0.03}[precision] for row in rows)


def test_lower_precisions_give_smaller_files(exported):
    sizes = [exported("mms", precision).path.stat().st_size for precision in ("fp32", "fp16", "int8")]
    assert sizes == sorted(sizes, reverse=True)


def test_seeded_checkpoints_give_distinct_vectors(tmp_path):
    """Snippets differ at the last layer by more than rounding does, so that drift is measurable."""
    folder = make_checkpoint(tmp_path, "base")
    exact = np.stack([pooled(hidden_states(folder, voice(1, seed))[-1:], ["max"])[0] for seed in range(6)])
    unit = exact / np.linalg.norm(exact, axis=1, keepdims=True)
    assert (1 - unit @ unit.T)[np.triu_indices(6, 1)].min() > 1e-4


# -- parity


@pytest.mark.usefixtures("no_smoothing")
def test_an_encoder_that_drifts_is_not_written(checkpoint_of, recordings, tmp_path, caplog):
    path = tmp_path / "m.onnx"
    path.write_bytes(b"an older one")
    source, options = str(checkpoint_of("stress")), {"layers": (3,), "check": recordings}
    with pytest.raises(ExportError) as caught:
        export(source, path, **options)
    assert re.fullmatch(
        rf"{re.escape(str(path))}: not written: drift \S+ of layer3\.max at 1 s, at most 0\.03 is allowed; "
        r"most is lost in \S+, \S+, \S+; pass these as `keep`, or choose `precision='fp16'` or `precision='fp32'`, "
        r"or accept it with `allow_drift`",
        str(caught.value),
    )
    assert names_in(tmp_path) == ["m.onnx"]
    assert path.read_bytes() == b"an older one"

    caplog.clear()
    rows = export(source, path, allow_drift=2, **options).rows
    (message,) = [record.getMessage() for record in caplog.records if "accepted" in record.getMessage()]
    value = re.search(r"accepted since `allow_drift` is 2: drift (\S+) of layer3.max at 1 s \(limit 0.03\)", message)
    assert float(value[1]) == pytest.approx(max(row.drift95 for row in rows), rel=1e-2)
    assert max(row.drift95 for row in rows) > 0.03
    assert max(row["drift95"] for row in Encoder(path, "cpu").info.parity["rows"]) > 0.03


def test_a_wrong_fp32_graph_is_not_written(checkpoint_of, recordings, tmp_path, monkeypatch):
    monkeypatch.setattr("abxfast.export.frontend.WAVE_EPS", 0.01)
    with pytest.raises(ExportError, match=r"maximum difference .*, at most 0\.0001 is allowed"):
        export(str(checkpoint_of("xlsr")), tmp_path / "m.onnx", precision="fp32", layers=(3,), check=recordings)
    assert names_in(tmp_path) == []


@pytest.mark.usefixtures("no_smoothing")
def test_inputs_in_fp32_are_not_suggested(checkpoint_of, recordings, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(builder, "FP32_BUDGET", 0.2)
    caplog.set_level("INFO", "abxfast")
    options = {"layers": (3,), "check": recordings, "keep": ["blocks.0.ffn2"], "allow_drift": 1e-6}
    with pytest.raises(ExportError) as caught:
        export(str(checkpoint_of("stress")), tmp_path / "m.onnx", **options)
    (line,) = (message for message in caplog.messages if "; kept in fp32: " in message)
    kept = {"blocks.0.ffn2", *line.partition("fp32: ")[2].split(", ")}
    suggested = re.search("most is lost in (.*?);", str(caught.value))[1].split(", ")
    assert len(suggested) == 3
    assert kept.isdisjoint(suggested)
    assert len(kept) > 1
    assert kept | set(suggested) <= set(costs(checkpoint_of("stress")))


def test_inputs_are_suggested_for_any_drift(checkpoint_of, recordings, tmp_path):
    """Also for one below the target, after which nothing was kept in fp32; and none if all are in fp32."""
    source, path = checkpoint_of("xlsr"), tmp_path / "m.onnx"
    expected = r"most is lost in (blocks|conv|proj|pos)\S*, \S+, \S+; pass these as `keep`"
    with pytest.raises(ExportError, match=expected):
        export(str(source), path, layers=(2,), check=recordings, allow_drift=1e-6)
    with pytest.raises(ExportError, match=r"allowed; choose `precision='fp16'` or"):
        export(str(source), path, layers=(1,), check=recordings, keep=list(costs(source, 1)), allow_drift=0.0)


# -- what stays in fp32


def test_a_changed_abx_score_keeps_layers_in_fp32(checkpoint_of, recordings, tmp_path, monkeypatch):
    """Even if the drift is well below its target."""
    monkeypatch.setitem(tolerances.TOLERANCES, "int8", tolerances.Tolerances(drift=0.03, abx=-1.0))
    monkeypatch.setattr(builder, "FP32_BUDGET", 0.1)
    options = {"layers": (LAYERS,), "check": recordings, "allow_drift": 9}
    result = export(str(checkpoint_of("xlsr")), tmp_path / "a.onnx", **options)
    assert result.rows[0].drift95 < exporter.TARGET_DRIFT
    assert result.info.parity["kept in fp32"]


def test_a_changed_abx_score_uses_the_whole_budget(checkpoint_of, recordings, tmp_path, monkeypatch):
    """Even if a single layer would bring the drift to its target."""
    source, options = str(checkpoint_of("xlsr")), {"layers": (LAYERS,), "check": recordings, "allow_drift": 9}
    drift = export(source, tmp_path / "a.onnx", **options).rows[0].drift95
    monkeypatch.setattr(builder, "FP32_BUDGET", 0.1)
    monkeypatch.setattr(exporter, "TARGET_DRIFT", 0.99 * drift)
    monkeypatch.setitem(tolerances.TOLERANCES, "int8", tolerances.Tolerances(drift=0.03, abx=-1.0))
    kept = set(export(source, tmp_path / "a.onnx", **options).info.parity["kept in fp32"])
    cost = costs(source)
    remaining = 0.1 * sum(cost.values()) - sum(cost[name] for name in kept)
    assert 0 <= remaining < min(value for name, value in cost.items() if name not in kept)


@pytest.mark.usefixtures("no_smoothing")
def test_the_lossiest_layers_are_kept_within_the_budget(checkpoint_of, recordings, tmp_path, monkeypatch):
    source, options = str(checkpoint_of("stress")), {"layers": (LAYERS,), "check": recordings, "allow_drift": 9}
    monkeypatch.setattr(builder, "FP32_BUDGET", 0.0)
    before = export(source, tmp_path / "a.onnx", **options)
    assert before.info.parity["kept in fp32"] == []
    monkeypatch.setattr(builder, "FP32_BUDGET", 0.1)
    after = export(source, tmp_path / "b.onnx", **options)
    cost = costs(source)
    kept = set(after.info.parity["kept in fp32"])
    assert kept
    assert sum(cost[name] for name in kept) <= 0.1 * sum(cost.values())
    assert after.rows[0].drift < 0.5 * before.rows[0].drift


def test_fp16_keeps_overflowing_layers_in_fp32(checkpoint_of, recordings, tmp_path, monkeypatch):
    """A hidden layer and a value projection whose outputs exceed 65,504; the rest is in float16."""
    from safetensors.torch import save_file

    folder = shutil.copytree(checkpoint_of("xlsr"), tmp_path / "huge")
    weights = load_weights(folder)
    block = "wav2vec2.encoder.layers.1"
    for large, inverse in (
        (f"{block}.feed_forward.intermediate_dense", f"{block}.feed_forward.output_dense"),
        (f"{block}.attention.v_proj", f"{block}.attention.out_proj"),
    ):
        weights[f"{large}.weight"] *= 1e5
        weights[f"{large}.bias"] *= 1e5
        weights[f"{inverse}.weight"] /= 1e5
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    options = {"precision": "fp16", "layers": (LAYERS,), "check": recordings}
    guarded = export(str(folder), tmp_path / "m.onnx", **options)
    kept = set(guarded.info.parity["kept in fp32"])
    assert {"blocks.1.qkv", "blocks.1.out", "blocks.1.ffn1", "blocks.1.ffn2"} <= kept
    assert not [name for name in kept if name.startswith(("blocks.0", "blocks.2"))]
    assert guarded.rows[0].drift95 < 0.005
    waves = cut(recordings)
    exact = np.stack([pooled(hidden_states(folder, wave)[-1:], ["max"])[0] for wave in waves])
    assert drift_of(Encoder(guarded.path, "cpu").encode(waves)[:, 0], exact).mean() < 0.005

    # On a CPU onnxruntime computes float16 in float32, and may never round the values between nodes.
    assert np.isfinite(float16_values(guarded.path, waves[0])).all()
    monkeypatch.setattr(builder, "MAX_FP16_PEAK", float("inf"))
    unguarded = export(str(folder), tmp_path / "n.onnx", allow_drift=9, **options)
    assert not np.isfinite(float16_values(unguarded.path, waves[0])).all()


def float16_values(path, wave):
    """Run a graph, and return every value that is in float16 in one array."""
    model = onnx.load(path)
    names = []
    for node in model.graph.node:
        casts = [attribute.i for attribute in node.attribute if node.op_type == "Cast" and attribute.name == "to"]
        if casts == [onnx.TensorProto.FLOAT16] or (not casts and set(node.input) & set(names)):
            names.append(node.output[0])
    assert names
    model.graph.output.extend(onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT16, None) for n in names)
    return np.concatenate([value.ravel() for value in open_model(model).run(names, {"input_values": wave[None]})])


# -- failures


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


def return_nan(monkeypatch):
    def fail(encoder, _):
        raise EncoderError(f"{encoder.path}: returns NaN")

    monkeypatch.setattr(Encoder, "encode", fail)


FAILURES = {
    "no space": (fail_to_write, "cannot be written (No space left on device); free some space, or choose"),
    "a quota": (fail_with("os.fsync", errno.EDQUOT, "Disk quota exceeded"), "cannot be written (Disk quota exceeded)"),
    "no right to replace": (fail_with("os.replace", errno.EACCES, "Permission denied"), "Permission denied"),
    "a read-only disk": (fail_with("os.mkdir", errno.EROFS, "Read-only file system"), "(Read-only file system)"),
    "a graph that fails": (return_nan, "not written: returns NaN"),
}


@pytest.mark.parametrize("case", FAILURES)
def test_failures_leave_no_file(checkpoint_of, recordings, tmp_path, monkeypatch, case):
    fail, expected = FAILURES[case]
    fail(monkeypatch)
    path = tmp_path / "m.onnx"
    with pytest.raises(ExportError) as caught:
        export(str(checkpoint_of("xlsr")), path, layers=(2,), check=recordings)
    monkeypatch.undo()
    assert str(caught.value).startswith(f"{path}: ")
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)
    assert names_in(tmp_path) == []


def test_an_unwritable_folder_is_reported_before_anything_is_read(checkpoint_of, tmp_path, monkeypatch):
    fail_with("os.mkdir", errno.EROFS, "Read-only file system")(monkeypatch)
    monkeypatch.setattr("abxfast.export.calibration_audio.read_calibration_audio", None)
    with pytest.raises(ExportError, match="Read-only file system"):
        export(str(checkpoint_of("xlsr")), tmp_path / "m.onnx", layers=(2,))


def test_the_source_of_the_normalisation_is_logged(checkpoint_of, recordings, tmp_path, caplog):
    caplog.set_level(logging.INFO, "abxfast")
    export(str(checkpoint_of("layer, no bias")), tmp_path / "m.onnx", layers=(1,), precision="fp32", check=recordings)
    expected = "normalisation of waveforms: True (no preprocessor_config.json: by feat_extract_norm 'layer')"
    assert expected in caplog.messages
