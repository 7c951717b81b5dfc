"""CSV text: nothing in it is a formula to a spreadsheet, and everything can be read back."""

import csv
import io

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from abxfast._files import escape_formula, format_csv, unescape_formula

STARTERS = "=+-@\t\r\n＝＋－＠"
"""As OWASP lists them under "CSV injection"."""


def is_number(text):
    try:
        float(text.replace(",", ".", 1))
    except ValueError:
        return False
    return True


@given(st.text(alphabet=st.sampled_from([*STARTERS, "'", "1", ".", "e", "a", " ", "ŋ"]), max_size=8))
@example("-ta")
@example("'-ta")
@example("''=1+1")
@example("'ʔa")
@example("-0.5")
@example("+")
def test_no_text_is_a_formula_and_every_text_comes_back(text):
    escaped = escape_formula(text)
    assert not escaped or escaped[0] not in STARTERS or is_number(escaped)
    assert unescape_formula(escaped) == text
    assert escaped in (text, f"'{text}")


@pytest.mark.parametrize("text", ["", "a", "ŋ-a", "'ʔa", "a=b", "-0.5", "+12", "-1e-5", "1-2", "-0,5", " -x"])
def test_harmless_texts_stay_as_they_are(text):
    assert escape_formula(text) == text == unescape_formula(text)


@pytest.mark.parametrize("text", ["-ta", "=1+1", "@SUM(A1)", "+voice", "-", "-1+2", "=HYPERLINK(1)", "－ta", "-0.5x"])
def test_formulas_get_an_apostrophe(text):
    assert escape_formula(text) == f"'{text}"


@pytest.mark.parametrize("separator", [",", "\t"])
def test_texts_and_headers_are_escaped_and_numbers_are_not(separator):
    table = pa.table({"=x": ["-ta", None, "a\t=b"], "n": [-0.5, 1.0, None], "i": [-3, 0, 4], "ok": [True, False, None]})
    rows = list(csv.reader(io.StringIO(format_csv(table, separator)), delimiter=separator))
    assert rows == [
        ["'=x", "n", "i", "ok"],
        ["'-ta", "-0.5", "-3", "True"],
        ["", "1.0", "0", "False"],
        ["a\t=b", "", "4", ""],
    ]


def test_excel_gets_a_byte_order_mark():
    table = pa.table({"x": ["ŋ"]})
    assert format_csv(table, excel=True).encode() == b"\xef\xbb\xbf" + format_csv(table).encode()
