"""Typed access to a TOML table: errors of library functions become errors of the file."""

import pytest

from abxfast.errors import StudyError, TaskError
from abxfast.study.toml_lines import Document
from abxfast.study.toml_table import Table, to_study_keys


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("`remainder`: found 'half', expected drop or keep", "remainder: found 'half', expected drop or keep"),
        ("`hop_s`: found 0, expected seconds above 0", "hop: found 0, expected seconds above 0"),
        ("choose another `channel`", "choose another channel"),
        (
            "choose a shorter length in `snippets`, or pass `remainder='keep'`",
            'choose a shorter length in snippets, or pass remainder = "keep"',
        ),
        ("pass `hop_s=0.5`", "pass hop = 0.5"),
        ("no file `encoder`", "no file encoders"),
        ("`min_gap_s` and `max_x_across`", "min_gap_s and max_x_across"),
        ("`abxfast.embed` and `store` are no keys", "`abxfast.embed` and `store` are no keys"),
        ("`channels`: no key either", "`channels`: no key either"),
    ],
)
def test_parameters_become_keys(message, expected):
    assert to_study_keys(message) == expected


def test_an_error_gets_file_line_and_keys(tmp_path):
    path = tmp_path / "study.toml"
    table = Table(Document(path, "", {}, {("study",): 1, ("study", "hop"): 3}), ("study",), {})

    def fail():
        raise TaskError("`hop_s`: found -1, expected seconds above 0")

    with pytest.raises(StudyError) as caught:
        table.translate("hop", fail)
    assert str(caught.value) == f"{path} line 3: hop: found -1, expected seconds above 0"
    assert isinstance(caught.value.__cause__, TaskError)
    assert table.translate("hop", lambda: 5) == 5


def test_an_error_that_has_its_line_already_is_left_alone(tmp_path):
    table = Table(Document(tmp_path / "study.toml", "", {}, {("study",): 1}), ("study",), {})
    error = StudyError("line 7: `on`: …")

    def fail():
        raise error

    with pytest.raises(StudyError) as caught:
        table.translate("on", fail)
    assert caught.value is error
