"""Tables and folders as linguists have them: read, or refused in one line that names file and line."""

import csv
import io
import os
import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abxfast.errors import ManifestError
from abxfast.manifest import Item, load_manifest, read_manifest, scan_recordings
from abxfast.manifest import table as manifest

NA = "ŋa˥˩ 錄音 ʈʂʰɻ̩˧˥"  # IPA, tone letters, Chinese, a combining mark


@pytest.fixture
def folder(tmp_path):
    for name in ("a.wav", "b.wav", "c.wav", "sub/d.wav"):
        audio(tmp_path / name)
    return tmp_path


def audio(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"RIFF")
    return path


def table(folder, content, name="t.csv"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refusal(action, *arguments, **options):
    with pytest.raises(ManifestError) as caught:
        action(*arguments, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert "\r" not in message
    return message


def refused(folder, content, name="t.csv"):
    """Give where and why a table is refused: its line, and the words."""
    path = table(folder, content, name)
    message = refusal(read_manifest, path)
    where = re.match(re.escape(str(path)) + r"(?: line (\d+))?: ", message)
    assert where, message
    return int(where[1]) if where[1] else None, message[where.end() :]


def rows(found):
    return [(item.path.name, *item.labels.values()) for item in found.items]


# Tables


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
@pytest.mark.parametrize("last", [True, False])
def test_every_way_to_save_a_table_is_the_same_table(folder, separator, newline, encoding, last):
    lines = [["path", "place", "note"], ["a.wav", NA, "x"], ["b.wav", "", " y "], ["c.wav", "1", ""]]
    text = newline.join(separator.join(line) for line in lines) + newline * last
    raw = text.encode(encoding)
    found = read_manifest(table(folder, b"\xfe\xff" + raw if encoding == "utf-16-be" else raw))
    assert found.columns == ("place", "note")
    assert found.items == (
        Item("a.wav", "a.wav", folder / "a.wav", None, None, {"place": NA, "note": "x"}, f"{folder / 't.csv'} line 2"),
        Item(
            "b.wav", "b.wav", folder / "b.wav", None, None, {"place": None, "note": "y"}, f"{folder / 't.csv'} line 3"
        ),
        Item(
            "c.wav", "c.wav", folder / "c.wav", None, None, {"place": "1", "note": None}, f"{folder / 't.csv'} line 4"
        ),
    )


cells = st.text(st.sampled_from("ab ,;\t\"'\n\r\u2028\x0b\x85˥é錄"), max_size=8)


@settings(max_examples=150, deadline=None)
@given(
    notes=st.lists(cells, min_size=1, max_size=6),
    header=cells.filter(str.strip),
    separator=st.sampled_from((",", ";", "\t")),
    newline=st.sampled_from(("\n", "\r\n", "\r")),
    blank=st.integers(0, 2),
)
def test_what_the_csv_module_writes_is_read_with_its_lines(tmp_path_factory, notes, header, separator, newline, blank):
    file = io.StringIO(newline="")
    # Left to itself, the writer leaves a lone CR unquoted.
    quoting = csv.QUOTE_ALL if any(set("\r\n") & set(cell) for cell in (header, *notes)) else csv.QUOTE_MINIMAL
    writer = csv.writer(file, delimiter=separator, lineterminator=newline, quoting=quoting)
    file.write(newline * blank)
    writer.writerow(["path", header, "item"])
    lines = []
    for number, note in enumerate(notes):
        # Lines as the csv module counts them; another way to count them than the one of the code.
        lines.append(len(re.findall(r"\r\n|\r|\n", file.getvalue())) + 1)
        writer.writerow(["zz.wav", note, f"i{number}"])
    path = table(tmp_path_factory.getbasetemp(), file.getvalue())
    found = read_manifest(path, need_audio=False)
    assert found.columns == (" ".join(unicodedata.normalize("NFC", header).split()),)
    assert [list(item.labels.values()) for item in found.items] == [[note.strip() or None] for note in notes]
    assert [item.origin for item in found.items] == [f"{path} line {line}" for line in lines]


def test_a_cell_over_several_lines_does_not_shift_the_lines_after_it(folder):
    line, message = refused(folder, 'path,x\n"a.wav","one\ntwo\nthree"\nb.wav,4\nb.wav,5\n')
    assert line == 6
    assert message.startswith(f"'b.wav' stands already in {folder / 't.csv'} line 5; take one of them out")
    assert refused(folder, '"path","of\nwhich"\r\na.wav,1\r\n,2\r\n')[0] == 4


@pytest.mark.parametrize("separator", [";", "\t"])
def test_decimal_commas(folder, separator):
    lines = ("path start_s end_s x", "a.wav 0,5 1,25 2,5", "a.wav 1.5 10 1", "a.wav 1e1 1,1e1 1")
    found = read_manifest(table(folder, "\n".join(line.replace(" ", separator) for line in lines)))
    assert [(item.start_s, item.end_s) for item in found.items] == [(0.5, 1.25), (1.5, 10.0), (10.0, 11.0)]
    assert found.items[0].labels == {"x": "2,5"}, "labels are left as they are"


def test_a_decimal_comma_in_a_table_of_commas_is_refused(folder):
    assert refused(folder, 'path,start_s\na.wav,"0,5"\n') == (
        2,
        "start_s is '0,5', expected seconds such as 12.5",
    )


def test_stretches(folder):
    found = read_manifest(table(folder, "path,start_s,end_s\na.wav,0.25,1.5\na.wav,2,\na.wav,,3\nb.wav,,\n"))
    assert [(item.item, item.recording, item.start_s, item.end_s) for item in found.items] == [
        ("a.wav#0.25-1.5", "a.wav", 0.25, 1.5),
        ("a.wav#2.0-", "a.wav", 2.0, None),
        ("a.wav#0.0-3.0", "a.wav", 0.0, 3.0),
        ("b.wav", "b.wav", None, None),
    ]
    assert found.columns == ()


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        ("1", "1", "end_s 1.0 is not after start_s 1.0"),
        ("1.00000001", "1", "end_s 1.0 is not after start_s 1.00000001"),
        ("", "0", "end_s 0.0 is not after start_s 0.0"),
        ("-1", "1", "start_s is '-1', expected seconds such as 12.5"),
        ("nan", "1", "start_s is 'nan'"),
        ("0", "inf", "end_s is 'inf'"),
        ("0", "1:30", "end_s is '1:30'"),
        ("0", "two", "end_s is 'two'"),
    ],
)
def test_no_stretch(folder, start, end, words):
    line, message = refused(folder, f"path,start_s,end_s\na.wav,0,1\na.wav,{start},{end}\n")
    assert line == 3
    assert words in message


