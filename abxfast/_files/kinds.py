"""What a file is that is neither audio nor a table, by its first bytes or its suffix."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003

_ANNOTATION = "give the recording that it belongs to; its segments can be rows of a manifest, with start_s and end_s"
_TABLE = "to list recordings in it, pass it as the manifest, alone"
_DOCUMENT = "give the recording itself"
_ARCHIVE = "unpack it first"

_BY_SUFFIX = {
    ".textgrid": ("a Praat TextGrid, which holds annotations", _ANNOTATION),
    ".eaf": ("an ELAN file, which holds annotations", _ANNOTATION),
    ".pfsx": ("a file of ELAN's settings", _DOCUMENT),
    ".trs": ("a Transcriber file, which holds annotations", _ANNOTATION),
    ".exb": ("an EXMARaLDA file, which holds annotations", _ANNOTATION),
    ".cha": ("a CHAT transcript", _ANNOTATION),
    ".flextext": ("a FLEx text, which holds annotations", _ANNOTATION),
    ".lab": ("a file of labels", _ANNOTATION),
    ".srt": ("a file of subtitles", _ANNOTATION),
    ".vtt": ("a file of subtitles", _ANNOTATION),
    ".praat": ("a Praat script", _DOCUMENT),
    **dict.fromkeys((".csv", ".tsv", ".xlsx", ".xlsm", ".xls", ".ods", ".xlsb"), ("a table", _TABLE)),
    ".pdf": ("a PDF document", _DOCUMENT),
    **dict.fromkeys((".docx", ".doc", ".rtf", ".odt"), ("a text document", _DOCUMENT)),
    **dict.fromkeys((".pptx", ".ppt", ".odp"), ("a presentation", _DOCUMENT)),
    **dict.fromkeys((".txt", ".md", ".json", ".xml", ".html", ".htm", ".toml", ".py"), ("a text file", _DOCUMENT)),
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".gif", ".tif", ".tiff", ".svg", ".heic"), ("an image", _DOCUMENT)),
    **dict.fromkeys((".zip", ".7z", ".rar", ".tar", ".gz", ".tgz", ".xz"), ("an archive", _ARCHIVE)),
    ".onnx": ("an encoder", "pass it as `encoder`"),
    ".parquet": ("a Parquet file", _DOCUMENT),
}
"""What a file is, in words, and what to do; by its suffix in lower case."""
_BY_CONTENT = (
    (b"%PDF", ".pdf"),
    (b"\x89PNG\r\n\x1a\n", ".png"),
    (b"\xff\xd8\xff\xe0", ".jpg"),
    (b"\xff\xd8\xff\xe1", ".jpg"),
    (b"Rar!", ".rar"),
    (b"7z\xbc\xaf", ".7z"),
    (b"PK\x03\x04", ".zip"),
)
_PRAAT_OBJECT = ("an object of Praat that holds no sound", _DOCUMENT)
_WEB_PAGE = ("a web page", "download the recording itself")
_LFS_POINTER = ("a pointer of Git LFS, not the file itself", "fetch it with git lfs pull")


def describe_kind(path: Path) -> tuple[str, str] | None:
    """Return what a file is, if it is known and neither audio nor a table, and what to do.

    Parameters
    ----------
    path : Path
        A file that can be read.

    Returns
    -------
    tuple of str, or None
        Such as ``("a PDF document", "give the recording itself")``.
    """
    with path.open("rb") as file:
        head = file.read(256)
    text = _decode(head).lstrip().lower()
    if text.startswith(('file type = "ootextfile"', "ootextfile")):
        return _BY_SUFFIX[".textgrid"] if '"textgrid"' in text else _PRAAT_OBJECT
    if "<annotation_document" in text:
        return _BY_SUFFIX[".eaf"]
    if text.startswith(("<!doctype html", "<html")):
        return _WEB_PAGE
    if text.startswith("version https://git-lfs"):
        return _LFS_POINTER
    known = _BY_SUFFIX.get(path.suffix.lower())
    return known or next((_BY_SUFFIX[suffix] for magic, suffix in _BY_CONTENT if head.startswith(magic)), None)


def _decode(head: bytes) -> str:
    """Return the beginning of a text file, in UTF-16 with a byte order mark or in UTF-8."""
    encoding = "utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    return head[: len(head) // 2 * 2].decode(encoding, errors="replace")
