"""Channels: `mix` or a number, and nothing else."""

from __future__ import annotations

import pytest

from abxfast.audio import parse_channel
from abxfast.errors import AudioError


@pytest.mark.parametrize(("text", "channel"), [("mix", None), ("0", 0), ("63", 63), ("007", 7)])
def test_a_channel_is_parsed(text: str, channel: int | None) -> None:
    assert parse_channel(text) == channel


@pytest.mark.parametrize("text", ["", "left", "-1", "64", "1.0", "²", "Mix", "1e1"])
def test_text_that_names_no_channel_is_refused(text: str) -> None:
    with pytest.raises(AudioError, match=r"^`channel`: found .*, expected 'mix' or a number from 0 to 63$"):
        parse_channel(text)
