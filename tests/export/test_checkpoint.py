"""Checkpoints: every published form is read, and one that is not whole is refused with the name of what it lacks."""

import hashlib
import json
import shutil
import socket
from types import SimpleNamespace

import numpy as np
import pytest
from tiny import SMALL, make_checkpoint

from abxfast.errors import ExportError
from abxfast.export.checkpoint import expected_shapes, open_checkpoint, read_weights

torch = pytest.importorskip("torch", reason="needs the export extra: pip install '.[test,export]'")
LAYERS = SMALL["num_hidden_layers"]
OLD = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
QUERY = "encoder.layers.1.attention.q_proj.weight"


def table(folder):
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")


def old_names(weights):
    for new, old in OLD.items():
        weights = {name.replace(new, old): tensor for name, tensor in weights.items()}
    return weights


def changed(checkpoint, folder, weights, name="model.safetensors"):
    """Copy a checkpoint with other weights: a table, or bytes."""
    from safetensors.torch import save_file

    folder.mkdir(exist_ok=True)
    for file in checkpoint.iterdir():
        if not file.name.startswith("model"):
            shutil.copy(file, folder)
    if isinstance(weights, bytes):
        (folder / name).write_bytes(weights)
    elif name.endswith(".bin"):
        torch.save(weights, folder / name)
    else:
        save_file(weights, folder / name)
    return folder


def read(folder, layers=LAYERS):
    return read_weights(open_checkpoint(str(folder)), layers)


def refused(folder, *words, layers=LAYERS):
    with pytest.raises(ExportError) as told:
        read(folder, layers)
    text = str(told.value)
    assert "\n" not in text
    for word in words:
        assert word in text
    return text


# -- what is read


@pytest.mark.parametrize("form", ["xlsr", "layer, post norm", "layer, no bias", "hubert large"])
@pytest.mark.parametrize("file", ["model.safetensors", "pytorch_model.bin"])
def test_old_and_new_names_are_the_same_weights(checkpoint_of, tmp_path, form, file):
    """Of a model for pre-training, for CTC, and without a head."""
    folder = checkpoint_of(form)
    new = table(folder)
    assert any("original0" in name for name in new)
    old = changed(folder, tmp_path / "old", old_names(new), file)
    expected, found = read(folder), read(old)
    assert expected.keys() == found.keys() == expected_shapes(open_checkpoint(str(folder)).architecture, LAYERS).keys()
    for name, weight in expected.items():
        np.testing.assert_array_equal(found[name], weight, err_msg=name)


def test_a_weight_norm_is_what_pytorch_makes_of_it(checkpoint_of):
    from transformers import Wav2Vec2Model

    model = Wav2Vec2Model.from_pretrained(checkpoint_of("xlsr"))
    found = read(checkpoint_of("xlsr"))
    expected = model.encoder.pos_conv_embed.conv.weight.detach().numpy()
    np.testing.assert_allclose(found["encoder.pos_conv_embed.conv.weight"], expected, rtol=1e-5, atol=1e-8)
    for name, weight in model.state_dict().items():
        if name in found:
            np.testing.assert_array_equal(found[name], weight.numpy(), err_msg=name)


def test_a_weight_norm_multiplied_out_already(checkpoint_of, tmp_path):
    expected = read(checkpoint_of())
    weights = {name: tensor for name, tensor in table(checkpoint_of()).items() if "original" not in name}
    name = "encoder.pos_conv_embed.conv.weight"
    weights[f"wav2vec2.{name}"] = torch.from_numpy(expected[name])
    folder = changed(checkpoint_of(), tmp_path / "out", weights)
    np.testing.assert_array_equal(read(folder)[name], expected[name])


