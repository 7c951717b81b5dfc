"""The tolerances of each precision, and the errors and warnings if they are exceeded."""

from pathlib import Path

import pytest

from abxfast.errors import ExportError
from abxfast.export.parity import ParityRow
from abxfast.export.tolerances import TOLERANCES, check_parity, violations

ROW = ParityRow("layer1.max", 1.0, 0.0, 0.0, 0.0, 0.0, 0.0)
PATH = Path("m.onnx")


@pytest.mark.parametrize(
    ("precision", "key", "limit"),
    [("fp32", "difference", 1e-4), ("fp16", "drift95", 0.005), ("int8", "drift95", 0.03), ("int8", "abx", 0.01)],
)
def test_tolerances_are_those_of_the_manual(precision, key, limit):
    check_parity([ROW, ROW._replace(**{key: 0.99 * limit})], precision, None, PATH, list)
    with pytest.raises(ExportError, match=f"^m.onnx: not written: .*, at most {limit:g} is allowed"):
        check_parity([ROW, ROW._replace(**{key: 1.01 * limit})], precision, None, PATH, list)


@pytest.mark.parametrize(
    ("precision", "inputs", "remedy"),
    [
        (
            "int8",
            ["a", "b", "c", "d"],
            "most is lost in a, b, c; pass these as `keep`, or choose `precision='fp16'` or",
        ),
        ("int8", [], "choose `precision='fp16'` or `precision='fp32'`, or accept it with `allow_drift`"),
        ("fp16", ["a"], "choose `precision='fp32'`, or accept it with `allow_drift`"),
        ("fp32", ["a"], "this is a bug in abxfast: report it"),
    ],
)
def test_the_error_names_a_remedy(precision, inputs, remedy):
    row = ROW._replace(difference=1.0, drift95=1.0)
    with pytest.raises(ExportError) as caught:
        check_parity([row], precision, None, PATH, lambda: inputs)
    assert f"is allowed; {remedy}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_accepted_violation_is_reported(caplog):
    """Of any tolerance, not only that of the drift; and only those that are exceeded."""
    row = ParityRow("layer1.max", 5.0, 0.0, 0.0, 0.02, 0.02, 0.0123)
    check_parity([row], "int8", 0.05, PATH, list)
    expected = (
        "m.onnx: accepted since `allow_drift` is 0.05: change of an ABX score 0.0123 of layer1.max at 5 s (limit 0.01)"
    )
    assert caplog.messages == [expected]
    check_parity([row._replace(abx=0.009)], "int8", 0.05, PATH, list)
    assert caplog.messages == [expected]


def test_a_drift_of_nan_is_a_violation():
    row = ROW._replace(drift=float("nan"), drift95=float("nan"))
    for rows in ([row], [row._replace(drift95=0.0), row], [row, row._replace(drift95=0.0)]):
        assert violations(rows, TOLERANCES["int8"])
