import json
import re

from hypothesis import given
from hypothesis import strategies as st

from abxfast.report.payload import embed_json


@given(
    st.recursive(
        st.text() | st.integers() | st.none(), lambda inside: st.lists(inside) | st.dictionaries(st.text(), inside)
    )
)
def test_embedded_json_is_inert_and_complete(value):
    text = embed_json(value)
    assert json.loads(text) == value
    assert text.isascii()
    assert not re.search("[<>&]", text)
