"""Audio: recordings decoded and checked, cut into snippets, and measured.

Recordings of any format that libsndfile reads become a stream of mono blocks at the encoder's sampling rate. What is
cut short, damaged or empty is refused with the reason. A snippet plan says which stretches of a recording become
vectors, and a cutter takes them out of the stream, exact in samples. Audio quality measures describe how a recording
was made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from abxfast.audio.cutter import (
        END_SLACK_S,
        MAX_WHOLE_S,
        CutResult,
        Cutter,
        Snippet,
        SnippetPlan,
        Stretch,
        check_whole,
        make_plans,
        parse_length,
    )
    from abxfast.audio.decoding import (
        SUFFIXES,
        UNREADABLE_SUFFIXES,
        AudioInfo,
        libsndfile_version,
        parse_channel,
        probe,
        stream,
        write_wav,
    )
    from abxfast.audio.quality import QUALITY_MEASURES, AudioQuality, measure_quality

__all__ = [
    "END_SLACK_S",
    "MAX_WHOLE_S",
    "QUALITY_MEASURES",
    "SUFFIXES",
    "UNREADABLE_SUFFIXES",
    "AudioInfo",
    "AudioQuality",
    "CutResult",
    "Cutter",
    "Snippet",
    "SnippetPlan",
    "Stretch",
    "check_whole",
    "libsndfile_version",
    "make_plans",
    "measure_quality",
    "parse_channel",
    "parse_length",
    "probe",
    "stream",
    "write_wav",
]

# Lazy: who needs a snippet plan only, such as scoring, needs neither soundfile nor soxr.
__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "decoding": [
            "SUFFIXES",
            "UNREADABLE_SUFFIXES",
            "AudioInfo",
            "libsndfile_version",
            "parse_channel",
            "probe",
            "stream",
            "write_wav",
        ],
        "quality": ["QUALITY_MEASURES", "AudioQuality", "measure_quality"],
        "cutter": [
            "END_SLACK_S",
            "MAX_WHOLE_S",
            "CutResult",
            "Cutter",
            "Snippet",
            "SnippetPlan",
            "Stretch",
            "check_whole",
            "make_plans",
            "parse_length",
        ],
    },
)
