import base64
import hashlib
import json
import re
import sys
from html.parser import HTMLParser
from urllib.parse import unquote_to_bytes, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_results import make_results

from abxfast.errors import MissingPackageError
from abxfast.report import draw_figures, write_report
from abxfast.report.links import file_url
from abxfast.report.methods import write_methods
from abxfast.report.payload import embed_json
from abxfast.report.references import REFERENCES
from abxfast.results import read_results

NAMES = ["tales/a ŋɑ˧.wav", "tales/b 姐妹.wav", "tales/c.wav"]
HOSTILE = ["</script><script>x()</script>", "\" onload=x() '", "{{7*7}}\u2028<!--", "a&lt;b&gt;"]


class Page(HTMLParser):
    def __init__(self, path):
        super().__init__(convert_charrefs=True)
        self.tags, self.raw, self._in = [], {}, None
        self.feed(path.read_text(encoding="utf-8"))
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self._in = (tag, dict(attributes).get("id")) if tag in ("script", "style") else self._in

    def handle_endtag(self, tag):
        self._in = None if tag in ("script", "style") else self._in

    def handle_data(self, data):
        if self._in:
            self.raw[self._in] = self.raw.get(self._in, "") + data


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = make_results(tmp_path_factory.mktemp("results"), NAMES)
    draw_figures(folder)
    write_report(folder)
    return folder


def test_is_one_file_that_asks_for_nothing(results):
    page = Page(results / "report.html")
    sources = [value for _, attributes in page.tags for name, value in attributes.items() if name in ("src", "srcset")]
    assert sources
    assert all(source.startswith("data:image/") for source in sources)
    links = [attributes["href"] for tag, attributes in page.tags if "href" in attributes]
    assert all(urlsplit(link).scheme in ("", "data") for link in links)
    assert not any(name.startswith("on") or name == "style" for _, attributes in page.tags for name in attributes)


def test_the_policy_allows_our_script_and_style_alone(results):
    page = Page(results / "report.html")
    policy = next(a["content"] for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    for tag, kind in (("script", "script-src"), ("style", "style-src")):
        digest = base64.b64encode(hashlib.sha256(page.raw[tag, None].encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}';" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    # A policy holds for what follows it.
    assert [tag for tag, _ in page.tags[:4]] == ["html", "head", "meta", "meta"]


def test_the_same_results_give_the_same_bytes(results, tmp_path):
    again = make_results(tmp_path, NAMES)
    draw_figures(again)
    assert write_report(again).read_bytes() == (results / "report.html").read_bytes()


def test_holds_every_score_with_its_interval(results):
    data = json.loads(Page(results / "report.html").raw["script", "data"])
    rows = read_results(results).tables["pairs"].to_pylist()
    assert len(data["views"]) == 6
    found = {}
    for view in data["views"]:
        pairs = view["tables"]["pairs"]
        for row in range(len(pairs["score"])):
            names = tuple(data["strings"][pairs[column][row]] for column in ("a$", "b$"))
            key = (view["variant"], view["snippet_s"], *names)
            found[key] = [pairs[column][row] for column in ("score_ab", "score_ba", "low", "high", "p_holm")]
    assert len(found) == len(rows)
    for row in rows:
        expected = [row[column] for column in ("score_ab", "score_ba", "low", "high", "p_holm")]
        assert found[row["variant"], row["snippet_s"], row["a"], row["b"]] == pytest.approx(expected, rel=1e-4)


def test_hostile_texts_make_no_markup(tmp_path):
    plain, hostile = (
        make_results(
            tmp_path / name,
            texts,
            title=texts[0],
            note=texts[1],
            labels=texts[:2],
            encoders=texts[2:3],
            experiment=texts[3],
            paths=texts,
        )
        for name, texts in (("plain", ["k", "l", "m", "n"]), ("hostile", HOSTILE))
    )
    for folder in (plain, hostile):
        draw_figures(folder)
    pages = [Page(write_report(folder)) for folder in (plain, hostile)]
    shapes = [[(tag, sorted(attributes)) for tag, attributes in page.tags] for page in pages]
    assert shapes[0] == shapes[1]
    data = json.loads(pages[1].raw["script", "data"])
    assert set(HOSTILE) <= set(data["strings"])


@given(
    st.recursive(
        st.text() | st.integers() | st.none(), lambda inside: st.lists(inside) | st.dictionaries(st.text(), inside)
    )
)
def test_json_in_the_page_is_inert_and_whole(value):
    text = embed_json(value)
    assert json.loads(text) == value
    assert text.isascii()
    assert not re.search("[<>&]", text)


@given(st.text(st.characters(blacklist_categories=["Cs"]), min_size=1))
def test_a_path_is_a_url_of_a_file_and_nothing_else(path):
    url = file_url(path)
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc, parts.query, parts.fragment) in {("", "", "", ""), ("file", "", "", "")}
    if parts.scheme == "":
        assert unquote_to_bytes(parts.path).decode() == path
        assert not url.startswith("//")


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("../a b#1?.wav", "../a%20b%231%3F.wav"),
        ("javascript:alert(1)", "javascript%3Aalert%281%29"),
        ("/data/姐.wav", "file:///data/%E5%A7%90.wav"),
        ("//host/a.wav", "file:///host/a.wav"),
        ("C:/a/100%.wav", "file:///C:/a/100%25.wav"),
        ("b\udcff.wav", "b%FF.wav"),
    ],
)
def test_paths_of_every_kind(path, url):
    assert file_url(path) == url


