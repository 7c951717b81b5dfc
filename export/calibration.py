"""Calibration: a checkpoint run stage by stage over real audio, to round its weights where it will use them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from abxfast.encoders import INPUT_NAME
from abxfast.export.frontend import FrontEnd, normalised
from abxfast.export.graph import Graph, value_info
from abxfast.export.linear import Linears, Rounded
from abxfast.export.rounding import Losses, smoothing
from abxfast.export.transformer import Transformer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from abxfast.export.architecture import Architecture
    from abxfast.export.linear import Linear

logger = logging.getLogger(__name__)

MAX_FRAMES = 6_000
"""Rows that the moments of an input are taken from."""
DAMAGE_PIECES = 2
"""Pieces of audio that damages are measured on."""
SAMPLE_FRAMES = 512
"""Rows that the strength of smoothing is chosen on."""


class _Stage(NamedTuple):
    """A stage that was run in fp32: what builds it, its inputs, its outputs, and the inputs of its linear layers."""

    put: Callable[[Graph, Transformer, Linears], str]
    values: list[NDArray[np.float32]]
    out: list[NDArray[np.float32]]
    inputs: dict[str, _Input]


class _Input(NamedTuple):
    """The input of some linear layers: rows of it, the layers, and the greatest |x| of what float16 would hold."""

    x: NDArray[np.float32]
    layers: list[Linear]
    peak: float


class Calibrated(NamedTuple):
    """What `calibrate` gives.

    Attributes
    ----------
    smoothing : dict of str to ndarray of float32
    rounded : dict of str to Rounded
    greatest : list of float
        The greatest |x| of each hidden state, from 0 on.
    peaks : dict of str to float
        The greatest |x| that goes into, stands in, or comes out of the linear layers on an input, in any frame; scores
        of attention count as what comes out of ``qkv``. Empty where weights are rounded, since it takes its time.
    """

    smoothing: dict[str, NDArray[np.float32]]
    rounded: dict[str, Rounded]
    greatest: list[float]
    peaks: dict[str, float]


def calibrate(
    shape: Architecture,
    weights: Mapping[str, NDArray[np.float32]],
    waves: Sequence[NDArray[np.float32]],
    layers: int,
    *,
    normalise: bool,
    rounding: bool = True,
) -> Calibrated:
    """Run a checkpoint in fp32 over audio, a stage at a time, and round what each stage multiplies with.

    A stage is the front end, or one block: no more than one block's weights and inputs are held at once.

    Parameters
    ----------
    shape : Architecture
    weights : mapping of str to ndarray of float32
        See `read_weights`.
    waves : sequence of ndarray of float32, shape (samples,)
        16 kHz mono.
    layers : int
        Blocks that the encoder keeps.
    normalise : bool
    rounding : bool
        Whether weights are rounded at all, or only the hidden states looked at.

    Returns
    -------
    Calibrated
    """
    result = Calibrated({}, {}, [], {})
    stages = _stages(shape, weights, waves, layers, normalise=normalise, peaks=not rounding)
    for stage, (_, _, out, inputs) in enumerate(stages):
        result.greatest.append(max(float(np.abs(value).max()) for value in out))
        for name, (x, linear, peak) in inputs.items():
            if rounding:
                _round(result, name, x, linear, folded=_folded(name, shape))
                continue
            constants = [value for layer in linear for value in (layer.weight, layer.bias) if value is not None]
            result.peaks[name] = max(peak, *(float(np.abs(value).max()) for value in constants))
        if rounding:
            logger.info("rounded stage %d of %d", stage, layers)
    return result


def damages(
    shape: Architecture,
    weights: Mapping[str, NDArray[np.float32]],
    waves: Sequence[NDArray[np.float32]],
    layers: int,
    calibrated: Calibrated,
    *,
    normalise: bool,
) -> dict[str, float]:
    """Measure what each input's rounding costs by itself: the share of a stage's output power that it loses.

    Returns
    -------
    dict of str to float
        By the name of the input; a stage is run in fp32 but for the layers on it.
    """
    found: dict[str, float] = {}
    for put, values, out, inputs in _stages(shape, weights, waves[:DAMAGE_PIECES], layers, normalise=normalise):
        names = [*inputs, *(["position"] if "projection" in inputs else [])]
        power = sum(float(np.square(value - value.mean(axis=1, keepdims=True)).sum()) for value in out)
        for name in names:
            kept = frozenset(names) - {name}
            linears = Linears("int8", kept, calibrated.rounded)
            rough, _ = _run(put, Transformer(shape, weights, linears, calibrated.smoothing), linears, values)
            lost = sum(float(np.square(a - b).sum()) for a, b in zip(rough, out, strict=True))
            found[name] = lost / max(power, 1e-30)
    return found


def _stages(
    shape: Architecture,
    weights: Mapping[str, NDArray[np.float32]],
    waves: Sequence[NDArray[np.float32]],
    layers: int,
    *,
    normalise: bool,
    peaks: bool = False,
) -> Iterator[_Stage]:
    """Run the stages in fp32, one after another; see `_run`."""

    def front(g: Graph, transformer: Transformer, linears: Linears) -> str:
        wave = normalised(g, INPUT_NAME) if normalise else INPUT_NAME
        return transformer.embed(g, FrontEnd(shape, weights, linears, chunk=0).put(g, wave))

    values: list[NDArray[np.float32]] = [wave[None] for wave in waves]
    for stage in range(layers + 1):

        def block(g: Graph, transformer: Transformer, linears: Linears, i: int = stage - 1) -> str:  # noqa: ARG001
            return transformer.block(g, INPUT_NAME, i)

        put = block if stage else front
        linears = Linears(watched={})
        out, inputs = _run(put, Transformer(shape, weights, linears, {}), linears, values, measured=peaks)
        yield _Stage(put, values, out, inputs)
        values = out


def _folded(name: str, shape: Architecture) -> bool | None:
    """Tell whether smoothing an input costs nothing at run time; None where it cannot be smoothed."""
    kind = name.rpartition(".")[2]
    if kind not in ("qkv", "out", "ffn1", "ffn2"):
        return None
    return kind == "out" or (kind in ("qkv", "ffn1") and shape.stable)


def _round(result: Calibrated, name: str, x: NDArray[np.float32], layers: list[Linear], *, folded: bool | None) -> None:
    if folded is not None:
        together = np.concatenate([layer.weight for layer in layers], axis=1)
        scale = smoothing(_telling(x), together, folded=folded)
        if scale is not None:
            result.smoothing[name] = scale
            x = x / scale
            if name.endswith(".out"):  # the values, rounded already, are divided: their columns' scales take it
                of_value = name.removesuffix("out") + "v"
                weight8, columns = result.rounded[of_value]
                result.rounded[of_value] = Rounded(weight8, columns / scale)
            layers = [layer._replace(weight=layer.weight * scale[:, None]) for layer in layers]
    losses = Losses(x)
    for layer in layers:
        result.rounded[layer.name] = losses.round_weights(layer.weight)


def _telling(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give frames that stand for all: every so many, and for each channel the one where it is greatest.

    A single frame with an outlier sets the step of all frames of its snippet.
    """
    rows = np.union1d(np.arange(0, len(x), max(1, len(x) // SAMPLE_FRAMES)), np.abs(x).argmax(axis=0))
    telling: NDArray[np.float32] = x[rows]
    return telling


def _run(
    put: Callable[[Graph, Transformer, Linears], str],
    transformer: Transformer,
    linears: Linears,
    values: Sequence[NDArray[np.float32]],
    *,
    measured: bool = False,
) -> tuple[list[NDArray[np.float32]], dict[str, _Input]]:
    """Run one stage over each value; give its outputs, and what is watched, frames one after another.

    Peaks are 0 unless they are to be measured.
    """
    import onnxruntime

    g = Graph()
    out = put(g, transformer, linears)
    watched = linears.watched or {}
    peaks: dict[str, list[str]] = {name: [] for name in watched}
    for name, one in watched.items() if measured else ():
        numbers = [*one.numbers, *([transformer.scores(g, *one.attention)] if one.attention else [])]
        peaks[name] = [g("ReduceMax", g("Abs", number)) for number in numbers]
    names = list(
        dict.fromkeys([out, *(one.value for one in watched.values()), *(n for some in peaks.values() for n in some)])
    )
    model = g.model("stage", [value_info(INPUT_NAME, [None] * values[0].ndim)], [value_info(n, None) for n in names])
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    del model
    outputs: list[NDArray[np.float32]] = []
    parts: dict[str, list[NDArray[np.float32]]] = {name: [] for name in watched}
    greatest = dict.fromkeys(watched, 0.0)
    share = max(1, MAX_FRAMES // len(values))
    for value in values:
        found = dict(zip(names, session.run(None, {INPUT_NAME: value}), strict=True))
        outputs.append(found[out])
        for name, one in watched.items():
            rows = found[one.value].reshape(-1, found[one.value].shape[-1])
            parts[name].append(rows[:: max(1, -(-len(rows) // share))].copy())
            greatest[name] = max([greatest[name], *(float(found[peak].max()) for peak in peaks[name])])
    return outputs, {
        name: _Input(np.concatenate(parts[name]), one.layers, greatest[name]) for name, one in watched.items()
    }
