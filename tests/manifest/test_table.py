"""Tables as linguists have them: read, or refused in one line that names file and line."""

import csv
import io
import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from manifest_files import IN_SCRIPTS, audio, refusal, table

from abxfast.manifest import Item, read_manifest, scan_recordings


@pytest.fixture
def folder(tmp_path):
    for name in ("a.wav", "b.wav", "c.wav", "sub/d.wav"):
        audio(tmp_path / name)
    return tmp_path


def refused(folder, content, name="t.csv"):
    """Return the line at which a table is refused, ``None`` if it is the whole table, and the rest of the message."""
    path = table(folder, content, name)
    message = refusal(read_manifest, path)
    prefix = re.match(re.escape(str(path)) + r"(?: line (\d+))?: ", message)
    assert prefix, message
    return int(prefix[1]) if prefix[1] else None, message[prefix.end() :]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
@pytest.mark.parametrize("last", [True, False])
def test_encodings_separators_and_line_ends_make_no_difference(folder, separator, newline, encoding, last):
    lines = [["path", "place", "note"], ["a.wav", IN_SCRIPTS, "x"], ["b.wav", "", " y "], ["c.wav", "1", ""]]
    text = newline.join(separator.join(line) for line in lines) + newline * last
    raw = text.encode(encoding)
    manifest = read_manifest(table(folder, b"\xfe\xff" + raw if encoding == "utf-16-be" else raw))
    assert manifest.columns == ("place", "note")
    labels = [{"place": IN_SCRIPTS, "note": "x"}, {"place": None, "note": "y"}, {"place": "1", "note": None}]
    assert manifest.items == tuple(
        Item(name, name, folder / name, None, None, row_labels, f"{folder / 't.csv'} line {line}")
        for line, name, row_labels in zip((2, 3, 4), ("a.wav", "b.wav", "c.wav"), labels, strict=True)
    )


# Without ', which at the start of a cell may mark a text that is no formula.
cells = st.text(st.sampled_from('ab ,;\t"`\n\r\u2028\x0b\x85˥é錄'), max_size=8)


@settings(max_examples=150, deadline=None)
@given(
    notes=st.lists(cells, min_size=1, max_size=6),
    header=cells.filter(str.strip),
    separator=st.sampled_from((",", ";", "\t")),
    newline=st.sampled_from(("\n", "\r\n", "\r")),
    blank=st.integers(0, 2),
)
def test_tables_written_by_csv_are_read_with_their_lines(tmp_path_factory, notes, header, separator, newline, blank):
    file = io.StringIO(newline="")
    # By default, the writer does not quote a lone CR.
    quoting = csv.QUOTE_ALL if any(set("\r\n") & set(cell) for cell in (header, *notes)) else csv.QUOTE_MINIMAL
    writer = csv.writer(file, delimiter=separator, lineterminator=newline, quoting=quoting)
    file.write(newline * blank)
    writer.writerow(["path", header, "item"])
    lines = []
    for number, note in enumerate(notes):
        # Lines as the csv module counts them, counted in another way than the code does.
        lines.append(len(re.findall(r"\r\n|\r|\n", file.getvalue())) + 1)
        writer.writerow(["zz.wav", note, f"i{number}"])
    path = table(tmp_path_factory.getbasetemp(), file.getvalue())
    manifest = read_manifest(path, need_audio=False)
    assert manifest.columns == (" ".join(unicodedata.normalize("NFC", header).split()),)
    # An apostrophe marks a text that a spreadsheet would take for a formula, such as one that begins with a tab.
    texts = [re.sub("^'(?='*[\t\n\r])", "", note.strip()) for note in notes]
    assert [list(item.labels.values()) for item in manifest.items] == [[text or None] for text in texts]
    assert [item.origin for item in manifest.items] == [f"{path} line {line}" for line in lines]


def test_a_cell_that_spans_lines_does_not_shift_the_following_ones(folder):
    line, message = refused(folder, 'path,x\n"a.wav","one\ntwo\nthree"\nb.wav,4\nb.wav,5\n')
    assert line == 6
    assert message.startswith(f"'b.wav' is already in {folder / 't.csv'} line 5; remove one of the rows")
    assert refused(folder, '"path","of\nwhich"\r\na.wav,1\r\n,2\r\n')[0] == 4


