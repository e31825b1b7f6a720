"""Line numbers of keys, compared with where a marker value stands in the text."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattwheel.boot.toml_lines import TomlLines

TEXT = '''# a comment with [brackets] and key = "value"
title = "top" # [not.a.section]

[meter]
address = "1"
"quoted key" = 2
long = """
[inside]
text = 3
"""
list = [
  "x]", # ]
  [1, 2],
]
after.dotted = 4

[[input.channel]]
name = "a"
[[input.channel]]
name = "b"
[input.channel.gain]
ppm = 5
[ web . "listen on" ]
'port' = {a = 1, b = 2}
'''

WHERE = {
    ("title",): 2,
    ("meter",): 4,
    ("meter", "address"): 5,
    ("meter", "quoted key"): 6,
    ("meter", "long"): 7,
    ("meter", "list"): 11,
    ("meter", "list", 1): 11,
    ("meter", "after", "dotted"): 15,
    ("input", "channel", 0, "name"): 18,
    ("input", "channel", 1): 19,
    ("input", "channel", 1, "name"): 20,
    ("input", "channel", 1, "gain", "ppm"): 22,
    ("web", "listen on"): 23,
    ("web", "listen on", "port", "b"): 24,
}


@pytest.mark.parametrize(("path", "line"), WHERE.items(), ids=lambda value: str(value))
def test_line_of(path, line):
    tomllib.loads(TEXT)
    assert TomlLines(TEXT).line_of(path) == line


@pytest.mark.parametrize("path", [("absent",), ("text",), ("inside",), (), ("meter x",)])
def test_a_key_that_is_not_there_has_no_line(path):
    assert TomlLines(TEXT).line_of(path) is None


@given(st.text(alphabet="ab=.\"'[]{}#\n\\,1 \r", max_size=60))
def test_no_text_raises(text):
    TomlLines(text).line_of(("a",))


@given(
    st.dictionaries(
        st.sampled_from("abcdefgh"), st.sampled_from(["1", '"]"', "[[1],\n[2]]", '"""\n[x]\n"""']), min_size=1
    )
)
def test_lines_of_generated_files(values):
    text, where = "[s]\n", {}
    for key, value in values.items():
        where[key] = text.count("\n") + 1
        text += f"{key} = {value}\n"
    lines = TomlLines(text)
    assert {key: lines.line_of(("s", key)) for key in values} == where