@pytest.mark.parametrize("kind", ["safetensors", "bin"])
def test_weights_in_several_files(checkpoint_of, tmp_path, kind):
    from safetensors.torch import save_file

    weights = table(checkpoint_of())
    names = sorted(weights)
    stem, whole = ("model", "model.safetensors") if kind == "safetensors" else ("pytorch_model", "pytorch_model.bin")
    folder = changed(checkpoint_of(), tmp_path / "parts", {})
    (folder / "model.safetensors").unlink()
    where = {}
    for i, some in enumerate((names[:40], names[40:]), 1):
        part = f"{stem}-0000{i}-of-00002.{kind}"
        (save_file if kind == "safetensors" else torch.save)({name: weights[name] for name in some}, folder / part)
        where |= dict.fromkeys(some, part)
    (folder / f"{whole}.index.json").write_text(json.dumps({"metadata": {}, "weight_map": where}))
    expected, found = read(checkpoint_of()), read(folder)
    for name, weight in expected.items():
        np.testing.assert_array_equal(found[name], weight, err_msg=name)
    checkpoint = open_checkpoint(str(folder))
    assert len(checkpoint.weights) == 2
    sums = [hashlib.sha256((folder / name).read_bytes()).digest() for name in sorted(set(where.values()))]
    assert checkpoint.sha256() == hashlib.sha256(sums[0] + sums[1]).hexdigest()
    (folder / part).unlink()
    with pytest.raises(ExportError, match=part):
        open_checkpoint(str(folder))


def test_an_index_does_not_lead_out_of_the_folder(checkpoint_of, tmp_path):
    folder = changed(checkpoint_of(), tmp_path / "index", {})
    shutil.copy(checkpoint_of() / "model.safetensors", tmp_path / "model.safetensors")
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "../model.safetensors"}}))
    with pytest.raises(ExportError, match="outside"):
        open_checkpoint(str(folder))


@pytest.mark.parametrize("content", [["x"], {"a": 1}, {}, None, "model.safetensors"])
def test_an_index_that_is_none(checkpoint_of, tmp_path, content):
    folder = changed(checkpoint_of(), tmp_path / "index", {})
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": content}))
    refused(folder, "model.safetensors.index.json: weight_map is no table")


def test_parameters_and_sparse_tensors_are_read(checkpoint_of, tmp_path):
    weights = {name: torch.nn.Parameter(tensor) for name, tensor in table(checkpoint_of()).items()}
    weights[f"wav2vec2.{QUERY}"] = table(checkpoint_of())[f"wav2vec2.{QUERY}"].to_sparse()
    found = read(changed(checkpoint_of(), tmp_path / "parameters", weights, "pytorch_model.bin"))
    for name, weight in read(checkpoint_of()).items():
        np.testing.assert_array_equal(found[name], weight, err_msg=name)


def test_a_tensor_without_numbers(checkpoint_of, tmp_path):
    weights = table(checkpoint_of()) | {f"wav2vec2.{QUERY}": torch.empty(64, 64, device="meta")}
    folder = changed(checkpoint_of(), tmp_path / "meta", weights, "pytorch_model.bin")
    refused(folder, "pytorch_model.bin: cannot be read as weights")


@pytest.mark.parametrize("name", [QUERY, "wav2vec2.encoder.pos_conv_embed.conv.weight_g"])
def test_a_weight_twice(checkpoint_of, tmp_path, name):
    """With and without its prefix, or in the old and the new naming."""
    weights = table(checkpoint_of())
    weights[name] = weights[f"wav2vec2.{QUERY}"].clone()
    refused(changed(checkpoint_of(), tmp_path / "twice", weights), name.removeprefix("wav2vec2."), "twice")


def test_a_block_that_the_config_does_not_have(checkpoint_of, tmp_path):
    weights = table(checkpoint_of())
    name = "wav2vec2.encoder.layers.3.final_layer_norm.bias"
    refused(changed(checkpoint_of(), tmp_path / "more", weights | {name: torch.zeros(64)}), name, layers=2)


def test_the_head_of_an_x_vector_is_let_be(checkpoint_of, tmp_path):
    from transformers import Wav2Vec2Config, Wav2Vec2ForXVector

    config = Wav2Vec2Config.from_pretrained(checkpoint_of(), tdnn_dim=[8] * 5, xvector_output_dim=8, num_labels=3)
    Wav2Vec2ForXVector(config).save_pretrained(tmp_path)
    assert "feature_extractor.weight" in table(tmp_path)
    assert QUERY in read(tmp_path)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_halves_are_read(checkpoint_of, tmp_path, dtype):
    weights = {name: tensor.to(getattr(torch, dtype)) for name, tensor in table(checkpoint_of()).items()}
    found = read(changed(checkpoint_of(), tmp_path / "half", weights))
    assert {weight.dtype for weight in found.values()} == {np.dtype(np.float32)}
    np.testing.assert_array_equal(found[QUERY], weights[f"wav2vec2.{QUERY}"].float().numpy())