@pytest.mark.parametrize("separator", [";", "\t"])
def test_decimal_commas(folder, separator):
    lines = ("path start_s end_s x", "a.wav 0,5 1,25 2,5", "a.wav 1.5 10 1", "a.wav 1e1 1,1e1 1")
    manifest = read_manifest(table(folder, "\n".join(line.replace(" ", separator) for line in lines)))
    assert [(item.start_s, item.end_s) for item in manifest.items] == [(0.5, 1.25), (1.5, 10.0), (10.0, 11.0)]
    assert manifest.items[0].labels == {"x": "2,5"}, "labels are left as they are"


def test_a_decimal_comma_in_a_table_of_commas_is_refused(folder):
    assert refused(folder, 'path,start_s\na.wav,"0,5"\n') == (
        2,
        "start_s is '0,5', expected seconds such as 12.5",
    )


def test_stretches_are_named_by_their_times(folder):
    manifest = read_manifest(table(folder, "path,start_s,end_s\na.wav,0.25,1.5\na.wav,2,\na.wav,,3\nb.wav,,\n"))
    assert [(item.item, item.recording, item.start_s, item.end_s) for item in manifest.items] == [
        ("a.wav#0.25-1.5", "a.wav", 0.25, 1.5),
        ("a.wav#2.0-", "a.wav", 2.0, None),
        ("a.wav#0.0-3.0", "a.wav", 0.0, 3.0),
        ("b.wav", "b.wav", None, None),
    ]
    assert manifest.columns == ()


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
def test_a_stretch_that_makes_no_sense_is_refused(folder, start, end, words):
    line, message = refused(folder, f"path,start_s,end_s\na.wav,0,1\na.wav,{start},{end}\n")
    assert line == 3
    assert words in message


