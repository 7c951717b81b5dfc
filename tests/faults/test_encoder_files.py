"""Encoder files from strangers: what they load is known, bounded and hashed; nothing but their folder is read."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, load, numpy_helper, save
from tiny_encoder import INFO, write_encoder, write_graph

from abxfast.encoders import Encoder, find_encoder, model_file
from abxfast.errors import EncoderError

if TYPE_CHECKING:
    from pathlib import Path


def external_encoder(folder: Path, rise: tuple[float, ...] = (1, 2, 3, 4), location: str = "w.bin") -> Path:
    """Write an encoder whose weights are in a file beside it."""
    folder.mkdir(exist_ok=True)
    path = write_encoder(folder / "ext.onnx")
    (folder / "w.bin").write_bytes(np.array(rise, "<f4").tobytes())
    model = load(path)
    weights = next(tensor for tensor in model.graph.initializer if tensor.name == "rise")
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", "16")):
        weights.external_data.add(key=key, value=value)
    path.write_bytes(model.SerializeToString())
    return path


def reason(path: Path) -> str:
    with pytest.raises(EncoderError) as caught:
        Encoder(path, "cpu")
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{path}: ")
    return message


def opened_or_refused(path: Path) -> None:
    """Open an encoder; any error but a message of one line fails the test."""
    message = ""
    try:
        Encoder(path, "cpu")
    except EncoderError as error:
        message = str(error)
    assert "\n" not in message


def test_other_weights_beside_the_same_file_are_another_encoder(tmp_path: Path) -> None:
    path = external_encoder(tmp_path / "model")
    wave = np.linspace(-1, 1, 99, dtype=np.float32)[None]
    first = Encoder(path, "cpu")
    vectors = first.encode(wave)
    copy = shutil.copytree(path.parent, tmp_path / "copy") / path.name
    assert Encoder(copy, "cpu").sha256 == first.sha256
    external_encoder(tmp_path / "model", rise=(4, 3, 2, 1))
    second = Encoder(path, "cpu")
    assert not np.array_equal(vectors, second.encode(wave))
    assert first.sha256 != second.sha256


def test_a_store_refuses_other_external_weights(tmp_path: Path, run) -> None:
    from noise_recordings import write_noise

    write_noise(tmp_path / "audio" / "a.wav", 2)
    path = external_encoder(tmp_path / "encoder")
    words = ("embed", tmp_path / "audio", "-o", tmp_path / "s.store", "--encoder", path, "--snippet", "1")
    assert run(*words)[0] == 0
    assert run(*words)[0] == 0
    external_encoder(tmp_path / "encoder", rise=(4, 3, 2, 1))
    status, _, err = run(*words)
    assert status == 2
    assert "another encoder" in err


def test_the_hash_of_a_single_file_is_that_of_its_bytes() -> None:
    import hashlib

    path = find_encoder("mfcc")
    assert model_file.read_model_file(path).sha256() == hashlib.sha256(path.read_bytes()).hexdigest()


def test_weights_that_change_while_they_are_loaded_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from abxfast.encoders import session

    path = external_encoder(tmp_path)
    open_session = session.open_session

    def replace(*arguments):
        external_encoder(tmp_path, rise=(9, 9, 9, 9, 9))
        return open_session(*arguments)

    monkeypatch.setattr(session, "open_session", replace)
    assert "changed while" in reason(path)


def test_weights_that_change_during_an_embedding_reach_no_store(
    tmp_path: Path, run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from noise_recordings import write_noise

    from abxfast.store import open_store

    write_noise(tmp_path / "audio" / "a.wav", 5)
    path = external_encoder(tmp_path / "encoder")
    encode = Encoder.encode

    def replace(self, waves):
        with (path.parent / "w.bin").open("r+b") as file:  # in place: onnxruntime has mapped it
            file.write(np.array([4, 3, 2, 1], "<f4").tobytes())
        return encode(self, waves)

    monkeypatch.setattr(Encoder, "encode", replace)
    status, _, err = run("embed", tmp_path / "audio", "-o", tmp_path / "s.store", "--encoder", path, "--snippet", "1")
    assert status == 2
    assert "changed while it was in use" in err
    assert open_store(tmp_path / "s.store").lengths() == []


@pytest.mark.parametrize(
    "location", ["/etc/passwd", "../w.bin", "sub/../../w.bin", "..\\w.bin", "", "link.bin", "*/_ORT_MEM_ADDR_/*"]
)
def test_weights_outside_of_the_folder_of_the_model_are_refused(tmp_path: Path, location: str) -> None:
    (tmp_path / "w.bin").write_bytes(bytes(16))
    path = external_encoder(tmp_path / "model", location=location)
    (tmp_path / "model" / "link.bin").symlink_to(tmp_path / "w.bin")
    assert "outside of its folder" in reason(path) or "missing" in reason(path)


def test_weights_in_a_nested_graph_and_a_constant_are_found(tmp_path: Path) -> None:
    def external(name: str) -> TensorProto:
        tensor = numpy_helper.from_array(np.ones(4, np.float32), name)
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=f"{name}.bin")
        (tmp_path / f"{name}.bin").write_bytes(bytes(16))
        return tensor

    inner = helper.make_graph([helper.make_node("Identity", ["deep"], ["o"])], "inner", [], [], [external("deep")])
    nodes = [
        helper.make_node("If", ["c"], ["embeddings"], then_branch=inner, else_branch=inner),
        helper.make_node("Constant", [], ["k"], value=external("constant")),
    ]
    path = write_graph(tmp_path / "nested.onnx", nodes, [], info=INFO)
    files = model_file.read_model_file(path).files
    assert [file.name for file in files] == ["nested.onnx", "constant.bin", "deep.bin"]


def size(value: object) -> TensorProto:
    return numpy_helper.from_array(np.array(value, np.int64), "size")


def claimed(*dims: int) -> TensorProto:
    tensor = numpy_helper.from_array(np.ones(1, np.float32), "size")
    tensor.dims[:] = dims
    return tensor


@pytest.mark.parametrize(
    ("nodes", "constants"),
    [
        ([helper.make_node("ConstantOfShape", ["size"], ["embeddings"])], [size([10**12])]),
        ([helper.make_node("Expand", ["input_values", "size"], ["embeddings"])], [size([10**6, 10**6])]),
        ([helper.make_node("Tile", ["input_values", "size"], ["embeddings"])], [size([10**6, 10**6])]),
        ([helper.make_node("RandomNormal", [], ["embeddings"], shape=[10**6, 10**6])], []),
        ([helper.make_node("Identity", ["size"], ["embeddings"])], [claimed(10**6, 10**6)]),
        (
            [
                helper.make_node("Constant", [], ["size"], value=size([10**12])),
                helper.make_node("ConstantOfShape", ["size"], ["embeddings"]),
            ],
            [],
        ),
        (
            [
                helper.make_node("Constant", [], ["size"], value_ints=[10**12]),
                helper.make_node("ConstantOfShape", ["size"], ["embeddings"]),
            ],
            [],
        ),
    ],
)
def test_a_model_that_asks_for_more_memory_than_there_is_is_never_opened(
    tmp_path: Path, nodes, constants, monkeypatch: pytest.MonkeyPatch
) -> None:
    from abxfast.encoders import session

    monkeypatch.setattr(session, "open_session", lambda *_: pytest.fail("was opened"))
    path = write_graph(tmp_path / "huge.onnx", nodes, constants, info=INFO)
    message = reason(path)
    assert "4,000.0 GB of memory" in message


def test_operators_of_other_libraries_are_not_loaded(tmp_path: Path) -> None:
    node = helper.make_node("Harmless", ["input_values"], ["embeddings"], domain="com.stranger")
    path = write_graph(tmp_path / "custom.onnx", [node], [], info=INFO)
    assert "cannot be opened" in reason(path)


@pytest.mark.parametrize("old", [b"input_values", b"embeddings", b"abxfast.name", b"abxfast.licence", b"rise", b"tiny"])
def test_names_and_metadata_that_are_not_utf8_are_refused_in_one_line(tmp_path: Path, old: bytes) -> None:
    path = write_encoder(tmp_path / "bytes.onnx")
    path.write_bytes(path.read_bytes().replace(old, b"\xff" * len(old)))
    opened_or_refused(path)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_damaged_encoder_is_opened_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("damaged") / "damaged.onnx"
    raw = bytearray(write_encoder(path).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        if data.draw(st.booleans()):
            raw[at] = data.draw(st.integers(0, 255))
        else:
            del raw[at : at + data.draw(st.integers(1, 30))]
    path.write_bytes(raw)
    opened_or_refused(path)


@pytest.mark.parametrize("content", [b"", b"\x3a", b"\xff" * 99, b"\x3a\xff\xff\xff\xff\x0f", b"\x3a\x02\x2a\x80"])
def test_what_is_no_protocol_buffer_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "no.onnx"
    path.write_bytes(content)
    assert "cannot be opened as an ONNX model" in reason(path)


def test_graphs_inside_of_many_others_are_refused(tmp_path: Path) -> None:
    graph = helper.make_graph([], "g", [], [])
    for _ in range(20):
        node = helper.make_node("Loop", [], [])
        node.attribute.append(helper.make_attribute("body", graph))
        graph = helper.make_graph([node], "g", [], [])
    path = tmp_path / "deep.onnx"
    save(helper.make_model(graph), path)
    assert "inside of more than" in reason(path)


def test_the_files_of_an_encoder_are_only_read(tmp_path: Path) -> None:
    path = external_encoder(tmp_path)
    before = {file: file.stat().st_mtime_ns for file in tmp_path.iterdir()}
    Encoder(path, "cpu")
    assert before == {file: file.stat().st_mtime_ns for file in tmp_path.iterdir()}