def test_blocks_above_the_truncation_may_lack(checkpoint_of, tmp_path):
    block = "wav2vec2.encoder.layers.2."
    weights = {name: tensor for name, tensor in table(checkpoint_of()).items() if not name.startswith(block)}
    folder = changed(checkpoint_of(), tmp_path / "two", weights)
    assert QUERY in read(folder, 2)
    assert not any(name.startswith("encoder.layers.2") for name in read(checkpoint_of(), 2))
    refused(folder, "encoder.layers.2.")


# -- what is refused


def test_every_weight_that_the_graph_takes_is_missed(checkpoint_of, tmp_path):
    """Take away one after another; each time its name is told."""
    weights = table(checkpoint_of("mms"))
    taken = [name for name in weights if name.startswith("wav2vec2.") and "masked_spec_embed" not in name]
    assert len(taken) > 90
    folder = changed(checkpoint_of("mms"), tmp_path / "lacking", weights)
    for name in taken:
        changed(checkpoint_of("mms"), folder, {key: tensor for key, tensor in weights.items() if key != name})
        told = name.removeprefix("wav2vec2.")
        for new, old in OLD.items():
            told = told.replace(new, old)
        refused(folder, f"lack {told}")


def test_a_weight_too_many(checkpoint_of, tmp_path):
    weights = table(checkpoint_of())
    for name in ("wav2vec2.encoder.layers.0.attention.rotary.weight", "decoder.embed.weight"):
        folder = changed(checkpoint_of(), tmp_path / "more", weights | {name: torch.zeros(3)})
        refused(folder, name)


def test_heads_and_quantisers_are_let_be(checkpoint_of):
    names = set(table(checkpoint_of("xlsr"))) | set(table(checkpoint_of("mms")))
    for head in ("quantizer.codevectors", "project_q.weight", "project_hid.bias", "lm_head.weight"):
        assert head in names
    assert not any("project" in name for name in read(checkpoint_of("xlsr")) if "projection" not in name)


def test_a_wrong_shape(checkpoint_of, tmp_path):
    weights = table(checkpoint_of()) | {f"wav2vec2.{QUERY}": torch.zeros(64, 63)}
    refused(changed(checkpoint_of(), tmp_path / "shape", weights), QUERY, "(64, 63)", "(64, 64)")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_is_none(checkpoint_of, tmp_path, value):
    weights = table(checkpoint_of())
    weights[f"wav2vec2.{QUERY}"][3, 4] = value
    refused(changed(checkpoint_of(), tmp_path / "nan", weights), QUERY, "NaN or infinity")


def test_a_weight_norm_of_zero(checkpoint_of, tmp_path):
    weights = table(checkpoint_of())
    weights["wav2vec2.encoder.pos_conv_embed.conv.parametrizations.weight.original1"][..., 5] = 0
    refused(changed(checkpoint_of(), tmp_path / "zero", weights), "pos_conv_embed", "NaN")


@pytest.mark.parametrize("file", ["model.safetensors", "pytorch_model.bin", "old.bin"])
@pytest.mark.parametrize("share", [0, 0.001, 0.5, 0.999])
def test_a_file_cut_short(checkpoint_of, tmp_path, file, share):
    weights = table(checkpoint_of())
    whole = changed(checkpoint_of(), tmp_path / "whole", weights, "pytorch_model.bin" if file == "old.bin" else file)
    if file == "old.bin":
        file = "pytorch_model.bin"
        torch.save(weights, whole / file, _use_new_zipfile_serialization=False)
        read(whole)
    data = (whole / file).read_bytes()
    refused(changed(checkpoint_of(), tmp_path / "cut", data[: int(share * len(data))], file), file, "fetch it again")


class Evil:
    def __reduce__(self):
        return open, ("pwned", "w")


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_pickle_is_not_run(checkpoint_of, tmp_path, monkeypatch, zipped):
    monkeypatch.chdir(tmp_path)
    folder = changed(checkpoint_of(), tmp_path / "evil", b"", "pytorch_model.bin")
    torch.save(
        table(checkpoint_of()) | {"evil": Evil()},
        folder / "pytorch_model.bin",
        _use_new_zipfile_serialization=zipped,
    )
    told = refused(folder, "pytorch_model.bin", "never loaded", "safetensors")
    assert "\x1b" not in told
    assert "can still be loaded" not in told
    assert not (tmp_path / "pwned").exists()


