"""Weights: every published form is read, and an incomplete or invalid checkpoint is rejected by name of the weight."""

import numpy as np
import pytest
from tiny import SMALL, copy_checkpoint, load_checkpoint, load_weights

from abxfast.errors import ExportError
from abxfast.export.weight_shapes import expected_shapes
from abxfast.export.weights import read_weights

torch = pytest.importorskip("torch", reason="needs the export extra: pip install '.[test,export]'")
LAYERS = SMALL["num_hidden_layers"]
OLD = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
QUERY = "encoder.layers.1.attention.q_proj.weight"


def old_names(weights):
    for new, old in OLD.items():
        weights = {name.replace(new, old): tensor for name, tensor in weights.items()}
    return weights


def read(folder, layers=LAYERS):
    return read_weights(load_checkpoint(folder), layers)


def error_of(folder, *words, layers=LAYERS):
    with pytest.raises(ExportError) as caught:
        read(folder, layers)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message
    return message


@pytest.mark.parametrize("form", ["xlsr", "layer, post norm", "layer, no bias", "hubert large"])
@pytest.mark.parametrize("file", ["model.safetensors", "pytorch_model.bin"])
def test_old_and_new_names_are_the_same_weights(checkpoint_of, tmp_path, form, file):
    """Of a model for pre-training, for CTC, and without a head."""
    folder = checkpoint_of(form)
    new = load_weights(folder)
    assert any("original0" in name for name in new)
    old = copy_checkpoint(folder, tmp_path / "old", old_names(new), file)
    expected, weights = read(folder), read(old)
    assert expected.keys() == weights.keys() == expected_shapes(load_checkpoint(folder).architecture, LAYERS).keys()
    for name, weight in expected.items():
        np.testing.assert_array_equal(weights[name], weight, err_msg=name)


def test_a_weight_norm_is_computed_as_by_pytorch(checkpoint_of):
    from transformers import Wav2Vec2Model

    model = Wav2Vec2Model.from_pretrained(checkpoint_of("xlsr"))
    weights = read(checkpoint_of("xlsr"))
    expected = model.encoder.pos_conv_embed.conv.weight.detach().numpy()
    np.testing.assert_allclose(weights["encoder.pos_conv_embed.conv.weight"], expected, rtol=1e-5, atol=1e-8)
    for name, weight in model.state_dict().items():
        if name in weights:
            np.testing.assert_array_equal(weights[name], weight.numpy(), err_msg=name)


def test_a_weight_without_weight_norm(checkpoint_of, tmp_path):
    expected = read(checkpoint_of())
    weights = {name: tensor for name, tensor in load_weights(checkpoint_of()).items() if "original" not in name}
    name = "encoder.pos_conv_embed.conv.weight"
    weights[f"wav2vec2.{name}"] = torch.from_numpy(expected[name])
    folder = copy_checkpoint(checkpoint_of(), tmp_path / "out", weights)
    np.testing.assert_array_equal(read(folder)[name], expected[name])


def test_parameters_and_sparse_tensors_are_read(checkpoint_of, tmp_path):
    weights = {name: torch.nn.Parameter(tensor) for name, tensor in load_weights(checkpoint_of()).items()}
    weights[f"wav2vec2.{QUERY}"] = load_weights(checkpoint_of())[f"wav2vec2.{QUERY}"].to_sparse()
    weights = read(copy_checkpoint(checkpoint_of(), tmp_path / "parameters", weights, "pytorch_model.bin"))
    for name, weight in read(checkpoint_of()).items():
        np.testing.assert_array_equal(weights[name], weight, err_msg=name)


def test_a_tensor_without_data(checkpoint_of, tmp_path):
    weights = load_weights(checkpoint_of()) | {f"wav2vec2.{QUERY}": torch.empty(64, 64, device="meta")}
    folder = copy_checkpoint(checkpoint_of(), tmp_path / "meta", weights, "pytorch_model.bin")
    error_of(folder, "pytorch_model.bin: cannot be read as weights")


@pytest.mark.parametrize("name", [QUERY, "wav2vec2.encoder.pos_conv_embed.conv.weight_g"])
def test_a_duplicate_weight(checkpoint_of, tmp_path, name):
    """With and without its prefix, or in the old and the new naming."""
    weights = load_weights(checkpoint_of())
    weights[name] = weights[f"wav2vec2.{QUERY}"].clone()
    error_of(copy_checkpoint(checkpoint_of(), tmp_path / "twice", weights), name.removeprefix("wav2vec2."), "twice")


def test_a_block_beyond_those_of_the_config(checkpoint_of, tmp_path):
    weights = load_weights(checkpoint_of())
    name = "wav2vec2.encoder.layers.3.final_layer_norm.bias"
    error_of(copy_checkpoint(checkpoint_of(), tmp_path / "more", weights | {name: torch.zeros(64)}), name, layers=2)


def test_the_head_of_an_x_vector_model_is_ignored(checkpoint_of, tmp_path):
    from transformers import Wav2Vec2Config, Wav2Vec2ForXVector

    config = Wav2Vec2Config.from_pretrained(checkpoint_of(), tdnn_dim=[8] * 5, xvector_output_dim=8, num_labels=3)
    Wav2Vec2ForXVector(config).save_pretrained(tmp_path)
    assert "feature_extractor.weight" in load_weights(tmp_path)
    assert QUERY in read(tmp_path)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_read(checkpoint_of, tmp_path, dtype):
    weights = {name: tensor.to(getattr(torch, dtype)) for name, tensor in load_weights(checkpoint_of()).items()}
    actual = read(copy_checkpoint(checkpoint_of(), tmp_path / "half", weights))
    assert {weight.dtype for weight in actual.values()} == {np.dtype(np.float32)}
    np.testing.assert_array_equal(actual[QUERY], weights[f"wav2vec2.{QUERY}"].float().numpy())


