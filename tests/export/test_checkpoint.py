"""Checkpoints: configuration, preprocessor and model card are read, and unsupported ones are rejected."""

import json

import pytest
from tiny import copy_checkpoint, load_checkpoint, make_checkpoint

from abxfast.errors import ExportError

pytest.importorskip("torch", reason="needs the export extra: pip install '.[test,export]'")

CONFIGS = {
    "a text model": ({"model_type": "bert"}, "'bert'; supported are wav2vec 2.0"),
    "no type": ({"model_type": None}, "supported are"),
    "another activation": ({"hidden_act": "relu"}, "hidden_act is 'relu'"),
    "batch norm at the positions": ({"conv_pos_batch_norm": True}, "conv_pos_batch_norm"),
    "an unknown norm": ({"feat_extract_norm": "batch"}, "feat_extract_norm is 'batch'"),
    "heads that do not divide": ({"num_attention_heads": 5}, "not a multiple"),
    "lists of different lengths": ({"conv_stride": [5, 2]}, "differ in length"),
    "text for a number": ({"hidden_size": "wide"}, "cannot be read as the shape"),
    "no blocks": ({"num_hidden_layers": 0}, "not positive"),
}


@pytest.mark.parametrize("case", CONFIGS)
def test_an_unsupported_config(checkpoint_of, tmp_path, case):
    change, word = CONFIGS[case]
    folder = copy_checkpoint(checkpoint_of(), tmp_path / "config", {})
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(ExportError) as caught:
        load_checkpoint(folder)
    assert word in str(caught.value)
    assert "config.json" in str(caught.value)


def test_a_config_without_a_size(checkpoint_of, tmp_path):
    folder = copy_checkpoint(checkpoint_of(), tmp_path / "config", {})
    config = json.loads((folder / "config.json").read_text())
    del config["intermediate_size"]
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ExportError, match="intermediate_size"):
        load_checkpoint(folder)


@pytest.mark.parametrize("text", ["", "{", "[1]", "\udcff"])
def test_a_config_that_is_not_json(checkpoint_of, tmp_path, text):
    folder = copy_checkpoint(checkpoint_of(), tmp_path / "config", {})
    (folder / "config.json").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ExportError, match=r"config\.json"):
        load_checkpoint(folder)


def test_sources_that_are_not_checkpoints(checkpoint_of, tmp_path):
    with pytest.raises(ExportError, match=r"no config\.json"):
        load_checkpoint(tmp_path)
    folder = copy_checkpoint(checkpoint_of(), tmp_path / "bare", {})
    (folder / "model.safetensors").unlink()
    with pytest.raises(ExportError, match=r"no weights; expected one of model\.safetensors"):
        load_checkpoint(folder)
    with pytest.raises(ExportError, match=r"^`revision='main'`: .* is a folder, which has no revisions"):
        load_checkpoint(checkpoint_of(), "main")
    with pytest.raises(ExportError, match="neither a folder nor an id on"):
        load_checkpoint(tmp_path / "not" / "there")
    with pytest.raises(ExportError, match="neither a folder nor an id on"):
        load_checkpoint(checkpoint_of() / "config.json")


def test_normalisation_is_that_of_the_preprocessor(checkpoint_of):
    for form, expected, origin in (
        ("xlsr", True, "preprocessor_config.json"),
        ("layer, post norm", False, "preprocessor_config.json"),
        ("base", True, "preprocessor_config.json"),
        ("group, pre norm", False, "'group'"),
        ("layer, no bias", True, "'layer'"),
    ):
        checkpoint = load_checkpoint(checkpoint_of(form))
        assert checkpoint.normalise is expected, form
        assert origin in checkpoint.normalise_from


def test_a_preprocessor_of_another_rate(checkpoint_of, tmp_path):
    folder = copy_checkpoint(checkpoint_of(), tmp_path / "rate", {})
    (folder / "preprocessor_config.json").write_text('{"sampling_rate": 8000}')
    with pytest.raises(ExportError, match="8000, expected 16000"):
        load_checkpoint(folder)


def test_the_licence_is_that_of_the_model_card(checkpoint_of, tmp_path):
    folder = copy_checkpoint(checkpoint_of(), tmp_path / "card", {})
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
        assert load_checkpoint(folder).licence == licence


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")
def test_transformers_finds_the_seeded_checkpoints_complete(checkpoint_of, tmp_path):
    """The reference initialises no weight at random."""
    from transformers import AutoModel

    for form in ("xlsr", "mms", "hubert large"):
        _, loading_info = AutoModel.from_pretrained(checkpoint_of(form), output_loading_info=True)
        assert not [name for name in loading_info["missing_keys"] if "masked_spec_embed" not in name]
    assert make_checkpoint(tmp_path / "again").is_dir()
    assert load_checkpoint(tmp_path / "again").sha256() == load_checkpoint(checkpoint_of()).sha256()
