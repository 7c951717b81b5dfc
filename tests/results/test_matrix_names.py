from hypothesis import given
from hypothesis import strategies as st

from abxfast.results import short_names


def test_what_all_names_share_is_left_out():
    assert short_names(("a/b/1.wav", "a/b/2.wav")) == ("1", "2")
    assert short_names(("a/1.wav", "a/2.flac")) == ("1.wav", "2.flac")
    assert short_names(("a", "a/b")) == ("a", "a/b")
    assert short_names(("x.wav",)) == ("x.wav",)


@given(st.lists(st.text(max_size=8), unique=True, max_size=5))
def test_names_that_differ_stay_different(names):
    assert len(set(short_names(tuple(names)))) == len(names)
