"""The input of ``benchmarks/encoding/embed.py``: seeded checkpoints, plain exports, abxfast's encoders, snippets."""

from __future__ import annotations

import shutil
import subprocess
import sys

import numpy as np
from runners import load_truncated, run_pooled

RATE_HZ = 16_000
N_SNIPPETS = 50
LENGTHS_S = (1, 5, 10, 20)
DRIFT_S = 10


def abxfast_command():
    """Return the command line that starts abxfast in this environment."""
    return [sys.executable, "-c", "from abxfast.cli.app import main; main()"]


def make(folder, speech, *, gpu):
    """Make the checkpoints, exports and snippets that are missing."""
    folder.mkdir(parents=True, exist_ok=True)
    cut_snippets(folder, speech)
    if not (folder / "full").exists():
        make_checkpoint(folder / "full")
    if not (folder / "stress").exists():
        make_stress(folder / "full", folder / "stress")
    for name in ("full", "stress"):
        if not (folder / f"{name}.plain8.onnx").exists():
            export_plain(folder / name, folder / f"{name}.plain.onnx", folder / f"{name}.plain8.onnx")
    precisions = [("full", "fp32"), ("full", "int8"), ("stress", "int8"), *([("full", "fp16")] if gpu else [])]
    for name, precision in precisions:
        path = folder / f"{name}.{precision}.onnx"
        check = (
            speech if precision == "int8" else folder / "check"
        )  # only int8 is calibrated on it; for the others, 12 s do
        if not path.exists():
            command = [
                *abxfast_command(),
                "export",
                folder / name,
                "-o",
                path,
                "--precision",
                precision,
                "--check",
                check,
            ]
            subprocess.run(command, check=True)  # noqa: S603


def read_prompts(speech):
    """Return the mono recordings of a folder and their rate; those of another rate than the first are left out."""
    import soundfile

    recordings = [soundfile.read(path, dtype="float32", always_2d=True) for path in sorted(speech.rglob("*.wav"))]
    if not recordings:
        raise SystemExit(f"{speech}: contains no wav file; fetch some with benchmarks/studies/speech.py --fetch")
    rate_hz = recordings[0][1]
    return [wave.mean(axis=1) for wave, rate in recordings if rate == rate_hz], rate_hz


def cut_snippets(folder, speech):
    """Cut snippets of each length, spread evenly over the joined recordings, and 12 s for the check of fp32."""
    import soundfile
    import soxr

    if (folder / "check").exists():
        return
    prompts, rate_hz = read_prompts(speech)
    wave = soxr.resample(np.concatenate(prompts), rate_hz, RATE_HZ)
    for length_s in LENGTHS_S:
        size = length_s * RATE_HZ
        starts = np.linspace(0, len(wave) - size, N_SNIPPETS).astype(int)
        np.save(folder / f"snippets-{length_s}.npy", np.stack([wave[start : start + size] for start in starts]))
    (folder / "check").mkdir()
    soundfile.write(folder / "check/12s.wav", wave[: 12 * RATE_HZ], RATE_HZ)


def make_checkpoint(folder):
    """Save a model in the shape of XLSR-53 with seeded weights."""
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2ForPreTraining

    config = Wav2Vec2Config(
        hidden_size=1024,
        num_hidden_layers=24,
        num_attention_heads=16,
        intermediate_size=4096,
        do_stable_layer_norm=True,
        feat_extract_norm="layer",
        conv_bias=True,
        codevector_dim=768,
        proj_codevector_dim=768,
    )
    torch.manual_seed(0)
    Wav2Vec2ForPreTraining(config).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=True).save_pretrained(folder)


def make_stress(source, folder):
    """Copy a checkpoint and add outlier channels, 20 times as large, to the residual stream and the feed-forward."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(source, folder)
    weights = load_file(source / "model.safetensors")
    residual, inner = [7, 300, 511, 900], [11, 222, 1033, 1444, 2055, 2666, 3277, 3888]
    for i in range(24):
        name = f"wav2vec2.encoder.layers.{i}.feed_forward."
        if i < 20:  # noqa: PLR2004 - the last four blocks bring them back
            weights[name + "output_dense.weight"][residual] *= 20
            weights[name + "output_dense.bias"][residual] *= 20
        weights[name + "intermediate_dense.weight"][inner] *= 20
        weights[name + "intermediate_dense.bias"][inner] *= 20
        weights[name + "output_dense.weight"][:, inner] /= 20
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def export_plain(source, path, path8):
    """Export with Optimum, and quantise the MatMuls with onnxruntime."""
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from optimum.exporters.onnx import export
    from optimum.exporters.onnx.model_configs import Wav2Vec2OnnxConfig
    from transformers import Wav2Vec2PreTrainedModel

    class Pooled(Wav2Vec2PreTrainedModel):
        def __init__(self, model):
            super().__init__(model.config)
            self.model = model

        def forward(self, input_values):
            return {"embeddings": run_pooled(self.model, input_values)}

    class Config(Wav2Vec2OnnxConfig):
        inputs = {"input_values": {0: "batch", 1: "samples"}}  # noqa: RUF012
        outputs = {"embeddings": {0: "batch"}}  # noqa: RUF012

    model = load_truncated(source, "eager")
    torch.nn.utils.parametrize.remove_parametrizations(model.encoder.pos_conv_embed.conv, "weight")
    export(Pooled(model).eval(), Config(model.config, task="feature-extraction"), path, opset=17)
    quantize_dynamic(path, path8, op_types_to_quantize=["MatMul"], weight_type=QuantType.QInt8, per_channel=True)