def test_blocks_above_the_last_layer_may_be_missing(checkpoint_of, tmp_path):
    block = "wav2vec2.encoder.layers.2."
    weights = {name: tensor for name, tensor in load_weights(checkpoint_of()).items() if not name.startswith(block)}
    folder = copy_checkpoint(checkpoint_of(), tmp_path / "two", weights)
    assert QUERY in read(folder, 2)
    assert not any(name.startswith("encoder.layers.2") for name in read(checkpoint_of(), 2))
    error_of(folder, "encoder.layers.2.")


def test_each_weight_of_the_graph_is_required(checkpoint_of, tmp_path):
    """Remove one after another; each time the error names it."""
    weights = load_weights(checkpoint_of("mms"))
    taken = [name for name in weights if name.startswith("wav2vec2.") and "masked_spec_embed" not in name]
    assert len(taken) > 90
    folder = copy_checkpoint(checkpoint_of("mms"), tmp_path / "lacking", weights)
    for name in taken:
        copy_checkpoint(checkpoint_of("mms"), folder, {key: tensor for key, tensor in weights.items() if key != name})
        old_name = name.removeprefix("wav2vec2.")
        for new, old in OLD.items():
            old_name = old_name.replace(new, old)
        error_of(folder, f"lack {old_name}")


def test_an_unknown_weight(checkpoint_of, tmp_path):
    weights = load_weights(checkpoint_of())
    for name in ("wav2vec2.encoder.layers.0.attention.rotary.weight", "decoder.embed.weight"):
        folder = copy_checkpoint(checkpoint_of(), tmp_path / "more", weights | {name: torch.zeros(3)})
        error_of(folder, name)


def test_heads_and_quantizers_are_ignored(checkpoint_of):
    names = set(load_weights(checkpoint_of("xlsr"))) | set(load_weights(checkpoint_of("mms")))
    for head in ("quantizer.codevectors", "project_q.weight", "project_hid.bias", "lm_head.weight"):
        assert head in names
    assert not any("project" in name for name in read(checkpoint_of("xlsr")) if "projection" not in name)


def test_a_wrong_shape(checkpoint_of, tmp_path):
    weights = load_weights(checkpoint_of()) | {f"wav2vec2.{QUERY}": torch.zeros(64, 63)}
    error_of(copy_checkpoint(checkpoint_of(), tmp_path / "shape", weights), QUERY, "(64, 63)", "(64, 64)")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_weight_that_is_not_finite(checkpoint_of, tmp_path, value):
    weights = load_weights(checkpoint_of())
    weights[f"wav2vec2.{QUERY}"][3, 4] = value
    error_of(copy_checkpoint(checkpoint_of(), tmp_path / "nan", weights), QUERY, "NaN or infinity")


def test_a_weight_norm_of_zero(checkpoint_of, tmp_path):
    weights = load_weights(checkpoint_of())
    weights["wav2vec2.encoder.pos_conv_embed.conv.parametrizations.weight.original1"][..., 5] = 0
    error_of(copy_checkpoint(checkpoint_of(), tmp_path / "zero", weights), "pos_conv_embed", "NaN")


@pytest.mark.parametrize("file", ["model.safetensors", "pytorch_model.bin", "old.bin"])
@pytest.mark.parametrize("share", [0, 0.001, 0.5, 0.999])
def test_a_truncated_file(checkpoint_of, tmp_path, file, share):
    weights = load_weights(checkpoint_of())
    whole = copy_checkpoint(
        checkpoint_of(), tmp_path / "whole", weights, "pytorch_model.bin" if file == "old.bin" else file
    )
    if file == "old.bin":
        file = "pytorch_model.bin"
        torch.save(weights, whole / file, _use_new_zipfile_serialization=False)
        read(whole)
    data = (whole / file).read_bytes()
    error_of(
        copy_checkpoint(checkpoint_of(), tmp_path / "cut", data[: int(share * len(data))], file), file, "fetch it again"
    )


class Evil:
    def __reduce__(self):
        return open, ("pwned", "w")


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_pickle_is_not_run(checkpoint_of, tmp_path, monkeypatch, zipped):
    monkeypatch.chdir(tmp_path)
    folder = copy_checkpoint(checkpoint_of(), tmp_path / "evil", b"", "pytorch_model.bin")
    torch.save(
        load_weights(checkpoint_of()) | {"evil": Evil()},
        folder / "pytorch_model.bin",
        _use_new_zipfile_serialization=zipped,
    )
    message = error_of(folder, "pytorch_model.bin", "never loaded", "safetensors")
    assert "\x1b" not in message
    assert "can still be loaded" not in message
    assert not (tmp_path / "pwned").exists()


def test_a_pickle_of_something_else(checkpoint_of, tmp_path):
    folder = copy_checkpoint(checkpoint_of(), tmp_path / "list", [torch.zeros(3)], "pytorch_model.bin")
    error_of(folder, "not a plain table of weights")


def test_safetensors_are_preferred(checkpoint_of, tmp_path):
    """A pickle beside them is not opened."""
    folder = copy_checkpoint(checkpoint_of(), tmp_path / "both", load_weights(checkpoint_of()))
    (folder / "pytorch_model.bin").write_bytes(b"no pickle")
    assert QUERY in read(folder)
