"""Embedding: from audio files to vectors in a store.

Decoding, resampling and inference run at the same time in bounded memory. What the store already holds is skipped, and
a recording that fails is reported while the others go on.
"""

from abxfast.embedding.audio_files import AudioFile, group_by_file
from abxfast.embedding.contents import FileContents
from abxfast.embedding.crash_log import FOLDER_NAME as CRASH_LOG_FOLDER
from abxfast.embedding.crash_log import CrashLog
from abxfast.embedding.decoder import WHOLE_SPAN, Decoder, Span
from abxfast.embedding.encoding import EncodingRun
from abxfast.embedding.pipeline import GPU_THREADS, check_lengths, check_plans, embed
from abxfast.embedding.progress import Progress, format_clock, progress_bar
from abxfast.embedding.recognition import Recogniser
from abxfast.embedding.renaming import carry_labels, report_copies, take_over
from abxfast.embedding.report import EmbedReport

__all__ = [
    "CRASH_LOG_FOLDER",
    "GPU_THREADS",
    "WHOLE_SPAN",
    "AudioFile",
    "CrashLog",
    "Decoder",
    "EmbedReport",
    "EncodingRun",
    "FileContents",
    "Progress",
    "Recogniser",
    "Span",
    "carry_labels",
    "check_lengths",
    "check_plans",
    "embed",
    "format_clock",
    "group_by_file",
    "progress_bar",
    "report_copies",
    "take_over",
]
