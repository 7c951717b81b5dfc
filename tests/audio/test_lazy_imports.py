"""Importing the package stays light."""

import subprocess
import sys

import pytest

LIGHT = "SnippetPlan, make_plans, parse_length, SUFFIXES, FFMPEG_SUFFIXES, MAX_WHOLE_S, parse_channel, Cutter"


@pytest.mark.parametrize(("names", "imported"), [(LIGHT, []), ("probe", ["soundfile", "soxr"])])
def test_audio_libraries_are_imported_only_to_decode(names, imported):
    code = f"import sys; from abxfast.audio import {names}; print(*sorted({{'soundfile', 'soxr'}} & set(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert out.split() == imported
