"""Encoders: ONNX files that keep the contract, opened and run. The one module that imports onnxruntime."""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import platformdirs

from abxfast.encoders.contract import INPUT_NAME, OUTPUT_NAME, EncoderInfo
from abxfast.errors import EncoderError, MissingPackageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

DEFAULT_ENCODER = "mfcc"
PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "migraphx": "MIGraphXExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "dml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
}
AUTO = ("cuda", "cpu")
"""What ``auto`` tries, best first: the providers that run graphs of any length without compiling each anew."""
_OUTPUT_AXES = ("batch", "variants", "dim")
GPU_BATCH_S = 160.0
"""Seconds of audio that one batch on a GPU holds at most."""


class Encoder:
    """An encoder that is open and has shown that it keeps the contract.

    Parameters
    ----------
    path : Path
        The ONNX file.
    provider : str
        ``auto``, or a key of `PROVIDERS`.

    Attributes
    ----------
    path : Path
    info : EncoderInfo
        What the file says of itself.
    sha256 : str
        Of the file.
    provider : str
        What runs it.
    batches : bool
        Whether `encode` gains by several waveforms at once. Never on the CPU, see `encode`.

    Raises
    ------
    EncoderError
        Where the file is not an encoder, or the provider is not there.
    MissingPackageError
        Where onnxruntime is not installed.

    Notes
    -----
    The session runs on the thread that calls it (``intra_op_num_threads=1``) and may be called from many at once. A
    thread a snippet spent 3 to 30 % less processor time than all threads on one snippet, most at 1 s, and holds the
    weights once. The memory arena is on: without it every large value is fetched from the system anew and handed back,
    which cost 40 % of the speed of two threads.
    ``benchmarks/encoding/session.py`` measures this; ``benchmarks/RESULTS.md`` has the table.
    """

    def __init__(self, path: Path, provider: str = "auto") -> None:
        if provider != "auto" and provider not in PROVIDERS:
            raise EncoderError(f"--provider: found {provider!r}, expected auto, {', '.join(PROVIDERS)}")
        self.path = path
        self.sha256 = _sha256(path)
        self._session, self.provider = _open(path, provider)
        self.batches = self.provider != "cpu"
        self._dim = 0
        self.info = EncoderInfo.from_metadata(self._session.get_modelmeta().custom_metadata_map, str(path))
        self._check()

    def encode(self, waves: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give the vectors of snippets of one length.

        On the CPU each snippet is run by itself, so that its vector is the same bit for bit in any company: dynamic
        int8 scales activations over the whole batch, and matrix kernels are chosen by its size.

        Parameters
        ----------
        waves : ndarray of float32, shape (batch, samples)
            Mono, at ``info.sample_rate_hz``, at least ``info.least_samples`` long.

        Returns
        -------
        ndarray of float32, shape (batch, variants, dim)

        Raises
        ------
        EncoderError
            Where the graph fails, or gives a value that is not a number.
        """
        step = len(waves) if self.batches else 1
        parts = [self._run(waves[i : i + step]) for i in range(0, len(waves), step)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self._dim

    def _run(self, waves: NDArray[np.float32]) -> NDArray[np.float32]:
        try:
            vectors: NDArray[np.float32] = self._session.run([OUTPUT_NAME], {INPUT_NAME: waves})[0]
        except Exception as error:
            if type(error).__module__.startswith("onnxruntime"):
                raise EncoderError(f"{self.path}: fails on {waves.shape[1]} samples: {_reason(error)}") from error
            raise
        shape, lead = vectors.shape, (len(waves), len(self.info.variants))
        if len(shape) != len(_OUTPUT_AXES) or shape[:2] != lead or shape[2] != (self._dim or max(1, shape[2])):
            raise self._broken(
                f"{OUTPUT_NAME!r} is {list(shape)} for waveforms of {list(waves.shape)}, "
                f"expected [{lead[0]}, {lead[1]}, {self._dim or 'dim'}]"
            )
        if not np.isfinite(vectors).all():
            raise EncoderError(
                f"{self.path}: gives NaN or infinity for {waves.shape[1]} samples; take another precision"
            )
        return vectors

    def _check(self) -> None:
        """Hold the graph against the contract, also on silence of the least length and on something longer."""
        inputs = {value.name: value for value in self._session.get_inputs()}
        outputs = {value.name: value for value in self._session.get_outputs()}
        if list(inputs) != [INPUT_NAME]:
            raise self._broken(f"expected the one input {INPUT_NAME!r}, found {', '.join(inputs) or 'none'}")
        if OUTPUT_NAME not in outputs:
            raise self._broken(f"expected an output {OUTPUT_NAME!r}, found {', '.join(outputs)}")
        for value, axes in ((inputs[INPUT_NAME], ("batch", "samples")), (outputs[OUTPUT_NAME], _OUTPUT_AXES)):
            if value.type != "tensor(float)":
                raise self._broken(f"{value.name!r} is {value.type}, expected tensor(float)")
            if len(value.shape) != len(axes):
                raise self._broken(f"{value.name!r} has shape {value.shape}, expected [{', '.join(axes)}]")
        shape = inputs[INPUT_NAME].shape
        if any(isinstance(size, int) for size in shape):
            raise self._broken(f"{INPUT_NAME!r} has the fixed shape {shape}, expected a free batch and length")
        least = self.info.least_samples
        # A graph that forgot to pool has one frame at its least length, and more in what is longer.
        for batch, samples in ((1, least), (2, least), (1, 2 * least + 3 * self.info.frame_hop_samples)):
            self._dim = self._run(np.zeros((batch, samples), np.float32)).shape[2]

    def _broken(self, what: str) -> EncoderError:
        return EncoderError(f"{self.path}: does not keep the encoder contract: {what}; export it again")


def open_encoder(name: str | Path, provider: str = "auto") -> Encoder:
    """Open an encoder by its name or its path (see `find_encoder`)."""
    return Encoder(find_encoder(name), provider)


def find_encoder(name: str | Path) -> Path:
    """Give the file of an encoder: ``mfcc`` of the package, a path, or a name in the user's data folder.

    Raises
    ------
    EncoderError
        Where there is none.
    """
    if str(name) == DEFAULT_ENCODER:
        return Path(str(files("abxfast.encoders") / "mfcc.onnx"))
    path = Path(name)
    if path.is_file():
        return path
    kept = encoders_folder() / f"{name}.onnx"
    if kept.is_file():
        return kept
    known = sorted(file.stem for file in encoders_folder().glob("*.onnx"))
    raise EncoderError(
        f"--encoder: no file {name}, and no encoder of that name; known: {', '.join([DEFAULT_ENCODER, *known])}; "
        f"put yours into {encoders_folder()} or give its path"
    )


def encoders_folder() -> Path:
    """Give the folder of the user's data where named encoders are kept."""
    return Path(platformdirs.user_data_path("abxfast", appauthor=False)) / "encoders"


def installed_runtimes() -> dict[str, str]:
    """Give the installed distributions that bring onnxruntime, and their versions."""
    from importlib.metadata import distributions

    found = {(dist.metadata["Name"] or "").lower(): dist.version for dist in distributions()}
    return {name: version for name, version in sorted(found.items()) if name.startswith("onnxruntime")}


def available_providers() -> list[str]:
    """Give the providers that the installed onnxruntime brings, by the names that ``--provider`` takes."""
    present = _onnxruntime().get_available_providers()
    return [name for name, long in PROVIDERS.items() if long in present]


def _onnxruntime() -> Any:
    if importlib.util.find_spec("onnxruntime") is None:
        raise MissingPackageError(
            "onnxruntime is not installed; install abxfast with one of the extras cpu and gpu: pip install '.[cpu]'"
        )
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingPackageError(
            f"onnxruntime is installed but does not load ({_reason(error)}); install it anew"
            f"{', and the Visual C++ redistributable of Microsoft' if os.name == 'nt' else ''}"
        ) from error
    if not hasattr(onnxruntime, "InferenceSession"):  # what is left when one of the two was uninstalled
        raise MissingPackageError(
            "onnxruntime is broken: cpu and gpu overwrote each other; "
            "pip uninstall onnxruntime onnxruntime-gpu, then install one of the extras cpu and gpu anew"
        )
    return onnxruntime


def _open(path: Path, provider: str) -> tuple[Any, str]:
    """Start a session on the first provider of the wish that works; a provider asked for by name has no second."""
    ort = _onnxruntime()
    present = available_providers()
    if provider != "auto" and provider not in present:
        extra = "; install the gpu extra in place of cpu" if provider == "cuda" else ""
        raise EncoderError(f"--provider {provider}: not here; this onnxruntime brings {', '.join(present)}{extra}")
    wish = [name for name in AUTO if name in present] if provider == "auto" else [provider]
    options = _options(ort)
    if _int8_saturates():
        options.add_session_config_entry("session.x64quantprecision", "1")
    problems = []
    for name in wish:
        try:
            session = ort.InferenceSession(
                str(path), sess_options=options, providers=[PROVIDERS[name]], enable_fallback=0
            )
        except Exception as error:
            if not type(error).__module__.startswith("onnxruntime"):
                raise
            problems.append(_reason(error))
            continue
        # onnxruntime takes the CPU in silence where a provider's libraries do not load.
        if session.get_providers()[0] == PROVIDERS[name]:
            if problems:
                logger.warning("%s is here but does not start (%s); running on %s", wish[0], problems[0], name)
            logger.info("%s runs on %s", path.name, name)
            return session, name
        problems.append(f"the libraries of {name} do not load")
    if provider not in ("auto", "cpu"):
        raise EncoderError(f"--provider {provider}: does not start: {problems[0]}; try --provider cpu")
    raise EncoderError(f"{path}: is not an ONNX file that can be opened: {problems[-1]}")


def _options(ort: Any) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what matters comes as an exception
    return options


@cache
def _int8_saturates() -> bool:
    """Tell whether int8 products come out wrong on this processor unless they are asked not to, by trying one.

    On x86 without VNNI they do: 16 bits hold no two products of 255 and 127. Where they do not, asking costs a factor
    of three (measured with AMX), so it is asked for where it is needed only.
    """
    ort = _onnxruntime()
    session = ort.InferenceSession(
        str(files("abxfast.encoders") / "saturation.onnx"),
        sess_options=_options(ort),
        providers=["CPUExecutionProvider"],
    )
    (product,) = session.run(None, {"x": np.full((8, 64), 255, np.uint8)})
    return bool((product != 64 * 255 * 127).any())


def _reason(error: Exception) -> str:
    """Give the first line of what a library says."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise EncoderError(f"{path}: cannot be read ({error.strerror})") from error
