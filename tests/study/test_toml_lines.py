"""The line on which each table and key of a TOML file begins."""

import json
import tomllib

from hypothesis import given
from hypothesis import strategies as st

from abxfast.study.toml_lines import find_lines

KEYS = st.sampled_from(["a", "b-c", '"d.e"', "'ŋ'", "f", "g"])
VALUES = st.sampled_from(
    [
        *("1", '"x # y"', '"""\na = 1\n[b]\n"""', "[\n 1,\n # [c]\n 2,\n]"),
        *("{ h = 1, i = { j = [] } }", "'''\n'''", "2018-01-01"),
    ]
)


@given(st.lists(st.tuples(KEYS, VALUES), unique_by=lambda pair: pair[0], max_size=4), st.data())
def test_lines_are_found_where_they_were_written(pairs, data):
    """Write statements at known lines; a reader that knows only TOML must find them there."""
    lines, expected = [], {}
    table = ()
    for number, (key, value) in enumerate(pairs):
        lines += data.draw(st.lists(st.sampled_from(["", "# a = 1", "   # [x]"]), max_size=2))
        name = next(iter(tomllib.loads(f"{key} = 0")))
        if data.draw(st.booleans()):
            table = (f"t{number}", name)
            expected[table] = len(lines) + 1
            lines.append(f"[t{number}.{key}]  # here")
        expected[(*table, name)] = len(lines) + 1
        lines += f"{key} = {value}".split("\n")
    text = "\n".join(lines)
    tomllib.loads(text)
    lines = find_lines(text)
    assert {key: lines[key] for key in expected} == expected
    assert json.dumps(sorted(map(list, lines)))  # every key is a path of texts
