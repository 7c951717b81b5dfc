"""The parity report as a table."""

from abxfast.encoders import PARITY_COLUMNS, format_parity, format_parity_value

ROW = {
    "variant": "layer21.max",
    "snippet_s": 10.0,
    "difference": 0.012345,
    "angle": 1e-5,
    "drift": 0.004,
    "drift95": 0.0061,
    "abx": 0,
}


def test_columns_are_aligned():
    rows = [ROW, ROW | {"variant": "layer9.mean", "snippet_s": 1.5}]
    title, *table = format_parity({"against": "PyTorch", "audio": "tales", "rows": rows}).splitlines()
    assert title == "parity with PyTorch, on tales:"
    assert len({len(line) for line in table}) == 1
    assert all(heading in table[0] for heading in PARITY_COLUMNS.values())
    assert table[1].split() == ["layer21.max", "10", "s", "0.012", "1e-05", "0.004", "0.0061", "0"]
    assert table[2].split()[:3] == ["layer9.mean", "1.5", "s"]


def test_a_report_without_rows_is_empty():
    for parity in ({}, {"rows": []}, {"rows": "none"}):
        assert format_parity(parity) == ""


def test_values_have_two_digits():
    assert format_parity_value("drift", 0.0123) == "0.012"
    assert format_parity_value("snippet_s", 20) == "20 s"
    assert format_parity_value("variant", "layer1.max") == "layer1.max"
