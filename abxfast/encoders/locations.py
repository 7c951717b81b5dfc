"""Where encoder files are: in the package, at a path, or by name in the user's data folder."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import platformdirs

from abxfast.errors import EncoderError

DEFAULT_ENCODER = "mfcc"
"""Name of the acoustic baseline, which is part of the package."""


def find_encoder(name: str | Path) -> Path:
    """Return the path of an encoder file.

    Parameters
    ----------
    name : str or Path
        ``mfcc``, the path of an ONNX file, or the name of an encoder in `encoders_folder`; tried in this order.

    Raises
    ------
    EncoderError
        If there is no such file.
    """
    if str(name) == DEFAULT_ENCODER:
        return Path(str(files("abxfast.encoders") / "mfcc.onnx"))
    path = Path(name)
    if path.is_file():
        return path
    folder = encoders_folder()
    named = folder / f"{name}.onnx"
    if named.is_file():
        return named
    known = sorted(file.stem for file in folder.glob("*.onnx"))
    raise EncoderError(
        f"`encoder`: no file {name}, and no encoder of that name; known: {', '.join([DEFAULT_ENCODER, *known])}; "
        f"pass the path of a file, or put the file into {folder}"
    )


def encoders_folder() -> Path:
    """Return the folder of the user's data in which encoders are found by name."""
    return Path(platformdirs.user_data_path("abxfast", appauthor=False)) / "encoders"
