import base64
import hashlib
import json
from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest
from sample_results import make_results

from abxfast.report import draw_figures, write_report
from abxfast.results import read_results
from abxfast.results.read import FORMAT

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


def test_is_one_file_that_loads_nothing_else(results):
    page = Page(results / "report.html")
    sources = [value for _, attributes in page.tags for name, value in attributes.items() if name in ("src", "srcset")]
    assert sources
    assert all(source.startswith("data:image/") for source in sources)
    links = [attributes["href"] for tag, attributes in page.tags if "href" in attributes]
    assert all(urlsplit(link).scheme in ("", "data") for link in links)
    assert not any(name.startswith("on") or name == "style" for _, attributes in page.tags for name in attributes)


def test_the_policy_allows_only_the_script_and_the_style_of_the_page(results):
    page = Page(results / "report.html")
    policy = next(a["content"] for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    for tag, kind in (("script", "script-src"), ("style", "style-src")):
        digest = base64.b64encode(hashlib.sha256(page.raw[tag, None].encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}';" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    # A policy applies to what follows it.
    assert [tag for tag, _ in page.tags[:4]] == ["html", "head", "meta", "meta"]


def test_the_same_results_give_the_same_bytes(results, tmp_path):
    again = make_results(tmp_path, NAMES)
    draw_figures(again)
    assert write_report(again).read_bytes() == (results / "report.html").read_bytes()


def test_holds_every_score_with_its_interval(results):
    data = json.loads(Page(results / "report.html").raw["script", "data"])
    rows = read_results(results).tables["pairs"].to_pylist()
    assert len(data["views"]) == 6
    scores = {}
    for view in data["views"]:
        pairs = {name: data["columns"][number] for name, number in view["tables"]["pairs"].items()}
        for row in range(len(pairs["score"])):
            names = tuple(data["strings"][pairs[column][row]] for column in ("a$", "b$"))
            key = (view["variant"], view["snippet_s"], *names)
            scores[key] = [pairs[column][row] for column in ("score_ab", "score_ba", "low", "high", "p_holm")]
    assert len(scores) == len(rows)
    for row in rows:
        expected = [row[column] for column in ("score_ab", "score_ba", "low", "high", "p_holm")]
        assert scores[row["variant"], row["snippet_s"], row["a"], row["b"]] == pytest.approx(
            expected, rel=1e-4 if row["variant"] == "layer21.mean" else 1e-3
        )


def test_hostile_texts_create_no_markup(tmp_path):
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


def test_the_parity_of_an_encoder_is_shown_as_a_table(results):
    page = write_report(results).read_text(encoding="utf-8")
    assert "1 − cos" in page
    assert '<td class="n" dir="auto">0.0079</td>' in page
    assert "3.5, 4.5, 5.5" in page
    assert "drift95" not in page.partition("<script")[0]


def test_a_run_that_records_nothing_still_gets_its_page(tmp_path):
    folder = make_results(tmp_path, NAMES)
    (folder / "run.json").write_text(json.dumps({"format": FORMAT}), encoding="utf-8")
    assert write_report(folder).stat().st_size
