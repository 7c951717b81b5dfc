"""Files of weights: an index names those that are read, and cannot name others."""

import hashlib
import json
import shutil

import numpy as np
import pytest
from tiny import SMALL, copy_checkpoint, load_checkpoint, load_weights

from abxfast.errors import ExportError
from abxfast.export.weights import read_weights

torch = pytest.importorskip("torch", reason="needs the export extra: pip install '.[test,export]'")
LAYERS = SMALL["num_hidden_layers"]


@pytest.mark.parametrize("kind", ["safetensors", "bin"])
def test_weights_in_several_files(checkpoint_of, tmp_path, kind):
    from safetensors.torch import save_file

    weights = load_weights(checkpoint_of())
    names = sorted(weights)
    stem, file = ("model", "model.safetensors") if kind == "safetensors" else ("pytorch_model", "pytorch_model.bin")
    folder = copy_checkpoint(checkpoint_of(), tmp_path / "parts", {})
    (folder / "model.safetensors").unlink()
    weight_map = {}
    for i, part_names in enumerate((names[:40], names[40:]), 1):
        part = f"{stem}-0000{i}-of-00002.{kind}"
        (save_file if kind == "safetensors" else torch.save)(
            {name: weights[name] for name in part_names}, folder / part
        )
        weight_map |= dict.fromkeys(part_names, part)
    (folder / f"{file}.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    checkpoint = load_checkpoint(folder)
    expected, weights = (read_weights(each, LAYERS) for each in (load_checkpoint(checkpoint_of()), checkpoint))
    for name, weight in expected.items():
        np.testing.assert_array_equal(weights[name], weight, err_msg=name)
    assert len(checkpoint.weights) == 2
    digests = [hashlib.sha256((folder / name).read_bytes()).digest() for name in sorted(set(weight_map.values()))]
    assert checkpoint.sha256() == hashlib.sha256(digests[0] + digests[1]).hexdigest()
    (folder / part).unlink()
    with pytest.raises(ExportError, match=part):
        load_checkpoint(folder)


def test_an_index_cannot_name_a_file_outside_of_the_folder(checkpoint_of, tmp_path):
    folder = copy_checkpoint(checkpoint_of(), tmp_path / "index", {})
    shutil.copy(checkpoint_of() / "model.safetensors", tmp_path / "model.safetensors")
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "../model.safetensors"}}))
    with pytest.raises(ExportError, match="outside"):
        load_checkpoint(folder)


@pytest.mark.parametrize("content", [["x"], {"a": 1}, {}, None, "model.safetensors"])
def test_an_invalid_index(checkpoint_of, tmp_path, content):
    folder = copy_checkpoint(checkpoint_of(), tmp_path / "index", {})
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": content}))
    with pytest.raises(ExportError, match=r"model\.safetensors\.index\.json: weight_map is not a table"):
        load_checkpoint(folder)