def test_a_pickle_of_something_else(checkpoint_of, tmp_path):
    folder = changed(checkpoint_of(), tmp_path / "list", [torch.zeros(3)], "pytorch_model.bin")
    refused(folder, "not a plain table of weights")


def test_safetensors_go_first(checkpoint_of, tmp_path):
    """A pickle that lies beside them is not even looked at."""
    folder = changed(checkpoint_of(), tmp_path / "both", table(checkpoint_of()))
    (folder / "pytorch_model.bin").write_bytes(b"no pickle")
    assert QUERY in read(folder)


CONFIGS = {
    "a text model": ({"model_type": "bert"}, "'bert'; supported are wav2vec 2.0"),
    "no type": ({"model_type": None}, "supported are"),
    "another activation": ({"hidden_act": "relu"}, "hidden_act is 'relu'"),
    "batch norm at the positions": ({"conv_pos_batch_norm": True}, "conv_pos_batch_norm"),
    "a norm of its own": ({"feat_extract_norm": "batch"}, "feat_extract_norm is 'batch'"),
    "heads that do not divide": ({"num_attention_heads": 5}, "no multiple"),
    "lists of different lengths": ({"conv_stride": [5, 2]}, "differ in length"),
    "words for numbers": ({"hidden_size": "wide"}, "cannot be read as the shape"),
    "no blocks": ({"num_hidden_layers": 0}, "not positive"),
}


@pytest.mark.parametrize("case", CONFIGS)
def test_a_config_of_another_kind(checkpoint_of, tmp_path, case):
    change, word = CONFIGS[case]
    folder = changed(checkpoint_of(), tmp_path / "config", {})
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(ExportError) as told:
        open_checkpoint(str(folder))
    assert word in str(told.value)
    assert "config.json" in str(told.value)


def test_a_config_without_a_size(checkpoint_of, tmp_path):
    folder = changed(checkpoint_of(), tmp_path / "config", {})
    config = json.loads((folder / "config.json").read_text())
    del config["intermediate_size"]
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ExportError, match="intermediate_size"):
        open_checkpoint(str(folder))


@pytest.mark.parametrize("text", ["", "{", "[1]", "\udcff"])
def test_a_config_that_is_no_json(checkpoint_of, tmp_path, text):
    folder = changed(checkpoint_of(), tmp_path / "config", {})
    (folder / "config.json").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ExportError, match=r"config\.json"):
        open_checkpoint(str(folder))


def test_folders_that_are_no_checkpoint(checkpoint_of, tmp_path):
    with pytest.raises(ExportError, match=r"no config\.json"):
        open_checkpoint(str(tmp_path))
    folder = changed(checkpoint_of(), tmp_path / "bare", {})
    (folder / "model.safetensors").unlink()
    with pytest.raises(ExportError, match=r"no weights; expected one of model\.safetensors"):
        open_checkpoint(str(folder))
    with pytest.raises(ExportError, match="is a folder"):
        open_checkpoint(str(checkpoint_of()), "main")
    with pytest.raises(ExportError, match="neither a folder nor an id"):
        open_checkpoint(str(tmp_path / "not" / "there"))
    with pytest.raises(ExportError, match="neither a folder nor an id"):
        open_checkpoint(str(checkpoint_of() / "config.json"))


# -- what the preprocessor and the model card say


def test_normalisation_follows_the_preprocessor(checkpoint_of):
    for form, expected, said_by in (
        ("xlsr", True, "preprocessor_config.json"),
        ("layer, post norm", False, "preprocessor_config.json"),
        ("base", True, "preprocessor_config.json"),
        ("group, stable", False, "'group'"),
        ("layer, no bias", True, "'layer'"),
    ):
        checkpoint = open_checkpoint(str(checkpoint_of(form)))
        assert checkpoint.normalise is expected, form
        assert said_by in checkpoint.normalise_from


def test_a_preprocessor_of_another_rate(checkpoint_of, tmp_path):
    folder = changed(checkpoint_of(), tmp_path / "rate", {})
    (folder / "preprocessor_config.json").write_text('{"sampling_rate": 8000}')
    with pytest.raises(ExportError, match="8000, expected 16000"):
        open_checkpoint(str(folder))


