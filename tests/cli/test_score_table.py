"""Tables of scores on terminals of several widths."""

import io

import pyarrow as pa
import pytest
from rich.console import Console

from abxfast.cli import score_table
from abxfast.scoring import AbxScores, Task


def scores_of(names, *, on="recording", by=()):
    pairs = [(a, b) for a in names for b in names if a != b]
    columns = {on: [a for a, _ in pairs], f"{on}_b": [b for _, b in pairs]}
    columns |= {name: ["same"] * len(pairs) for name in by}
    columns |= {
        "score": [None if a == names[0] else 0.5 + 0.001 * i for i, (a, _) in enumerate(pairs)],
        "wins2": [0] * len(pairs),
        "triplets": [1000] * len(pairs),
    }
    return AbxScores(Task(on, tuple(by)), pa.table(columns), "mfcc", "mfcc.max", "10")


def printed(scores, width):
    out = io.StringIO()
    score_table.print_scores(scores, Console(file=out, width=width))
    return out.getvalue()


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("n", [2, 3, 20, 100])
def test_nothing_is_wider_than_the_terminal(n, width):
    text = printed(scores_of([f"tales/ŋɑ˧-{i:03}-a-rather-long-name.wav" for i in range(n)]), width)
    assert max(map(len, text.splitlines())) <= width
    assert "mfcc" in text
    assert "How to read it" in text


def test_a_matrix_where_it_fits_has_every_score_once():
    scores = scores_of(["a", "b", "c"])
    lines = printed(scores, 42).splitlines()
    rows = {line.split()[1]: line.split()[2:] for line in lines if line[:2] in {"1 ", "2 ", "3 "}}
    assert rows == {"a": ["n/a", "n/a"], "b": ["0.502", "0.503"], "c": ["0.504", "0.505"]}


def test_a_long_table_says_what_it_does_not_show():
    text = printed(scores_of([str(i) for i in range(30)]), 60)
    assert f"and {30 * 29 - score_table.MAX_ROWS} more rows" in text


def test_a_task_with_by_is_a_list():
    text = printed(scores_of(["a", "b"], by=["session"]), 80)
    assert "session" in text
    assert "1,000" in text
