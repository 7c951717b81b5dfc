"""Manifests as spreadsheets: the labels that saving as CSV would give, row numbers, and refusals in one line."""

import sys
import unicodedata
from datetime import date, datetime, time, timedelta

import pytest
from manifest_files import IN_SCRIPTS, audio, refusal, table
from spreadsheet_files import write_ods, write_xlsx

from abxfast.errors import MissingPackageError
from abxfast.manifest import load_manifest, read_manifest

WRITERS = {".xlsx": write_xlsx, ".ods": write_ods}


@pytest.fixture(params=WRITERS)
def suffix(request):
    return request.param


@pytest.fixture
def write(tmp_path, suffix):
    audio(tmp_path / "a.wav")
    audio(tmp_path / "b.wav")

    def write_table(*rows, more=()):
        return WRITERS[suffix](tmp_path / f"t{suffix}", ("Recordings", rows), *more)

    return write_table


@pytest.mark.parametrize(
    ("cell", "label"),
    [
        ("F4", "F4"),
        ("  F4 ", "F4"),
        (IN_SCRIPTS, IN_SCRIPTS),
        (unicodedata.normalize("NFD", "é"), "é"),
        ("=1+1", "=1+1"),
        ("007", "007"),
        (12, "12"),
        (12.0, "12"),
        (-3, "-3"),
        (0.1 + 0.2, "0.3"),
        (2.5, "2.5"),
        (123456789012, "123456789012"),
        (1e-7, "1e-07"),
        (True, "TRUE"),
        (False, "FALSE"),
        (date(2024, 3, 1), "2024-03-01"),
        (datetime.fromisoformat("2024-03-01 14:30:05"), "2024-03-01 14:30:05"),
        (time(14, 30), "14:30:00"),
        (timedelta(days=1, seconds=90), "24:01:30"),
        (None, None),
        ("", None),
    ],
)
def test_a_cell_becomes_the_text_that_a_csv_would_have(write, cell, label):
    manifest = read_manifest(write(["path", "x"], ["a.wav", cell], ["b.wav", "other"]))
    found = manifest.items[0].labels["x"]
    assert found == label


def test_it_is_what_the_same_table_is_as_text(write, tmp_path):
    rows = [["path", "item", "start_s", "end_s", "n"], ["a.wav", "one", 0.25, 1.5, 3], ["b.wav", "two", None, 2, 4]]
    text = "\n".join(",".join("" if cell is None else str(cell) for cell in row) for row in rows)
    expected = read_manifest(table(tmp_path, text))
    found = load_manifest(write(*rows))
    assert [item.labels for item in found.items] == [item.labels for item in expected.items]
    assert [(i.item, i.start_s, i.end_s) for i in found.items] == [(i.item, i.start_s, i.end_s) for i in expected.items]
    assert found.columns == expected.columns


def test_rows_are_counted_as_the_spreadsheet_shows_them(write):
    path = write([], ["path", "x"], ["a.wav", 1], [], ["gone.wav", 2])
    assert refusal(read_manifest, path).startswith(f"{path} row 5: no such file: 'gone.wav'")
    path = write(["path", "start_s"], ["a.wav", "later"])
    assert refusal(read_manifest, path) == f"{path} row 2: start_s is 'later', expected seconds such as 12.5"
    path = write(["path", "x", None], ["a.wav", 1, "a remark"])
    assert refusal(read_manifest, path) == f"{path} row 1: column 3 has no name; name it, or remove it"


def test_a_decimal_comma_and_empty_columns_are_understood(write):
    (item,) = read_manifest(write(["path", "start_s", None], ["a.wav", "1,5", None], [None, None, None])).items
    assert item.start_s == 1.5


def test_of_several_sheets_the_first_is_read_and_named(write, caplog):
    caplog.set_level("INFO")
    path = write(["path"], ["a.wav"], more=[("Notes", [["anything"]])])
    assert len(read_manifest(path).items) == 1
    assert caplog.messages == [f"{path}: has 2 sheets, of which the first, 'Recordings', is read"]


def test_a_hidden_sheet_does_not_count(tmp_path):
    audio(tmp_path / "a.wav")
    sheets = (("Lists", [["x"]]), ("Recordings", [["path"], ["a.wav"]]))
    assert len(read_manifest(write_xlsx(tmp_path / "t.xlsx", *sheets, hidden=["Lists"])).items) == 1


def test_an_error_of_a_formula_is_an_empty_cell(tmp_path):
    audio(tmp_path / "a.wav")
    path = write_xlsx(tmp_path / "t.xlsx", ("S", [["path", "x"], ["a.wav", ValueError("#N/A")]]))
    assert read_manifest(path).items[0].labels == {"x": None}


def test_a_sheet_without_the_column_is_refused_with_its_name(write):
    path = write(["file", "speaker"], ["a.wav", "F4"])
    assert refusal(read_manifest, path) == (
        f"{path} row 1: found the header 'file', 'speaker' in sheet 'Recordings', expected a column 'path'; check its "
        "name, and that this sheet is the first"
    )
    assert "sheet 'Recordings' is empty" in refusal(read_manifest, write())
    path = write(["path"])
    assert refusal(read_manifest, path) == f"{path}: has a header but no rows; add one for each recording"


@pytest.mark.parametrize("content", [b"path\na.wav\n", b"PK\x03\x04 cut", b""])
def test_what_is_no_spreadsheet_is_refused(tmp_path, suffix, content):
    path = table(tmp_path, content, f"t{suffix}")
    assert refusal(read_manifest, path).startswith(f"{path}: cannot be read as a spreadsheet (")
    assert refusal(read_manifest, tmp_path / f"gone{suffix}") == f"{tmp_path / f'gone{suffix}'}: no such file"


def test_without_the_package_the_extra_is_named(write, monkeypatch):
    path = write(["path"], ["a.wav"])
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    with pytest.raises(MissingPackageError) as caught:
        read_manifest(path)
    assert str(caught.value) == (
        f"{path}: reading it needs python-calamine, which is not installed: {sys.executable} -m pip install "
        '"abxfast[spreadsheet]"; or save the table as CSV (UTF-8)'
    )


def test_a_table_must_be_a_table(tmp_path):
    path = table(tmp_path, b"%PDF-1.7 \xff", "t.pdf")
    assert refusal(read_manifest, path) == (
        f"{path}: is a PDF document, expected a table of recordings: .csv, .tsv, .xlsx or .ods"
    )
    path = table(tmp_path, b"PK\x03\x04\x00\xff", "t.docx")
    assert "is a text document, expected a table" in refusal(read_manifest, path)
