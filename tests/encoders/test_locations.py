"""Encoders are found by name, by path, and in the package."""

import pytest
from tiny_encoder import INFO, write_encoder

from abxfast.encoders import encoders_folder, find_encoder, open_encoder
from abxfast.errors import EncoderError


def test_named_encoders_are_found_in_the_data_folder(tmp_path, monkeypatch):
    monkeypatch.setattr("platformdirs.user_data_path", lambda *_, **__: tmp_path / "data")
    with pytest.raises(EncoderError, match="known: mfcc;"):
        open_encoder("xlsr")
    encoders_folder().mkdir(parents=True)
    write_encoder(encoders_folder() / "mine.onnx")
    assert open_encoder("mine").info == INFO
    assert open_encoder(write_encoder(tmp_path / "here.onnx")).path == tmp_path / "here.onnx"
    with pytest.raises(
        EncoderError, match=r"^`encoder`: no file xlsr, and no encoder of that name; known: mfcc, mine"
    ) as caught:
        open_encoder("xlsr")
    assert str(encoders_folder()) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_mfcc_is_part_of_the_package():
    assert find_encoder("mfcc").is_file()
    assert open_encoder("mfcc").info.name == "mfcc"