def test_the_licence_is_that_of_the_model_card(checkpoint_of, tmp_path):
    folder = changed(checkpoint_of(), tmp_path / "card", {})
    for card, licence in (
        ("---\nlanguage: multilingual\nlicense: apache-2.0\n---\n# A model\n", "apache-2.0"),
        ('---\nlicense: "cc-by-nc-4.0"\n---\n', "cc-by-nc-4.0"),
        ("# A model\nlicense: none of this\n", ""),
        ("---\nlicense:\ntags:\n- audio\n---\n", ""),
        ("---\nlicense:\n- mit\n- apache-2.0\ntags:\n- audio\n---\n", "mit, apache-2.0"),
        ("---\nlicense: [mit, gpl]\n---\n", "mit, gpl"),
        ("---\r\nlicense: mit  # as ever\r\n---\r\n", "mit"),
        ("\ufeff---\nlicense: mit\n---\n", "mit"),
    ):
        (folder / "README.md").write_text(card, encoding="utf-8", newline="")
        assert open_checkpoint(str(folder)).licence == licence


# -- the hub, without a network

COMMIT = "c3f9d884181a224a6ac87bf8885c84d1cff3384f"


@pytest.fixture(params=["no network", "HF_HUB_OFFLINE"])
def hub(request, monkeypatch, tmp_path):
    """Give the folder of an empty hub cache, in a world where nothing can be reached."""
    from huggingface_hub import constants

    def unreachable(*_, **__):
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(socket, "getaddrinfo", unreachable)
    monkeypatch.setattr(socket.socket, "connect", unreachable)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", request.param == "HF_HUB_OFFLINE")
    return tmp_path / "hub"


def cache(hub, checkpoint, source="facebook/wav2vec2-large-xlsr-53"):
    at = hub / f"models--{source.replace('/', '--')}"
    shutil.copytree(checkpoint, at / "snapshots" / COMMIT)
    (at / "refs").mkdir()
    (at / "refs" / "main").write_text(COMMIT)
    return source


def test_an_id_that_is_not_in_the_cache(hub):
    with pytest.raises(ExportError, match="nobody/nothing: not in the cache, and the Hugging Face hub"):
        open_checkpoint("nobody/nothing")
    assert not hub.exists() or not any(hub.rglob("config.json"))


@pytest.mark.parametrize("revision", [None, "main", COMMIT])
def test_the_cache_serves_without_a_network(hub, checkpoint_of, revision):
    source = cache(hub, checkpoint_of())
    checkpoint = open_checkpoint(source, revision)
    assert (checkpoint.source, checkpoint.revision) == (source, COMMIT)
    assert checkpoint.sha256() == open_checkpoint(str(checkpoint_of())).sha256()
    assert QUERY in read_weights(checkpoint, LAYERS)


def test_a_revision_that_is_not_in_the_cache(hub, checkpoint_of):
    source = cache(hub, checkpoint_of())
    with pytest.raises(ExportError, match="not in the cache"):
        open_checkpoint(source, "v2")


def test_a_cache_without_weights(hub, checkpoint_of, tmp_path):
    bare = changed(checkpoint_of(), tmp_path / "bare", {})
    (bare / "model.safetensors").unlink()
    with pytest.raises(ExportError, match="no weights"):
        open_checkpoint(cache(hub, bare))


def test_a_revision_that_the_hub_does_not_have(monkeypatch):
    from huggingface_hub.errors import RevisionNotFoundError

    def unknown(*_, **__):
        raise RevisionNotFoundError("404 Client Error", response=SimpleNamespace(headers={}, request=None))

    monkeypatch.setattr("huggingface_hub.snapshot_download", unknown)
    with pytest.raises(ExportError, match="--revision v9: some/model has no such branch, tag or commit"):
        open_checkpoint("some/model", "v9")


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")
def test_transformers_reads_what_we_read(checkpoint_of, tmp_path):
    """The seeded checkpoint is one that transformers itself finds whole: our oracle fills nothing in."""
    from transformers import AutoModel

    for form in ("xlsr", "mms", "hubert large"):
        _, told = AutoModel.from_pretrained(checkpoint_of(form), output_loading_info=True)
        assert not [name for name in told["missing_keys"] if "masked_spec_embed" not in name]
    assert make_checkpoint(tmp_path / "again").is_dir()
    assert open_checkpoint(str(tmp_path / "again")).sha256() == open_checkpoint(str(checkpoint_of())).sha256()
