"""Files that are no audio are named for what they are, whatever their suffix says."""

import pytest
from audio_files import refusal
from spreadsheet_files import write_ods, write_xlsx

TEXTGRID = 'File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0\n'
EAF = '<?xml version="1.0" encoding="UTF-8"?>\n<ANNOTATION_DOCUMENT AUTHOR="" DATE="2024">'


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        (
            "a.TextGrid",
            TEXTGRID.encode(),
            "is a Praat TextGrid, which holds annotations, not audio; give the recording",
        ),
        ("a.TextGrid", TEXTGRID.encode("utf-16"), "is a Praat TextGrid"),
        ("a.wav", TEXTGRID.encode("utf-16"), "is a Praat TextGrid"),
        ("a.Pitch", TEXTGRID.replace("TextGrid", "Pitch 1").encode(), "is an object of Praat that holds no sound"),
        ("a.eaf", EAF.encode(), "is an ELAN file, which holds annotations"),
        ("a.wav", EAF.encode(), "is an ELAN file, which holds annotations"),
        ("a.pdf", b"%PDF-1.7", "is a PDF document, not audio; give the recording itself"),
        ("a.mp3", b"%PDF-1.7", "is a PDF document"),
        ("a.docx", b"PK\x03\x04", "is a text document"),
        ("a.m4a", b"PK\x03\x04", "is an archive, not audio; unpack it first"),
        ("a.csv", b"path\n", "is a table, not audio; to list recordings in it, pass it as the manifest, alone"),
        ("a.jpg", b"\xff\xd8\xff\xe0", "is an image"),
        ("a.wav", b"\n<!DOCTYPE html><html>", "is a web page, not audio; download the recording itself"),
        ("a.flac", b"version https://git-lfs.github.com/spec/v1\n", "is a pointer of Git LFS"),
        ("a.onnx", b"\x08\x08", "is an encoder, not audio; pass it as `encoder`"),
        ("a.txt", b"notes", "is a text file"),
    ],
)
def test_it_is_named_for_what_it_is(tmp_path, name, content, expected):
    path = tmp_path / name
    path.write_bytes(content)
    assert refusal(path).startswith(f"{path}: {expected}")


@pytest.mark.parametrize(("name", "write"), [("a.xlsx", write_xlsx), ("a.ods", write_ods)])
def test_a_spreadsheet_is_a_table(tmp_path, name, write):
    assert "is a table, not audio" in refusal(write(tmp_path / name, ("S", [["path"]])))


def test_an_unknown_file_is_refused_as_before(tmp_path):
    path = tmp_path / "a.xyz"
    path.write_bytes(b"these are notes")
    assert "is not audio that can be decoded" in refusal(path)
