from urllib.parse import unquote_to_bytes, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abxfast.report.links import file_url


@given(st.text(st.characters(blacklist_categories=["Cs"]), min_size=1))
def test_any_path_becomes_the_url_of_a_file(path):
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
def test_relative_absolute_and_windows_paths(path, url):
    assert file_url(path) == url
