"""Open encoders: check that a file keeps the contract, and compute vectors with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abxfast.encoders.contract import INPUT_NAME, OUTPUT_NAME, EncoderInfo
from abxfast.encoders.locations import find_encoder
from abxfast.encoders.model_file import read_model_file
from abxfast.encoders.runtime import check_provider, first_line, is_runtime_error, open_session, run_options
from abxfast.encoders.time_limit import TimeLimit
from abxfast.errors import EncoderError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

DEFAULT_TIMEOUT_S = 600.0
"""Seconds that one call of the graph may take: some hundred times what a large encoder needs for 60 s of audio."""
GPU_BATCH_S = 160.0
"""Maximum seconds of audio in one batch on a GPU."""
_INPUT_AXES = ("batch", "samples")
_OUTPUT_AXES = ("batch", "variants", "dim")


class Encoder:
    """An open encoder, checked against the contract.

    Parameters
    ----------
    path : Path
        The ONNX file.
    provider : str
        ``auto``, or a key of `PROVIDERS`.
    timeout_s : float
        Seconds after which a call of the graph is given up.

    Attributes
    ----------
    path : Path
    info : EncoderInfo
        What the file declares about itself.
    sha256 : str
        SHA-256 of the file and of its external weights, 64 hexadecimal digits.
    provider : str
        The provider that runs it.
    batches : bool
        Whether `encode` runs several waveforms at once. Never on the CPU, see `encode`.

    Raises
    ------
    EncoderError
        If the file is not an encoder, or the provider is not available.
    MissingPackageError
        If onnxruntime is not installed.

    Notes
    -----
    The session runs on the calling thread (``intra_op_num_threads=1``) and may be called from many threads at once. One
    thread per snippet takes 28% less processor time than all threads on one snippet at 1 s, 11% less at 10 s and 2%
    less at 30 s, with one copy of the weights. The memory arena is on: without it, large buffers are allocated and
    freed at each run, which cost 40% of the speed of two threads. Measured by ``benchmarks/encoding/session.py``; table
    in ``benchmarks/RESULTS.md``.
    """

    def __init__(self, path: Path, provider: str = "auto", *, timeout_s: float = DEFAULT_TIMEOUT_S) -> None:
        check_provider(provider)
        self.path = path
        self._limit = TimeLimit(timeout_s)
        self._file = read_model_file(path)
        self._stamp, self.sha256 = self._file.stamp(), self._file.sha256()
        self._session, self.provider = open_session(path, provider)
        self.check_unchanged()
        self.batches = self.provider != "cpu"
        self._dim = 0
        try:
            metadata = self._session.get_modelmeta().custom_metadata_map
            self.info = EncoderInfo.from_metadata(metadata, str(path))
            self._check_signature()
        except UnicodeDecodeError as error:
            raise self._violation("names or metadata are not UTF-8") from error
        try:
            self._check_outputs()
        finally:
            self.stop_watching()

    @property
    def dim(self) -> int:
        """Number of dimensions of a vector."""
        return self._dim

    def encode(self, waves: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute the vectors of snippets of equal length.

        On the CPU each snippet is run by itself, so that its vector is the same bit for bit whatever else is in the
        batch: dynamic int8 scales activations over the whole batch, and the batch size selects matrix kernels.

        Parameters
        ----------
        waves : ndarray of float32, shape (batch, samples)
            Mono waveforms in [−1, 1] at ``info.sample_rate_hz``, of at least ``info.least_samples`` samples and at
            most ``info.most_samples``.

        Returns
        -------
        ndarray of float32, shape (batch, variants, dim)

        Raises
        ------
        EncoderError
            If the graph fails, returns NaN or infinity, or takes longer than the time limit.
        """
        batch_size = len(waves) if self.batches else 1
        batches = [self._run(waves[i : i + batch_size]) for i in range(0, len(waves), batch_size)]
        return batches[0] if len(batches) == 1 else np.concatenate(batches)

    def stop_watching(self) -> None:
        """End the thread that watches how long calls take, once there are no more; another call starts it again."""
        self._limit.stop()

    def check_unchanged(self) -> None:
        """Check that the files are as they were when they were hashed: onnxruntime maps external weights into memory.

        Raises
        ------
        EncoderError
            If one was written to or replaced; vectors computed since the last check may be those of other weights.
        """
        if self._file.stamp() != self._stamp:
            raise EncoderError(f"{self.path}: changed while it was in use; try again once it is complete")

    def _run(self, waves: NDArray[np.float32]) -> NDArray[np.float32]:
        options = run_options()
        try:
            with self._limit.watch(options):
                vectors: NDArray[np.float32] = self._session.run([OUTPUT_NAME], {INPUT_NAME: waves}, options)[0]
        except Exception as error:
            if options.terminate:
                raise EncoderError(
                    f"{self.path}: is given up on {waves.shape[1]} samples: it took longer than "
                    f"{self._limit.seconds:g} s; use a smaller encoder, or raise `timeout_s`"
                ) from error
            if is_runtime_error(error):
                raise EncoderError(f"{self.path}: fails on {waves.shape[1]} samples: {first_line(error)}") from error
            raise
        shape, leading = vectors.shape, (len(waves), len(self.info.variants))
        if len(shape) != len(_OUTPUT_AXES) or shape[:2] != leading or shape[2] != (self._dim or max(1, shape[2])):
            raise self._violation(
                f"{OUTPUT_NAME!r} is {list(shape)} for waveforms of {list(waves.shape)}, "
                f"expected [{leading[0]}, {leading[1]}, {self._dim or 'dim'}]"
            )
        if not np.isfinite(vectors).all():
            raise EncoderError(
                f"{self.path}: returns NaN or infinity for {waves.shape[1]} samples; export it with another `precision`"
            )
        return vectors

    def _check_signature(self) -> None:
        """Check names, types and axes of the inputs and outputs."""
        inputs = {value.name: value for value in self._session.get_inputs()}
        outputs = {value.name: value for value in self._session.get_outputs()}
        if list(inputs) != [INPUT_NAME]:
            raise self._violation(f"expected the single input {INPUT_NAME!r}, found {', '.join(inputs) or 'none'}")
        if OUTPUT_NAME not in outputs:
            raise self._violation(f"expected an output {OUTPUT_NAME!r}, found {', '.join(outputs)}")
        for value, axes in ((inputs[INPUT_NAME], _INPUT_AXES), (outputs[OUTPUT_NAME], _OUTPUT_AXES)):
            if value.type != "tensor(float)":
                raise self._violation(f"{value.name!r} is {value.type}, expected tensor(float)")
            if len(value.shape) != len(axes):
                raise self._violation(f"{value.name!r} has shape {value.shape}, expected [{', '.join(axes)}]")
        shape = inputs[INPUT_NAME].shape
        if any(isinstance(size, int) for size in shape):
            raise self._violation(f"{INPUT_NAME!r} has the fixed shape {shape}, expected a free batch and length")

    def _check_outputs(self) -> None:
        """Check the outputs for silence, and set the dimension of the vectors.

        A graph that does not pool has one frame at its minimum length, and more than one in a longer waveform.
        """
        shortest = self.info.least_samples
        longer = 2 * shortest + 3 * self.info.frame_hop_samples
        for batch, samples in ((1, shortest), (2, shortest), (1, min(longer, self.info.most_samples or longer))):
            self._dim = self._run(np.zeros((batch, samples), np.float32)).shape[2]

    def _violation(self, problem: str) -> EncoderError:
        return EncoderError(f"{self.path}: does not keep the encoder contract: {problem}; export it again")


def open_encoder(name: str | Path, provider: str = "auto", *, timeout_s: float = DEFAULT_TIMEOUT_S) -> Encoder:
    """Open an encoder by name or path.

    Parameters
    ----------
    name : str or Path
        See `find_encoder`.
    provider : str
        ``auto``, or a key of `PROVIDERS`.
    timeout_s : float
        Seconds after which a call of the graph is given up.

    Raises
    ------
    EncoderError
        If there is no such encoder, it does not keep the contract, or the provider is not available.
    MissingPackageError
        If onnxruntime is not installed.
    """
    return Encoder(find_encoder(name), provider, timeout_s=timeout_s)
