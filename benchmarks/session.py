"""Which onnxruntime session runs snippets best on this CPU: threads, spinning, arena.

    python benchmarks/session.py --make blocks.onnx     # needs the export extra
    python benchmarks/session.py blocks.onnx

The file it makes has the width of XLSR-53 (hidden 1,024, 16 heads, FFN 4,096), 4 blocks of its 24, and seeded
weights, those of the MatMuls in int8: the figures are of such weights and say nothing of vectors. Settings run in
turn, each in a process of its own; a figure is the median of the rounds. On a busy machine CPU seconds (a second of
audio) hold better than speed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime

SETTINGS = {
    "a thread a snippet, no arena": {"per_snippet": 1, "arena": False, "spin": "0"},
    "a thread a snippet, arena": {"per_snippet": 1, "arena": True, "spin": "0"},
    "all threads on a snippet": {"per_snippet": 0, "arena": False, "spin": "0"},
    "all threads on a snippet, spinning": {"per_snippet": 0, "arena": False, "spin": "1"},
}
SNIPPETS = {1: 8, 10: 4}
"""Seconds, and how many in a round."""
LONGEST_S = 30
ROUNDS = 3
THREADS = os.cpu_count() or 1


def make(path: Path) -> None:
    """Export the seeded blocks; this alone needs torch."""
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from transformers import Wav2Vec2Config, Wav2Vec2Model

    torch.manual_seed(0)
    config = Wav2Vec2Config(
        hidden_size=1024,
        num_hidden_layers=5,
        num_attention_heads=16,
        intermediate_size=4096,
        do_stable_layer_norm=True,
        feat_extract_norm="layer",
        conv_bias=True,
        attn_implementation="eager",
    )
    model = Wav2Vec2Model(config).eval()
    torch.nn.utils.parametrize.remove_parametrizations(model.encoder.pos_conv_embed.conv, "weight")

    class Pooled(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, wave: torch.Tensor) -> torch.Tensor:
            return self.model(wave, output_hidden_states=True).hidden_states[4].max(1).values[:, None]

    plain = path.with_suffix(".fp32.onnx")
    torch.onnx.export(
        Pooled(),
        (torch.randn(1, 16_000),),
        str(plain),
        input_names=["input_values"],
        output_names=["embeddings"],
        dynamic_axes={"input_values": {0: "batch", 1: "samples"}, "embeddings": {0: "batch"}},
        opset_version=17,
        dynamo=False,
    )
    quantize_dynamic(plain, path, weight_type=QuantType.QInt8, per_channel=True, op_types_to_quantize=["MatMul"])
    plain.unlink()


def measure(path: Path, setting: str) -> dict[str, float]:
    """Run one setting in this process."""
    wish = SETTINGS[setting]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = wish["per_snippet"] or THREADS
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = wish["arena"]
    options.add_session_config_entry("session.intra_op.allow_spinning", wish["spin"])
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    loaded = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found: dict[str, float] = {}
    rng = np.random.default_rng(0)
    with ThreadPoolExecutor(THREADS if wish["per_snippet"] else 1) as pool:
        for seconds, count in {**SNIPPETS, LONGEST_S: THREADS}.items():
            wave = rng.standard_normal((1, 16_000 * seconds)).astype(np.float32)
            before, started = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
            list(pool.map(lambda _, wave=wave: session.run(None, {"input_values": wave}), range(count)))
            after, took = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter() - started
            spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            found[f"{seconds} s: × real time"] = seconds * count / took
            found[f"{seconds} s: CPU s"] = spent / (seconds * count)
    found["peak MB"] = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - loaded) / 1024
    return found


def main() -> None:
    """Make the file, or measure in turn and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("encoder", type=Path)
    parser.add_argument("--make", action="store_true", help="write the encoder, and stop")
    parser.add_argument("--setting", choices=SETTINGS, help="measure this one only, and print JSON")
    arguments = parser.parse_args()
    if arguments.make:
        make(arguments.encoder)
        return
    if arguments.setting:
        print(json.dumps(measure(arguments.encoder, arguments.setting)))
        return
    rounds: dict[str, list[dict[str, float]]] = {setting: [] for setting in SETTINGS}
    for _ in range(ROUNDS):
        for setting, found in rounds.items():
            program = [sys.executable, __file__, str(arguments.encoder), "--setting", setting]
            found.append(json.loads(subprocess.run(program, check=True, capture_output=True).stdout))  # noqa: S603
    columns = list(rounds[next(iter(SETTINGS))][0])
    print(
        f"{platform.processor() or platform.machine()}, {THREADS} processors, onnxruntime {onnxruntime.__version__}\n"
    )
    print(f"| setting | {' | '.join(columns)} |\n|---|{'--:|' * len(columns)}")
    for setting, found in rounds.items():
        values = (statistics.median(one[column] for one in found) for column in columns)
        print(f"| {setting} | {' | '.join(f'{value:.3g}' for value in values)} |")


if __name__ == "__main__":
    main()
