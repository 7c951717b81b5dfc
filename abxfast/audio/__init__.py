"""Audio: decode and check recordings, cut them into snippets, measure their quality.

Recordings of any format that libsndfile reads, or ffmpeg where it is installed, become a stream of mono blocks at the
encoder's sampling rate. A recording that is cut short, damaged or empty is refused with the reason. A snippet plan says
which stretches of a recording become vectors, and a cutter cuts them from the stream, exact in samples. Quality
measures describe how a recording was made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from abxfast.audio.channels import MixMeter, parse_channel
    from abxfast.audio.clips import encode_clip
    from abxfast.audio.cutter import CutResult, Cutter, Snippet, Stretch
    from abxfast.audio.decoding import AudioInfo, libsndfile_version, probe, stream, write_wav
    from abxfast.audio.ffmpeg import ffmpeg_version
    from abxfast.audio.fingerprint import AudioCopy, find_audio_copies
    from abxfast.audio.formats import FFMPEG_SUFFIXES, SUFFIXES, UNVERIFIABLE_SUFFIXES
    from abxfast.audio.quality import QUALITY_MEASURES, AudioQuality, measure_quality
    from abxfast.audio.snippet_plan import (
        END_SLACK_S,
        MAX_WHOLE_S,
        SnippetPlan,
        check_whole,
        make_plans,
        parse_length,
    )
    from abxfast.audio.timed_file import DEFAULT_TIMEOUT_S

__all__ = [
    "DEFAULT_TIMEOUT_S",
    "END_SLACK_S",
    "FFMPEG_SUFFIXES",
    "MAX_WHOLE_S",
    "QUALITY_MEASURES",
    "SUFFIXES",
    "UNVERIFIABLE_SUFFIXES",
    "AudioCopy",
    "AudioInfo",
    "AudioQuality",
    "CutResult",
    "Cutter",
    "MixMeter",
    "Snippet",
    "SnippetPlan",
    "Stretch",
    "check_whole",
    "encode_clip",
    "ffmpeg_version",
    "find_audio_copies",
    "libsndfile_version",
    "make_plans",
    "measure_quality",
    "parse_channel",
    "parse_length",
    "probe",
    "stream",
    "write_wav",
]

# Lazy: callers that need only snippet plans or suffixes, such as scoring, import neither soundfile nor soxr.
__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "channels": ["MixMeter", "parse_channel"],
        "clips": ["encode_clip"],
        "cutter": ["CutResult", "Cutter", "Snippet", "Stretch"],
        "decoding": ["AudioInfo", "libsndfile_version", "probe", "stream", "write_wav"],
        "ffmpeg": ["ffmpeg_version"],
        "fingerprint": ["AudioCopy", "find_audio_copies"],
        "formats": ["FFMPEG_SUFFIXES", "SUFFIXES", "UNVERIFIABLE_SUFFIXES"],
        "quality": ["QUALITY_MEASURES", "AudioQuality", "measure_quality"],
        "timed_file": ["DEFAULT_TIMEOUT_S"],
        "snippet_plan": ["END_SLACK_S", "MAX_WHOLE_S", "SnippetPlan", "check_whole", "make_plans", "parse_length"],
    },
)