def test_methods_say_what_was_done_and_cite_what_they_use(results):
    paragraphs, references = write_methods(read_results(results))
    text = " ".join(paragraphs)
    assert "{" not in text
    assert "10,000 seeded permutations" in text
    assert "snippets of 1 and 10 s" in text
    assert "Fily et al. (2024)" in text
    assert "Davis & Mermelstein 1980" in text
    assert "Conneau" not in text  # mfcc alone was run
    years = {reference.key: reference.cited.rpartition(" ") for reference in references}
    assert all(re.search(rf"{re.escape(names)},? \(?{year}", text) for names, _, year in years.values())
    assert "conneau2021" not in years
    for reference in REFERENCES.values():
        assert reference.bibtex.count("{") == reference.bibtex.count("}")
        assert reference.cited.rpartition(" ")[2] in reference.entry


def test_methods_name_the_model_of_an_exported_encoder(tmp_path):
    folder = make_results(tmp_path, NAMES, encoders=("xlsr53-l21.int8",))
    run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    run["encoders"][0]["source"] = "facebook/wav2vec2-large-xlsr-53"
    run["permutations"] = 0
    (folder / "run.json").write_text(json.dumps(run), encoding="utf-8")
    paragraphs, references = write_methods(read_results(folder))
    text = " ".join(paragraphs)
    assert "Conneau et al. (2021)" in text
    assert "Baevski et al. 2020" in text
    assert "No permutation test was run" in text
    assert "holm1979" not in {reference.key for reference in references}


def test_methods_say_which_rows_took_part_and_that_some_were_whole(tmp_path):
    folder = make_results(tmp_path, NAMES)
    run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    run["experiments"][0] |= {"where": {"kind": ["list", "tale"]}, "snippets": [1.0, None]}
    (folder / "run.json").write_text(json.dumps(run), encoding="utf-8")
    text = " ".join(write_methods(read_results(folder))[0])
    assert "where kind is list or tale; 3 recordings" in text
    assert "snippets of 1 s, or taken whole." in text


def test_the_parity_of_an_encoder_is_a_table(results):
    page = write_report(results).read_text(encoding="utf-8")
    assert "1 − cos" in page
    assert '<td class="n" dir="auto">0.0079</td>' in page
    assert "3.5, 4.5, 5.5" in page
    assert "drift95" not in page.partition("<script")[0]


def test_a_run_that_lacks_a_fact_still_gets_its_page(tmp_path):
    folder = make_results(tmp_path, NAMES)
    (folder / "run.json").write_text('{"format": 1}', encoding="utf-8")
    assert write_report(folder).stat().st_size


def test_without_jinja_it_says_what_to_install(results, monkeypatch):
    monkeypatch.delitem(sys.modules, "abxfast.report.page", raising=False)
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingPackageError, match=r"the page needs jinja2.*pip install 'abxfast\[report\]'"):
        write_report(results)