def test_item_and_recording_name_rows(folder):
    found = read_manifest(table(folder, "item,path,recording\none,a.wav,Na 1\ntwo,b.wav,\n,c.wav,Na 1c\n"))
    assert [(item.item, item.recording) for item in found.items] == [
        ("one", "Na 1"),
        ("two", "b.wav"),
        ("c.wav", "Na 1c"),
    ]
    assert found.columns == ()


@pytest.mark.parametrize(
    "lines",
    [
        "path\na.wav\nb.wav\na.wav",
        "path\na.wav\nb.wav\n./a.wav",
        "path\nsub/d.wav\nb.wav\nsub\\d.wav",
        "path\nsub/d.wav\nb.wav\nsub//d.wav",
        "path,start_s,end_s\na.wav,1,2\na.wav,2,3\na.wav,1.0,2.00",
        "path,item\na.wav,x\nb.wav,y\nc.wav,x",
        "path,item\na.wav,\nb.wav,y\nc.wav,a.wav",
    ],
)
def test_a_row_that_stands_there_twice_is_refused_with_both_lines(folder, lines):
    line, message = refused(folder, lines)
    assert line == 4
    assert f"stands already in {folder / 't.csv'} line 2;" in message


def test_a_recording_is_one_file(folder):
    assert refused(folder, "path,recording\na.wav,r\nb.wav,q\nc.wav,r\n") == (
        4,
        f"recording 'r' is another file in {folder / 't.csv'} line 2; give each file a name of its own",
    )
    assert refused(folder, "path,recording\na.wav,b.wav\nb.wav,\n")[0] == 3


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        ("", None, "is empty, expected a header with a column 'path'"),
        ("\ufeff", None, "is empty"),
        (" \n\r\n \n", None, "is empty"),
        ("path,x\n", None, "has a header but no rows"),
        ("path\n\n , \n", None, "has a header but no rows"),
        ("file,x\na.wav,1\n", 1, "no column 'path' in the header, check name and quotes; found: file,x"),
        ("\n\nfile\na.wav\n", 3, "no column 'path'"),
        ('path,"x\na.wav,1\n', 1, "no column 'path'"),
        ("path,x,x\na.wav,1,2\n", 1, "two columns are called 'x'"),
        ("path,path\na.wav,1\n", 1, "two columns are called 'path'"),
        ('path,x y,"x\ny"\na.wav,1,2\n', 1, "two columns are called 'x y'"),
        ("path,,x\na.wav,1,2\n", 1, "column 2 has no name"),
        ("\npath,x,\na.wav,1,\n", 2, "column 3 has no name"),
        ("path,snippet_s\na.wav,1\n", 1, "'snippet_s' is a column of abxfast's own"),
        ("path,x\na.wav,1\nb.wav\n", 3, "has 1 cells, the header 2"),
        ("path,x\na.wav,1,2\n", 2, "has 3 cells, the header 2; quote cells that hold ','"),
        ("path;x\na.wav;1;2\n", 2, "quote cells that hold ';'"),
        ("path,x\na.wav,1\n ,2\n", 3, "the cell 'path' is empty"),
        ("path\nnowhere.wav\n", 2, "no such file: 'nowhere.wav' (looked in "),
        ('path\n"two\nlines.wav"\n', 2, r"no such file: 'two\nlines.wav'"),
        ("path\n" + "y" * 5_000 + ".wav\n", 2, "no such file"),
        ("path\nsub\n", 2, "no such file: 'sub'"),
        ("path\na.wav/b.wav\n", 2, "no such file"),
        ('path,x\na.wav,1\nb.wav,"2\nc.wav,3\n', 3, "unexpected end of data; check the quotes"),
        ('path,x\na.wav,"1"2\n', 2, "check the quotes"),
        ("path,x\na.wav," + "y" * 200_000 + "\n", 2, "field larger than field limit"),
        ("path,x\na.wav,1\nb.wav,\0\n", 3, "holds a NUL character"),
        ("path,x\ra.wav,1\rb.wav,\0\r", 3, "holds a NUL character"),
        ("path,x\na.wav,1\n".encode("utf-16-le"), 1, "save it as CSV UTF-8"),
        ("path,x\na.wav,é\n".encode("latin-1"), 2, "byte 0xe9 is not UTF-8; save the table as UTF-8"),
        ("path,x\r\na.wav,1\r\nb.wav,é\r\n".encode("latin-1"), 3, "byte 0xe9 is not UTF-8"),
        ("path,x\ra.wav,1\rb.wav,é\r".encode("latin-1"), 3, "byte 0xe9 is not UTF-8"),
        (b"\xff\xfe" + "path\nĊ\n".encode("utf-16-le") + b"\x00\xd8\x00\x00", 3, "byte 0x00 is not UTF-16"),
    ],
)
def test_a_table_that_cannot_be_used(folder, content, line, words):
    where, message = refused(folder, content)
    assert words in message
    assert where == line