def test_the_columns_item_and_recording_name_rows(folder):
    manifest = read_manifest(table(folder, "item,path,recording\none,a.wav,Na 1\ntwo,b.wav,\n,c.wav,Na 1c\n"))
    assert [(item.item, item.recording) for item in manifest.items] == [
        ("one", "Na 1"),
        ("two", "b.wav"),
        ("c.wav", "Na 1c"),
    ]
    assert manifest.columns == ()


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
def test_a_duplicate_row_is_refused_with_both_lines(folder, lines):
    line, message = refused(folder, lines)
    assert line == 4
    assert f"is already in {folder / 't.csv'} line 2;" in message


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
        ("file,x\na.wav,1\n", 1, "found the header 'file,x', expected a column 'path'; check its name and the quotes"),
        ("\n\nfile\na.wav\n", 3, "expected a column 'path'; check"),
        ('path,"x\na.wav,1\n', 1, "expected a column 'path'; check"),
        ("path,x,x\na.wav,1,2\n", 1, "two columns are named 'x'"),
        ("path,path\na.wav,1\n", 1, "two columns are named 'path'"),
        ('path,x y,"x\ny"\na.wav,1,2\n', 1, "two columns are named 'x y'"),
        ("path,,x\na.wav,1,2\n", 1, "column 2 has no name"),
        ("\npath,x,\na.wav,1,\n", 2, "column 3 has no name"),
        ("path,snippet_s\na.wav,1\n", 1, "the name 'snippet_s' is reserved for abxfast; rename the column"),
        ("path,x\na.wav,1\nb.wav\n", 3, "has 1 cells, the header 2"),
        ("path,x\na.wav,1,2\n", 2, "has 3 cells, the header 2; quote cells that contain ','"),
        ("path;x\na.wav;1;2\n", 2, "quote cells that contain ';'"),
        ("path,x\na.wav,1\n ,2\n", 3, "the cell 'path' is empty"),
        ("path\nnowhere.wav\n", 2, "no such file: 'nowhere.wav' (looked in "),
        ('path\n"two\nlines.wav"\n', 2, r"no such file: 'two\nlines.wav'"),
        ("path\n" + "y" * 5_000 + ".wav\n", 2, "no such file"),
        ("path\nsub\n", 2, "no such file: 'sub'"),
        ("path\na.wav/b.wav\n", 2, "no such file"),
        ('path,x\na.wav,1\nb.wav,"2\nc.wav,3\n', 3, "unexpected end of data; check the quotes"),
        ('path,x\na.wav,"1"2\n', 2, "check the quotes"),
        ("path,x\na.wav," + "y" * 200_000 + "\n", 2, "field larger than field limit"),
        ("path,x\na.wav,1\nb.wav,\0\n", 3, "contains a NUL character"),
        ("path,x\ra.wav,1\rb.wav,\0\r", 3, "contains a NUL character"),
        ("path,x\na.wav,1\n".encode("utf-16-le"), 1, "save it as CSV UTF-8"),
        ("path,x\na.wav,é\n".encode("latin-1"), 2, "byte 0xe9 is not UTF-8; save the table as UTF-8"),
        ("path,x\r\na.wav,1\r\nb.wav,é\r\n".encode("latin-1"), 3, "byte 0xe9 is not UTF-8"),
        ("path,x\ra.wav,1\rb.wav,é\r".encode("latin-1"), 3, "byte 0xe9 is not UTF-8"),
        (b"\xff\xfe" + "path\nĊ\n".encode("utf-16-le") + b"\x00\xd8\x00\x00", 3, "byte 0x00 is not UTF-16"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_with_its_line(folder, content, line, words):
    actual_line, message = refused(folder, content)
    assert words in message
    assert actual_line == line


def test_audio_need_not_exist_for_scoring(folder):
    manifest = read_manifest(table(folder, "path,x\nsub\\gone.wav,1\n"), need_audio=False)
    assert manifest.items[0].item == "sub/gone.wav"
    assert manifest.items[0].path == folder / "sub/gone.wav"


# Paths


@pytest.mark.parametrize("written", ["sub/d.wav", "sub\\d.wav", "./sub/d.wav", ".\\sub\\d.wav", "sub//d.wav"])
def test_slashes_and_backslashes_are_accepted(folder, written):
    (item,) = read_manifest(table(folder, f"path\n{written}\n")).items
    assert (item.item, item.recording) == ("sub/d.wav", "sub/d.wav")
    assert item.path.samefile(folder / "sub" / "d.wav")


def test_paths_are_relative_to_the_table_or_absolute(folder, monkeypatch):
    monkeypatch.chdir(folder)
    table(folder / "sub", f"path\n../a.wav\n{folder / 'b.wav'}\nd.wav\n")
    manifest = read_manifest(Path("sub") / "t.csv")
    assert all(item.path.is_file() for item in manifest.items)
    assert [item.path.name for item in manifest.items] == ["a.wav", "b.wav", "d.wav"]


@pytest.mark.parametrize("on_disk", ["NFC", "NFD"])
@pytest.mark.parametrize("in_table", ["NFC", "NFD"])
def test_accents_in_either_unicode_form_name_the_same_file(tmp_path, on_disk, in_table):
    name = "Mường/tiếng é ɛ̃ Å.wav"
    audio(tmp_path / unicodedata.normalize(on_disk, name))
    (item,) = read_manifest(table(tmp_path, f"path,lieu\n{unicodedata.normalize(in_table, name)},é\n")).items
    assert item.path.is_file()
    assert item.item == unicodedata.normalize("NFC", name)
    assert item.item == scan_recordings([tmp_path]).items[0].item


def test_names_in_any_script_are_read(tmp_path):
    audio(tmp_path / f"{IN_SCRIPTS}.wav")
    (item,) = read_manifest(table(tmp_path, f"path,{IN_SCRIPTS}\n{IN_SCRIPTS}.wav,{IN_SCRIPTS}\n")).items
    assert item.path.is_file()
    name = unicodedata.normalize("NFC", IN_SCRIPTS)
    assert (item.item, item.labels) == (f"{name}.wav", {name: name})


def test_a_label_from_a_table_that_escaped_it_is_the_label(folder):
    path = table(folder, "path,item,x,y\na.wav,'-a,'-ta,'ʔa\nb.wav,b,''=1,-0.5\n")
    first, second = read_manifest(path).items
    assert (first.item, first.labels, second.labels) == ("-a", {"x": "-ta", "y": "'ʔa"}, {"x": "'=1", "y": "-0.5"})
