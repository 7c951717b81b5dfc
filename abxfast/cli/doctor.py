"""What this installation has, and what is wrong with it."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass, field
from importlib.metadata import version

from abxfast._installation import install_command
from abxfast._threads import usable_threads
from abxfast.audio import ffmpeg_version, libsndfile_version
from abxfast.encoders import available_providers, encoders_folder, installed_runtimes
from abxfast.errors import AbxfastError

_PACKAGES = ("numpy", "numba", "scipy", "pyarrow", "soundfile", "soxr", "typer")


@dataclass
class Diagnosis:
    """Findings as pairs of a word and a value, and problems as sentences that say what to do."""

    findings: list[tuple[str, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def diagnose() -> Diagnosis:
    """Check versions, runtimes, providers, folders and threads."""
    diagnosis = Diagnosis()
    diagnosis.findings += [
        ("abxfast", version("abxfast")),
        ("python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
        ("processors", f"{usable_threads()} usable of {os.cpu_count()}"),
        *((name, version(name)) for name in _PACKAGES),
        ("libsndfile", libsndfile_version()),
        ("ffmpeg", ffmpeg_version() or "not installed: m4a, mp4, wma and the like cannot be read"),
    ]
    runtimes = installed_runtimes()
    diagnosis.findings.append(
        ("onnxruntime", ", ".join(f"{name} {release}" for name, release in runtimes.items()) or "none")
    )
    if len(runtimes) > 1:
        diagnosis.problems.append(
            f"{' and '.join(runtimes)} are both installed and overwrite each other; "
            f"{sys.executable} -m pip uninstall {' '.join(runtimes)}, then {install_command('abxfast[cpu]')}, or "
            "abxfast[gpu] in its place"
        )
    try:
        diagnosis.findings.append(("providers", ", ".join(available_providers())))
    except AbxfastError as error:
        diagnosis.problems.append(str(error))
    folder = encoders_folder()
    names = ["mfcc", *sorted(file.stem for file in folder.glob("*.onnx"))]
    diagnosis.findings.append(("encoders", f"{', '.join(names)} (your own: {folder})"))
    return diagnosis
