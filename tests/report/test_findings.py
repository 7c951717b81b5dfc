import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sample_results import make_results

from abxfast.report.findings import describe_undecidable, make_findings
from abxfast.results import read_results

NAMES = ["a.wav", "b.wav", "c.wav"]


def judge(folder, table, verdicts, reason="too few recordings"):
    """Set the verdicts of the rows of a table, over and over."""
    path = folder / "tables" / f"{table}.parquet"
    rows = pq.read_table(path)
    column = [verdicts[number % len(verdicts)] for number in range(rows.num_rows)]
    reasons = [reason if verdict == "undecidable" else "" for verdict in column]
    for name, values in (("verdict", column), ("reason", reasons)):
        rows = rows.set_column(rows.column_names.index(name), name, pa.array(values))
    pq.write_table(rows, path)


def test_the_strongest_come_first_and_eight_are_enough(tmp_path):
    encoders = [f"encoder-{number}" for number in range(10)]
    folder = make_results(tmp_path, NAMES, encoders=encoders, lengths=(1.0,), variants=("a",))
    judge(folder, "summary", ["no_evidence", "undecidable", "equivalent", "different", "no_evidence"])
    findings = make_findings(read_results(folder))
    expected = ["different"] * 2 + ["equivalent"] * 2 + ["no_evidence"] * 4
    assert [finding.verdict for finding in findings] == expected
    assert [finding.key.encoder for finding in findings[:2]] in (
        ["encoder-3", "encoder-8"],
        ["encoder-8", "encoder-3"],
    )


def test_an_experiment_is_represented_by_the_length_that_can_be_judged(tmp_path):
    folder = make_results(tmp_path, NAMES, lengths=(1.0, 10.0), variants=("a",))
    judge(folder, "summary", ["equivalent", "undecidable"])
    assert make_findings(read_results(folder))[0].key.snippet_s == 1.0
    judge(folder, "summary", ["equivalent", "different"])
    assert make_findings(read_results(folder))[0].key.snippet_s == 10.0


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (["different"], ""),
        (["undecidable"], "all 3 pairs at 1 s and 10 s (too few recordings)."),
        (["undecidable", "different", "different"], "1 of 3 pairs at 1 s and 10 s (too few recordings)."),
    ],
)
def test_what_cannot_be_judged_is_one_sentence(tmp_path, verdicts, expected):
    folder = make_results(tmp_path, NAMES, lengths=(1.0, 10.0), variants=("a",))
    judge(folder, "pairs", verdicts)
    sentence = describe_undecidable(read_results(folder))
    assert sentence.endswith(expected)
    assert sentence.count("recording-conditions") == bool(expected)
