"""What an export needs to know about a model before any weight is read: one class for each family of models."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from abxfast.export.graph import Graph
    from abxfast.export.linear import LinearLayers

    ComputeStates = Callable[[NDArray[np.float32]], Sequence[NDArray[np.float32]]]

SAMPLE_RATE_HZ = 16_000


@dataclass(frozen=True, kw_only=True)
class Architecture(ABC):
    """The shape of a model: a front end, which each family has its own of, and transformer blocks, which all share.

    Names of weights are those of wav2vec 2.0 (``encoder.layers.0.attention.q_proj.weight``) in every family; see
    `checkpoint_name`.

    Attributes
    ----------
    model_type : str
        As in config.json.
    hidden_size : int
        Width of the transformer.
    n_blocks, n_heads : int
        Transformer blocks, and attention heads of each.
    feed_forward_size : int
        Width of the hidden layer of a block's feed-forward network.
    pre_norm : bool
        Whether blocks apply the layer norm before attention and feed-forward network, or after.
    adapter_size : int
        Width of the adapter in each block; 0 if there is none.
    norm_eps : float
        Epsilon of the layer norms of the transformer.
    key_bias : bool
        Whether the projection to keys has a bias.
    pad_samples : int
        Samples to which shorter snippets are padded with silence; 0 for none.
    """

    unused_weights: ClassVar[re.Pattern[str]]
    """Names of weights that a checkpoint may have and the graph does not use."""
    weight_norms: ClassVar[tuple[str, ...]] = ()
    """Names of convolutions whose weight is stored as norm and direction."""
    row_scaled: ClassVar[frozenset[str]] = frozenset()
    """Kinds of inputs of linear layers that have few frames with much larger values; see `LinearLayers`."""

    model_type: str
    hidden_size: int
    n_blocks: int
    n_heads: int
    feed_forward_size: int
    pre_norm: bool = True
    adapter_size: int = 0
    norm_eps: float = 1e-5
    key_bias: bool = True
    pad_samples: int = 0

    @property
    @abstractmethod
    def hop_samples(self) -> int:
        """Samples between consecutive frames."""

    @property
    @abstractmethod
    def least_samples(self) -> int:
        """Samples of the shortest waveform that has a frame."""

    @property
    def most_samples(self) -> int | None:
        """Samples of the longest waveform that the model takes; None if there is no such limit."""
        return None

    @property
    def convolution_inputs(self) -> tuple[str, ...]:
        """Names of inputs of the front end whose layers are convolutions unless they are in int8."""
        return ()

    @property
    @abstractmethod
    def weight_prefix(self) -> str:
        """Prefix of the names of weights in a model with a head."""

    def checkpoint_name(self, name: str) -> str:
        """Return the name of a weight in a checkpoint, without `weight_prefix`."""
        return name

    @abstractmethod
    def read_preprocessor(self, settings: Mapping[str, Any] | None, file: str) -> tuple[bool, str]:
        """Return whether waveforms are normalised to zero mean and unit variance, and where that is declared.

        Parameters
        ----------
        settings : mapping or None
            Content of preprocessor_config.json, if there is one.
        file : str
            Name of that file.

        Raises
        ------
        ExportError
            If the settings are not supported.
        """

    @abstractmethod
    def front_end_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the weights up to hidden state 0, by name."""

    @abstractmethod
    def front_end_multiplications(self) -> dict[str, int]:
        """Return the multiplications per frame up to hidden state 0, by the name of the layer's input."""

    @abstractmethod
    def add_front_end(
        self,
        g: Graph,
        wave: str,
        weights: Mapping[str, NDArray[np.float32]],
        layers: LinearLayers,
        chunk_frames: int = 0,
    ) -> str:
        """Add everything up to hidden state 0 to a graph.

        Parameters
        ----------
        g : Graph
        wave : str
            Waveforms ``[batch, samples]``.
        weights : mapping of str to ndarray
            See `read_weights`.
        layers : LinearLayers
        chunk_frames : int
            Frames that are computed at once, if the front end can; 0 for all.

        Returns
        -------
        str
            Hidden state 0: ``[batch, frames, hidden]``.
        """

    def add_snippet_frames(self, g: Graph, wave: str) -> str | None:
        """Add the number of frames without those of padding, int64 ``(1,)``; return None if there is no padding."""
        del g, wave
        return None

    @abstractmethod
    def reference(self, model: Any, extract: Any, *, normalise: bool) -> ComputeStates:
        """Return the function that computes the hidden states of a waveform in transformers.

        Parameters
        ----------
        model : transformers.PreTrainedModel
        extract : transformers feature extractor or None
            None if the checkpoint has no preprocessor_config.json.
        normalise : bool
            See `read_preprocessor`.

        Returns
        -------
        callable
            Takes a waveform, float32 ``(samples,)``, and returns its hidden states, each ``(frames, hidden)``, without
            the frames of padding.
        """


def normalise_wave(wave: NDArray[np.float32], epsilon: float = 1e-7) -> NDArray[np.float32]:
    """Return a waveform with zero mean and unit variance, as transformers computes it."""
    normalised: NDArray[np.float32] = (wave - wave.mean()) / (wave.var() + epsilon) ** 0.5
    return normalised
