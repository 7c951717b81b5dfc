"""Scores in a notebook: HTML, pandas and the matrix plot."""

import html.parser
import itertools
import pickle
import subprocess
import sys

import pyarrow as pa
import pytest

from abxfast.errors import MissingPackageError, TaskError
from abxfast.scoring import AbxScores, Task


def make_scores(names, *, task=Task("word"), **source):  # noqa: B008
    pairs = list(itertools.permutations(names, 2))
    columns = {"word": [a for a, _ in pairs], "word_b": [b for _, b in pairs]}
    columns |= {name: ["same"] * len(pairs) for name in task.by}
    columns |= {"score": [None, *(0.5 + 0.01 * k for k in range(1, len(pairs)))]}
    return AbxScores(task, pa.table(columns | {"wins2": [1] * len(pairs), "triplets": [1234] * len(pairs)}), **source)


class Cells(html.parser.HTMLParser):
    """The text of every table cell and paragraph of a page."""

    def __init__(self, text):
        super().__init__()
        self.texts, self.tags = [], []
        self.feed(text)

    def handle_starttag(self, tag, _attributes):
        self.tags.append(tag)
        if tag in {"th", "td", "p"}:
            self.texts.append("")

    def handle_data(self, data):
        self.texts[-1] += data


def test_html_has_the_task_the_source_and_every_cell():
    page = Cells(make_scores(["a", "b"], encoder="mfcc", variant="mfcc.max", snippet="10")._repr_html_())
    assert page.texts == [
        "ABX ON word · mfcc · mfcc.max · 10 s",
        *("word", "word_b", "score", "wins2", "triplets"),
        *("a", "b", "", "1", "1234"),
        *("b", "a", "0.510", "1", "1234"),
    ]


def test_html_escapes_every_text():
    name = "<script>alert('1')</script>&amp;"
    page = make_scores([name, "b"], encoder="<b>", variant="v", snippet="1")._repr_html_()
    cells = Cells(page)
    assert "script" not in cells.tags
    assert cells.texts.count(name) == 2
    assert cells.texts[0] == "ABX ON word · <b> · v · 1 s"


def test_html_of_a_long_table_says_how_many_rows_it_leaves_out():
    scores = make_scores([f"w{k}" for k in range(6)])
    cells = Cells(scores._repr_html_())
    assert cells.tags.count("tr") == 1 + 20
    assert cells.texts[-1] == "… and 10 more rows"
    assert "more row" not in AbxScores(scores.task, scores.table.slice(0, 20))._repr_html_()
    assert AbxScores(scores.task, scores.table.slice(0, 21))._repr_html_().endswith("<p>… and 1 more row</p></div>")


def test_repr_is_one_line():
    assert repr(make_scores(["a", "b", "c"])) == "AbxScores('ON word', cells=6)"
    scores = make_scores(["a", "b"], encoder="mfcc", variant="mfcc.max", snippet="whole")
    assert repr(scores) == "AbxScores('ON word', cells=2, encoder='mfcc', variant='mfcc.max', snippet='whole')"


def test_a_data_frame_has_the_columns_of_a_file():
    pytest.importorskip("pandas", reason="needs pandas")
    frame = make_scores(["a", "b"], encoder="mfcc", variant="mfcc.max", snippet="10").to_pandas()
    assert list(frame.columns) == [*Task("word").columns, "encoder", "variant", "snippet"]
    assert frame["score"].isna().tolist() == [True, False]
    assert set(frame["encoder"]) == {"mfcc"}
    assert list(make_scores(["a", "b"]).to_pandas().columns) == list(Task("word").columns)


def test_without_pandas_one_line_says_what_to_install():
    """In a fresh process, as pyarrow looks for pandas once."""
    code = """\
import sys


class NoPandas:
    def find_spec(self, name, path, target=None):
        if name == "pandas":
            raise ModuleNotFoundError(name)


sys.meta_path.insert(0, NoPandas())
import pyarrow as pa
from abxfast import AbxScores, Task
from abxfast.errors import MissingPackageError

try:
    AbxScores(Task("word"), pa.table({"score": [0.5]})).to_pandas()
except MissingPackageError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (
        done.stdout == f'`to_pandas` needs pandas, which is not installed: {sys.executable} -m pip install "pandas"\n'
    )


def texts_of(figure):
    axes_texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    return [text.get_text() for text in figure.texts], axes_texts


def test_the_plot_is_a_matrix_of_all_pairs():
    figure = pytest.importorskip("matplotlib.figure", reason="needs the report extra")
    scores = make_scores(["folder/ŋa.wav", "folder/b.wav", "folder/c.wav"], encoder="e", variant="v", snippet="10")
    drawn = scores.plot()
    assert isinstance(drawn, figure.Figure)
    around, inside = texts_of(drawn)
    assert "ABX ON word · e · v · 10 s" in around
    assert {"ŋa", "b", "c"} <= set(around)
    assert sorted(inside) == [".51", ".52", ".53", ".54", ".55"]  # the sixth is null
    assert drawn._repr_png_().startswith(b"\x89PNG")
    assert pickle.loads(pickle.dumps(drawn))._repr_png_().startswith(b"\x89PNG")  # noqa: S301


@pytest.mark.parametrize("task", [Task("word", ("day",)), Task("word", (), ("speaker",))])
def test_a_task_with_by_or_across_has_no_single_matrix(task):
    with pytest.raises(TaskError, match="score without `by` and `across`, or average over them"):
        AbxScores(task, make_scores(["a", "b"]).table).plot()


def test_without_matplotlib_one_line_says_what_to_install(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("abxfast.figures")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingPackageError, match=r"abxfast\[report\]") as error:
        make_scores(["a", "b"]).plot()
    assert "\n" not in str(error.value)
