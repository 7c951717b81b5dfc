"""The hub: models in the local cache are found without a network, and errors are one line."""

import socket
from types import SimpleNamespace

import pytest
from tiny import SMALL, cache_checkpoint, copy_checkpoint, load_checkpoint

from abxfast.errors import ExportError
from abxfast.export.weights import read_weights

pytest.importorskip("torch", reason="needs the export extra: pip install '.[test,export]'")
LAYERS = SMALL["num_hidden_layers"]
SOURCE = "facebook/wav2vec2-large-xlsr-53"
QUERY = "encoder.layers.1.attention.q_proj.weight"
COMMIT = "c3f9d884181a224a6ac87bf8885c84d1cff3384f"


@pytest.fixture(params=["no network", "HF_HUB_OFFLINE"])
def hub(request, monkeypatch, tmp_path):
    """Return the folder of an empty cache of the hub, which cannot be reached."""
    from huggingface_hub import constants

    def unreachable(*_, **__):
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(socket, "getaddrinfo", unreachable)
    monkeypatch.setattr(socket.socket, "connect", unreachable)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", request.param == "HF_HUB_OFFLINE")
    return tmp_path / "hub"


def test_an_unknown_id(hub):
    with pytest.raises(ExportError, match="nobody/nothing: not in the cache, and the Hugging Face hub"):
        load_checkpoint("nobody/nothing")
    assert not hub.exists() or not any(hub.rglob("config.json"))


@pytest.mark.parametrize("revision", [None, "main", COMMIT])
def test_the_cache_is_used_without_a_network(hub, checkpoint_of, revision):
    cache_checkpoint(hub, checkpoint_of(), SOURCE, COMMIT)
    checkpoint = load_checkpoint(SOURCE, revision)
    assert (checkpoint.source, checkpoint.revision) == (SOURCE, COMMIT)
    assert checkpoint.sha256() == load_checkpoint(checkpoint_of()).sha256()
    assert QUERY in read_weights(checkpoint, LAYERS)


def test_a_revision_missing_from_the_cache(hub, checkpoint_of):
    cache_checkpoint(hub, checkpoint_of(), SOURCE, COMMIT)
    with pytest.raises(ExportError, match="not in the cache"):
        load_checkpoint(SOURCE, "v2")


def test_a_cache_without_weights(hub, checkpoint_of, tmp_path):
    bare = copy_checkpoint(checkpoint_of(), tmp_path / "bare", {})
    (bare / "model.safetensors").unlink()
    cache_checkpoint(hub, bare, SOURCE, COMMIT)
    with pytest.raises(ExportError, match="no weights"):
        load_checkpoint(SOURCE)


def test_a_revision_missing_from_the_hub(monkeypatch):
    from huggingface_hub.errors import RevisionNotFoundError

    def unknown(*_, **__):
        raise RevisionNotFoundError("404 Client Error", response=SimpleNamespace(headers={}, request=None))

    monkeypatch.setattr("huggingface_hub.snapshot_download", unknown)
    with pytest.raises(ExportError, match=r"^`revision='v9'`: some/model has no such branch, tag or commit"):
        load_checkpoint("some/model", "v9")
