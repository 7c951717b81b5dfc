"""onnxruntime: importing it, its execution providers, and sessions. No other module of the package imports it."""

from __future__ import annotations

import importlib.util
import logging
import os
import sys
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

from abxfast._installation import install_command
from abxfast.errors import EncoderError, MissingPackageError

if TYPE_CHECKING:
    from pathlib import Path

logger = logging.getLogger(__name__)

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "migraphx": "MIGraphXExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "dml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
}
"""onnxruntime's names of its execution providers, by ours."""
AUTO_PROVIDERS = ("cuda", "cpu")
"""What ``auto`` tries, in order: the providers that need not compile a graph again for each length of its input."""


def installed_runtimes() -> dict[str, str]:
    """Return the versions of the installed distributions of onnxruntime, by name."""
    from importlib.metadata import distributions

    versions = {(dist.metadata["Name"] or "").lower(): dist.version for dist in distributions()}
    return {name: version for name, version in sorted(versions.items()) if name.startswith("onnxruntime")}


def available_providers() -> list[str]:
    """Return the keys of `PROVIDERS` that the installed onnxruntime supports.

    Raises
    ------
    MissingPackageError
        If onnxruntime is not installed, or does not load.
    """
    available = _import_onnxruntime().get_available_providers()
    return [name for name, full_name in PROVIDERS.items() if full_name in available]


def check_provider(provider: str) -> None:
    """Check that a provider is ``auto`` or a key of `PROVIDERS`.

    Raises
    ------
    EncoderError
        If it is neither.
    """
    if provider != "auto" and provider not in PROVIDERS:
        raise EncoderError(f"`provider`: found {provider!r}, expected auto, {', '.join(PROVIDERS)}")


def open_session(path: Path, provider: str) -> tuple[Any, str]:
    """Open a session on the first requested provider that starts.

    Parameters
    ----------
    path : Path
        The ONNX file.
    provider : str
        A key of `PROVIDERS`, for which there is no fallback; or ``auto``, which tries `AUTO_PROVIDERS`.

    Returns
    -------
    session : onnxruntime.InferenceSession
    provider : str
        The provider that runs it.

    Raises
    ------
    EncoderError
        If the file is not a model that onnxruntime opens, or if the provider is not available or does not start.
    MissingPackageError
        If onnxruntime is not installed, or does not load.
    """
    ort = _import_onnxruntime()
    available = available_providers()
    if provider != "auto" and provider not in available:
        gpu = f"; {sys.executable} -m pip uninstall onnxruntime, then {install_command('abxfast[gpu]')}"
        remedy = gpu if provider == "cuda" else ""
        raise EncoderError(
            f"`provider='{provider}'`: not available; this onnxruntime supports {', '.join(available)}{remedy}"
        )
    candidates = [name for name in AUTO_PROVIDERS if name in available] if provider == "auto" else [provider]
    options = _session_options(ort)
    if int8_saturates():
        options.add_session_config_entry("session.x64quantprecision", "1")
    problems = []
    for name in candidates:
        try:
            session = ort.InferenceSession(
                str(path), sess_options=options, providers=[PROVIDERS[name]], enable_fallback=0
            )
        except Exception as error:
            if not is_runtime_error(error) and not isinstance(error, UnicodeDecodeError):  # in onnxruntime's own words
                raise
            problems.append(first_line(error))
            continue
        # onnxruntime falls back to the CPU without an error if the libraries of a provider do not load.
        if session.get_providers()[0] == PROVIDERS[name]:
            if problems:
                logger.warning("%s is available but does not start (%s); using %s", candidates[0], problems[0], name)
            logger.info("%s runs on %s", path.name, name)
            return session, name
        problems.append(f"the libraries of {name} do not load")
    if provider not in ("auto", "cpu"):
        raise EncoderError(f"`provider='{provider}'`: does not start: {problems[0]}; try `provider='cpu'`")
    raise EncoderError(f"{path}: cannot be opened as an ONNX model: {problems[-1]}")


def run_options() -> Any:
    """Return new ``onnxruntime.RunOptions``, whose ``terminate`` stops a call."""
    return _import_onnxruntime().RunOptions()


def is_runtime_error(error: Exception) -> bool:
    """Return whether onnxruntime raised an error."""
    return type(error).__module__.startswith("onnxruntime")


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, or the name of its type if it has none."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


@cache
def int8_saturates() -> bool:
    """Return whether int8 products are wrong on this processor unless onnxruntime is configured to avoid saturation.

    A product is computed to find out. On x86 without VNNI, pairs of products are added in 16 bits, which 2 · 255 · 127
    overflows. The option that avoids it makes int8 three times slower on other processors (measured with AMX).
    """
    ort = _import_onnxruntime()
    session = ort.InferenceSession(
        str(files("abxfast.encoders") / "saturation.onnx"),
        sess_options=_session_options(ort),
        providers=["CPUExecutionProvider"],
    )
    (product,) = session.run(None, {"x": np.full((8, 64), 255, np.uint8)})
    return bool((product != 64 * 255 * 127).any())


def _import_onnxruntime() -> Any:
    if importlib.util.find_spec("onnxruntime") is None:
        raise MissingPackageError(
            f"onnxruntime is not installed: {install_command('abxfast[cpu]')}, or abxfast[gpu] in its place"
        )
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingPackageError(
            f"onnxruntime is installed but does not load ({first_line(error)}); reinstall it"
            f"{', and install the Microsoft Visual C++ redistributable' if os.name == 'nt' else ''}"
        ) from error
    if not hasattr(onnxruntime, "InferenceSession"):  # what is left after one of the two was uninstalled
        raise MissingPackageError(
            "onnxruntime is broken: the cpu and gpu packages overwrote each other; "
            f"{sys.executable} -m pip uninstall onnxruntime onnxruntime-gpu, then "
            f"{install_command('abxfast[cpu]')}, or abxfast[gpu] in its place"
        )
    return onnxruntime


def _session_options(ort: Any) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # errors are raised as exceptions
    return options