def test_a_table_that_is_not_there_or_is_a_folder(tmp_path):
    assert refusal(load_manifest, tmp_path / "t.csv") == f"{tmp_path / 't.csv'}: no such file"
    (tmp_path / "t.csv").mkdir()
    assert refusal(load_manifest, tmp_path / "t.csv").startswith(f"{tmp_path / 't.csv'}: cannot be read (")


def test_audio_need_not_be_there_to_score(folder):
    found = read_manifest(table(folder, "path,x\nsub\\gone.wav,1\n"), need_audio=False)
    assert found.items[0].item == "sub/gone.wav"
    assert found.items[0].path == folder / "sub/gone.wav"


# Paths


@pytest.mark.parametrize("written", ["sub/d.wav", "sub\\d.wav", "./sub/d.wav", ".\\sub\\d.wav", "sub//d.wav"])
def test_any_slash_will_do(folder, written):
    (item,) = read_manifest(table(folder, f"path\n{written}\n")).items
    assert (item.item, item.recording) == ("sub/d.wav", "sub/d.wav")
    assert item.path.samefile(folder / "sub" / "d.wav")


def test_paths_are_relative_to_the_table_or_absolute(folder, monkeypatch):
    monkeypatch.chdir(folder)
    table(folder / "sub", f"path\n../a.wav\n{folder / 'b.wav'}\nd.wav\n")
    found = read_manifest(Path("sub") / "t.csv")
    assert all(item.path.is_file() for item in found.items)
    assert [item.path.name for item in found.items] == ["a.wav", "b.wav", "d.wav"]


