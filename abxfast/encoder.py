"""Encoders: ONNX files that keep the contract, opened and run. The one module that imports onnxruntime."""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import platformdirs

from abxfast.contract import INPUT_NAME, OUTPUT_NAME, EncoderInfo
from abxfast.errors import EncoderError, MissingPackageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

DEFAULT = "mfcc"
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
    The session runs on the thread that calls it (``intra_op_num_threads=1``) and may be called from many at once: one
    snippet a thread was as fast as, or faster than, all threads on one snippet or batch (measured with the shape of
    XLSR-53), holds the weights once, and leaves no thread to spin. The memory arena is off: snippets come in several
    lengths, the arena keeps the largest of each, and going without cost no measurable time.
    """

    def __init__(self, path: Path, provider: str = "auto") -> None:
        if provider != "auto" and provider not in PROVIDERS:
            raise EncoderError(f"--provider: found {provider!r}, expected auto, {', '.join(PROVIDERS)}")
        self.path = path
        self.sha256 = _sha256(path)
        self._session, self.provider = _open(path, provider)
        self.batches = self.provider != "cpu"
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
                reason = str(error).strip().splitlines()[0]
                raise EncoderError(f"{self.path.name}: failed on {waves.shape[1]} samples: {reason}") from error
            raise
        if not np.isfinite(vectors).all():
            raise EncoderError(f"{self.path.name}: gives NaN or infinity; take another precision")
        return vectors

    def _check(self) -> None:
        """Hold the graph against the contract, on silence of the least length."""
        inputs = {value.name: value for value in self._session.get_inputs()}
        outputs = {value.name: value for value in self._session.get_outputs()}
        for name, found, rank in ((INPUT_NAME, inputs, 2), (OUTPUT_NAME, outputs, 3)):
            if name not in found or (found is inputs and len(inputs) > 1):
                raise self._broken(f"expected {name!r} alone, found {', '.join(found) or 'none'}")
            if found[name].type != "tensor(float)":
                raise self._broken(f"{name!r} is {found[name].type}, expected tensor(float)")
            if len(found[name].shape) != rank:
                raise self._broken(f"{name!r} has {len(found[name].shape)} axes, expected {rank}")
        shape = inputs[INPUT_NAME].shape
        if any(isinstance(size, int) for size in shape):
            raise self._broken(f"{INPUT_NAME!r} has the fixed shape {shape}, expected a free batch and length")
        quiet = np.zeros((2, self.info.least_samples), np.float32)
        for batch in (1, 2):
            try:
                vectors = self._run(quiet[:batch])
            except EncoderError as error:
                raise self._broken(f"it fails on silence of its own least length: {error}") from error
            if vectors.ndim != rank or vectors.shape[:2] != (batch, len(self.info.variants)):  # noqa: PLR1714
                raise self._broken(
                    f"{OUTPUT_NAME!r} is {list(vectors.shape)} for a batch of {batch}, "
                    f"expected [{batch}, {len(self.info.variants)}, dim]"
                )
        self._dim = int(vectors.shape[2])

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
    if str(name) == DEFAULT:
        return Path(str(files("abxfast") / "mfcc.onnx"))
    path = Path(name)
    if path.is_file():
        return path
    kept = encoders_folder() / f"{name}.onnx"
    if kept.is_file():
        return kept
    known = sorted(file.stem for file in encoders_folder().glob("*.onnx"))
    raise EncoderError(
        f"--encoder: no file {name}, and no encoder of that name; known: {', '.join([DEFAULT, *known])}; "
        f"put yours into {encoders_folder()} or give its path"
    )


def encoders_folder() -> Path:
    """Give the folder of the user's data where named encoders are kept."""
    return Path(platformdirs.user_data_path("abxfast", appauthor=False)) / "encoders"


def usable_threads() -> int:
    """Give the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def runtimes() -> dict[str, str]:
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
    import onnxruntime

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
    problems = []
    for name in wish:
        try:
            session = ort.InferenceSession(
                str(path), sess_options=_options(ort), providers=[PROVIDERS[name]], enable_fallback=0
            )
        except Exception as error:
            if not type(error).__module__.startswith("onnxruntime"):
                raise
            problems.append(str(error).strip().splitlines()[0])
            continue
        # onnxruntime takes the CPU in silence where a provider's libraries do not load.
        if session.get_providers()[0] == PROVIDERS[name]:
            if problems:
                logger.warning("cuda is here but does not start (%s); running on %s", problems[0], name)
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
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 4  # what matters comes as an exception
    # On x86 without VNNI, products of int8 with uint8 saturate; this takes the slower kernel there, and there only.
    options.add_session_config_entry("session.x64quantprecision", "1")
    return options


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise EncoderError(f"{path}: cannot be read ({error.strerror})") from error


def describe(path: Path) -> Iterator[tuple[str, str]]:
    """Give what there is to say about an encoder file, as pairs of a word and a value."""
    encoder = Encoder(path, "cpu")
    info = encoder.info
    yield "encoder", info.name
    yield "variants", ", ".join(f"{name}{' (default)' if name == info.default_variant else ''}" for name in info.variants)
    yield "dimensions", str(encoder.dim)
    yield "rate", f"{info.sample_rate_hz} Hz"
    yield "least length", f"{info.least_samples / info.sample_rate_hz:g} s"
    yield "frame hop", f"{1000 * info.frame_hop_samples / info.sample_rate_hz:g} ms"
    yield "normalisation", info.normalisation
    yield "precision", info.precision
    for key, value in (("source", info.source), ("revision", info.revision), ("weights SHA-256", info.sha256)):
        if value:
            yield key, value
    yield "licence", info.licence
    yield "made with", ", ".join(f"{name} {version}" for name, version in info.tools.items())
    if info.parity:
        yield "parity", str(info.parity)
    yield "file SHA-256", encoder.sha256
