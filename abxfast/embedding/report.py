"""The report of an embedding."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class EmbedReport:
    """What a call of `embed` did.

    Attributes
    ----------
    encoder, provider : str
        Name of the encoder, and what ran it, such as ``cpu``.
    recordings : int
        Recordings asked for.
    snippets : int
        Snippets embedded now, without those of recordings that failed.
    skipped : int
        Recordings of which the store had everything already.
    embedded : int
        Recordings of which snippets were embedded now.
    audio_s : float
        Seconds of audio decoded.
    wall_s : float
        Seconds the call took.
    failures : list of (str, str)
        Recording or item, and why it could not be embedded.
    renamed : list of (str, str)
        Former and new name of each item that the store knew under another name.
    crashed : list of str
        Recordings among them that were skipped since an earlier run crashed on them.

    Examples
    --------
    A second call finds everything in the store:

    >>> import abxfast
    >>> report = abxfast.embed("recordings.csv", "demo.store", snippets=[1])
    >>> report.recordings, report.skipped, report.snippets
    (12, 12, 0)

    A recording that fails is named, and the others are embedded:

    >>> from pathlib import Path
    >>> _ = Path("notes.wav").write_text("not audio")
    >>> report = abxfast.embed(["recordings", "notes.wav"], "failures.store", snippets=[10])
    >>> [name for name, reason in report.failures]
    ['notes.wav']
    """

    encoder: str
    provider: str
    recordings: int = 0
    snippets: int = 0
    skipped: int = 0
    embedded: int = 0
    audio_s: float = 0.0
    wall_s: float = 0.0
    failures: list[tuple[str, str]] = field(default_factory=list)
    renamed: list[tuple[str, str]] = field(default_factory=list)
    crashed: list[str] = field(default_factory=list)
