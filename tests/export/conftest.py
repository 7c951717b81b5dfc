"""Shared fixtures of the export tests: checkpoints, recordings and encoders are made once."""

import numpy as np
import pytest
import soundfile
from tiny import (
    RATE_HZ,
    SMALL,
    drift_of,
    hidden_states,
    load_checkpoint,
    make_checkpoint,
    make_stress_checkpoint,
    open_model,
    pooled,
    voice,
)

REASON = "needs the export extra: pip install '.[test,export]'"
LAYERS = SMALL["num_hidden_layers"]


@pytest.fixture(scope="session")
def one_thread():
    """Run PyTorch on one thread: spreading products of this size over threads costs more than it gains."""
    torch = pytest.importorskip("torch", reason=REASON)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def checkpoint_of(one_thread, tmp_path_factory):  # noqa: ARG001
    """Return a function that returns the folder of a tiny checkpoint of a form; it is shared, so never write to it."""
    pytest.importorskip("transformers", reason=REASON)
    folders = {}

    def checkpoint(form="xlsr"):
        if form not in folders:
            folder = tmp_path_factory.mktemp("checkpoint")
            folders[form] = make_stress_checkpoint(folder) if form == "stress" else make_checkpoint(folder, form)
        return folders[form]

    return checkpoint


@pytest.fixture(scope="session")
def recordings(tmp_path_factory):
    """Return a folder with 12 s of audio in two voices and rooms: long enough for snippets of 1 s, and no others."""
    folder = tmp_path_factory.mktemp("recordings")
    for i, options in enumerate(({}, {"pitch_hz": 190, "noise": 0.05})):
        soundfile.write(folder / f"tale-{i}.wav", voice(6, i + 40, **options), RATE_HZ)
    return folder


@pytest.fixture(scope="session")
def exported(checkpoint_of, recordings, tmp_path_factory):
    """Return a function that exports an encoder of a form and precision, once."""
    from abxfast.export import export

    results = {}

    def exported(form, precision):
        if (form, precision) not in results:
            results[form, precision] = export(
                str(checkpoint_of(form)),
                tmp_path_factory.mktemp("encoder") / f"{precision}.onnx",
                precision=precision,
                layers=(2, LAYERS),
                poolings=("max", "mean"),
                check=recordings,
            )
        return results[form, precision]

    return exported


@pytest.fixture
def no_smoothing(monkeypatch):
    """Use int8 without smoothing, which the outlier channels of the stress checkpoint ruin."""
    monkeypatch.setattr("abxfast.export.calibration.smoothing_scales", lambda *_, **__: None)


class Calibrated:
    """A checkpoint with its calibration, and the vectors of some snippets in transformers."""

    def __init__(self, folder):
        from abxfast.export.calibration import calibrate
        from abxfast.export.weights import read_weights

        checkpoint = load_checkpoint(folder)
        self.waves = [voice(6, seed) for seed in (100, 101)]
        self.snippets = np.stack([voice(2, seed) for seed in range(12)])
        self.architecture, self.normalise = checkpoint.architecture, checkpoint.normalise
        self.weights = read_weights(checkpoint, LAYERS)
        self.args = (self.architecture, self.weights, self.waves, LAYERS)
        self.calibration = calibrate(*self.args, normalise=self.normalise)
        self.exact = np.stack([pooled(hidden_states(folder, wave)[-1:], ["max"])[0] for wave in self.snippets])

    def peaks(self, weights):
        from abxfast.export.calibration import calibrate

        return calibrate(
            self.architecture, weights, self.waves, LAYERS, normalise=self.normalise, quantize=False
        ).input_peaks

    def model(self, weights=None, **options):
        from abxfast.export.encoder_graph import GraphOptions, build_encoder

        weights = self.weights if weights is None else weights
        return build_encoder(self.architecture, weights, GraphOptions((LAYERS,), **options), normalise=self.normalise)

    def vectors(self, **options):
        session = open_model(self.model(**options))
        return np.stack([session.run(None, {"input_values": wave[None]})[0][0, 0] for wave in self.snippets]).astype(
            float
        )

    def drift(self, **options):
        return drift_of(self.vectors(**options), self.exact).mean()

    def int8_options(self):
        return {
            "precision": "int8",
            "smoothing": self.calibration.smoothing,
            "quantized": self.calibration.quantized,
        }


@pytest.fixture(scope="session")
def calibrated(checkpoint_of):
    """Return a function that calibrates a checkpoint of a form, once."""
    results = {}

    def calibrated(form):
        if form not in results:
            results[form] = Calibrated(checkpoint_of(form))
        return results[form]

    return calibrated