@pytest.mark.parametrize("on_disk", ["NFC", "NFD"])
@pytest.mark.parametrize("in_table", ["NFC", "NFD"])
def test_accents_spelled_in_either_unicode_form(tmp_path, on_disk, in_table):
    name = "Mường/tiếng é ɛ̃ Å.wav"
    audio(tmp_path / unicodedata.normalize(on_disk, name))
    (item,) = read_manifest(table(tmp_path, f"path,lieu\n{unicodedata.normalize(in_table, name)},é\n")).items
    assert item.path.is_file()
    assert item.item == unicodedata.normalize("NFC", name)
    assert item.item == scan_recordings([tmp_path]).items[0].item


def test_names_in_any_script(tmp_path):
    audio(tmp_path / f"{NA}.wav")
    (item,) = read_manifest(table(tmp_path, f"path,{NA}\n{NA}.wav,{NA}\n")).items
    assert item.path.is_file()
    name = unicodedata.normalize("NFC", NA)
    assert (item.item, item.labels) == (f"{name}.wav", {name: name})


# Folders


def test_a_folder_is_its_audio_in_order(tmp_path):
    for name in ("b.WAV", "a 2.flac", f"sub/{NA}.mp3", "sub/deeper/c.ogg", "z.M4A", "sub/v.mp4"):
        audio(tmp_path / name)
    for name in ("._b.wav", "sub/._x.wav", ".hidden/x.wav", "notes.txt", "wav", "x.wav.txt", ".wav"):
        audio(tmp_path / name)
    (tmp_path / "folder.wav").mkdir()
    found = scan_recordings([tmp_path])
    assert [item.item for item in found.items] == [
        "a 2.flac",
        "b.WAV",
        "z.M4A",
        "sub/v.mp4",
        unicodedata.normalize("NFC", f"sub/{NA}.mp3"),
        "sub/deeper/c.ogg",
    ]
    assert all(item.recording == item.item and item.path.is_file() for item in found.items)
    assert all((item.start_s, item.end_s, item.labels) == (None, None, {}) for item in found.items)
    assert found == load_manifest(tmp_path) == load_manifest(str(tmp_path)) == load_manifest([tmp_path])


def test_files_and_folders_together(folder):
    found = load_manifest([folder / "sub", str(folder / "b.wav")])
    assert [item.item for item in found.items] == ["d.wav", "b.wav"]
    assert [item.item for item in load_manifest([folder / "b.wav", folder / "b.wav"]).items] == ["b.wav"]
    assert len(load_manifest([folder, folder / "a.wav", folder / "sub" / ".." / "b.wav"]).items) == 4


def test_one_name_for_two_recordings_is_refused(tmp_path):
    first, second = audio(tmp_path / "x" / "a.wav"), audio(tmp_path / "y" / "a.wav")
    message = refusal(load_manifest, [first.parent, second.parent])
    assert message == (
        f"{second}: would be called 'a.wav', as {first} is; give the folder that holds both, or a manifest"
    )


def test_one_recording_under_two_names_is_refused(folder, monkeypatch):
    message = refusal(load_manifest, [folder, folder / "sub"])
    assert message == f"{folder / 'sub' / 'd.wav'}: is there as 'sub/d.wav' and as 'd.wav'; give its folder once"
    monkeypatch.chdir(folder)
    assert len(load_manifest([Path(), folder, "sub/../a.wav"]).items) == 4


def test_nothing_to_find(tmp_path):
    audio(tmp_path / "notes.txt")
    assert refusal(load_manifest, tmp_path).startswith(f"{tmp_path}: no audio in this folder")
    assert refusal(load_manifest, tmp_path / "gone") == f"{tmp_path / 'gone'}: no such file or folder"
    assert refusal(load_manifest, [audio(tmp_path / "a.wav"), tmp_path / "b.wav"]).startswith(
        f"{tmp_path / 'b.wav'}: no such"
    )
    assert refusal(load_manifest, []) == "no folder and no audio file given"


def test_a_manifest_goes_alone(folder):
    message = refusal(load_manifest, [folder, table(folder, "path\na.wav\n", "list.TSV")])
    assert message == f"{folder / 'list.TSV'}: a manifest goes alone, found 1 other path(s) beside it"
    assert len(load_manifest([folder / "list.TSV"]).items) == 1


def test_a_folder_that_may_not_be_read_is_not_passed_over(folder, monkeypatch):
    listed = os.scandir

    def locked(path):
        if Path(path).name == "sub":
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(manifest.os, "scandir", locked)
    assert refusal(scan_recordings, [folder]).startswith(f"{folder / 'sub'}: cannot be read (Permission denied)")
