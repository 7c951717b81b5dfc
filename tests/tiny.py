"""Tiny seeded checkpoints of every supported form, and the hidden states that transformers computes from them."""

import shutil
from functools import lru_cache

import numpy as np

RATE_HZ = 16_000
SMALL = {
    "hidden_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "conv_dim": [32] * 7,
    "num_conv_pos_embeddings": 128,
    "num_conv_pos_embedding_groups": 16,
    "initializer_range": 0.12,  # with the published 0.02, blocks of this width would hardly change their input
}
WAV2VEC2_ONLY = {"codevector_dim": 32, "proj_codevector_dim": 32, "num_codevectors_per_group": 8, "vocab_size": 12}
LAYER_NORM = {"feat_extract_norm": "layer", "conv_bias": True}
GROUP_NORM = {"feat_extract_norm": "group", "conv_bias": False}
PRE_NORM, POST_NORM = {"do_stable_layer_norm": True}, {"do_stable_layer_norm": False}
FORMS = {
    # name: class in transformers, config, do_normalize of the preprocessor (None: there is no preprocessor_config.json)
    "xlsr": ("Wav2Vec2ForPreTraining", LAYER_NORM | PRE_NORM, True),
    "layer, post norm": ("Wav2Vec2ForCTC", LAYER_NORM | POST_NORM | {"adapter_attn_dim": 16}, False),  # no adapter
    "base": ("Wav2Vec2ForPreTraining", GROUP_NORM | POST_NORM, True),
    "group, pre norm": ("Wav2Vec2ForCTC", GROUP_NORM | PRE_NORM, None),
    "layer, no bias": ("Wav2Vec2Model", LAYER_NORM | PRE_NORM | {"conv_bias": False}, None),
    "group, bias": ("Wav2Vec2Model", GROUP_NORM | POST_NORM | {"conv_bias": True}, False),
    "mms": ("Wav2Vec2ForCTC", LAYER_NORM | PRE_NORM | {"adapter_attn_dim": 16}, True),
    "odd positions": ("Wav2Vec2Model", LAYER_NORM | PRE_NORM | {"num_conv_pos_embeddings": 19}, False),
    "hubert base": ("HubertModel", GROUP_NORM | POST_NORM | {"feat_proj_layer_norm": False}, False),
    "hubert large": ("HubertForCTC", LAYER_NORM | PRE_NORM, True),
    "hubert, adapter": ("HubertModel", LAYER_NORM | PRE_NORM | {"adapter_attn_dim": 16}, True),
    "unispeech": ("UniSpeechForPreTraining", LAYER_NORM | PRE_NORM | WAV2VEC2_ONLY, True),
    "unispeech-sat": ("UniSpeechSatForPreTraining", GROUP_NORM | POST_NORM | WAV2VEC2_ONLY, True),
    "data2vec": ("Data2VecAudioForCTC", {"num_conv_pos_embeddings": 3, "conv_pos_kernel_size": 19}, True),
    "data2vec, even": ("Data2VecAudioModel", {"num_conv_pos_embeddings": 2, "conv_pos_kernel_size": 8}, None),
    "whisper": ("WhisperForConditionalGeneration", {}, False),
    "whisper, 128 bands": ("WhisperModel", {"num_mel_bins": 128}, False),
    "whisper, bare": ("WhisperForAudioClassification", {"num_mel_bins": 20, "max_source_positions": 1100}, None),
}
SMALL_WHISPER = {
    "d_model": SMALL["hidden_size"],
    "encoder_layers": SMALL["num_hidden_layers"],
    "encoder_attention_heads": SMALL["num_attention_heads"],
    "encoder_ffn_dim": SMALL["intermediate_size"],
    "decoder_layers": 1,
    "decoder_attention_heads": 4,
    "decoder_ffn_dim": 32,
    "vocab_size": 20,
    "init_std": 0.12,
    **dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id"), 0),
}


def make_checkpoint(folder, form="xlsr", seed=0, **options):
    """Save a checkpoint with no weight at its neutral value, so that a swapped or missing norm changes the output."""
    import torch
    import transformers

    class_name, config, normalise = FORMS[form]
    model_class = getattr(transformers, class_name)
    is_whisper = class_name.startswith("Whisper")
    torch.manual_seed(seed)
    settings = (SMALL_WHISPER if is_whisper else SMALL) | config | options
    if class_name.startswith("Wav2Vec2"):
        settings = WAV2VEC2_ONLY | settings
    model = model_class(model_class.config_class(**settings)).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if (weight.ndim == 1 and "layer_norm" in name) or name.endswith((".bias", "adapter_layer.norm.weight")):
                weight += 0.2 * torch.randn_like(weight)
            elif "adapter_layer.linear" in name:
                weight.normal_(0, 0.2)
            elif "original0" in name:  # norm of the position embedding's weight
                weight *= 1 + 0.3 * torch.randn_like(weight)
    model.save_pretrained(folder)
    if is_whisper and normalise is not None:
        transformers.WhisperFeatureExtractor(feature_size=model.config.num_mel_bins).save_pretrained(folder)
    elif normalise is not None:
        transformers.Wav2Vec2FeatureExtractor(do_normalize=normalise).save_pretrained(folder)
    return folder


def make_stress_checkpoint(folder):
    """Save "xlsr" with the stress recipe of DESIGN.md, scaled down: outlier channels between and inside of blocks."""
    from safetensors.torch import save_file

    weights = load_weights(make_checkpoint(folder))
    for i in range(SMALL["num_hidden_layers"]):
        prefix = f"wav2vec2.encoder.layers.{i}.feed_forward"
        between, inside = [7, 30], [11, 40, 77, 100]
        weights[f"{prefix}.output_dense.weight"][between] *= 20
        weights[f"{prefix}.output_dense.bias"][between] *= 20
        weights[f"{prefix}.intermediate_dense.weight"][inside] *= 20
        weights[f"{prefix}.intermediate_dense.bias"][inside] *= 20
        weights[f"{prefix}.output_dense.weight"][:, inside] /= 20
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def load_weights(folder):
    """Return the tensors of a checkpoint by their names in the file."""
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")


def copy_checkpoint(checkpoint, folder, weights, name="model.safetensors"):
    """Copy a checkpoint with other weights: tensors by name, or the bytes of a file."""
    import torch
    from safetensors.torch import save_file

    folder.mkdir(exist_ok=True)
    for file in checkpoint.iterdir():
        if not file.name.startswith("model"):
            shutil.copy(file, folder)
    if isinstance(weights, bytes):
        (folder / name).write_bytes(weights)
    elif name.endswith(".bin"):
        torch.save(weights, folder / name)
    else:
        save_file(weights, folder / name)
    return folder


def load_checkpoint(source, revision=None, pad_s=0.0):
    """Return the description of a checkpoint, with the paths of its weights."""
    from abxfast.export.checkpoint import describe_checkpoint, fetch_weights

    return fetch_weights(describe_checkpoint(str(source), revision, pad_s))


def open_model(model):
    """Return an onnxruntime session on the CPU of an ONNX model."""
    import onnxruntime

    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def cache_checkpoint(cache, checkpoint, source, commit):
    """Copy a checkpoint into a cache of the hub as the main branch of a model; return its folder there."""
    model = cache / f"models--{source.replace('/', '--')}"
    (model / "refs").mkdir(parents=True)
    (model / "refs" / "main").write_text(commit)
    return shutil.copytree(checkpoint, model / "snapshots" / commit)


def voice(seconds, seed=0, offset=0.01, pitch_hz=90, noise=0.01):
    """Return a buzz of varying pitch and loudness, with noise and an offset: float32 ``(samples,)``."""
    rng = np.random.default_rng(seed)
    samples = round(seconds * RATE_HZ)
    knots = np.arange(0, samples + 2_000, 2_000)
    slow = np.interp(np.arange(samples), knots, rng.random(len(knots)))
    turns = np.cumsum(pitch_hz + 120 * slow) / RATE_HZ
    buzz = sum(np.sin(2 * np.pi * k * turns) / k for k in range(1, 20))
    return (0.1 * buzz * (0.2 + slow[::-1]) + noise * rng.standard_normal(samples) + offset).astype(np.float32)


@lru_cache
def load_model(folder):
    """Return the complete model in transformers."""
    import transformers

    return transformers.AutoModel.from_pretrained(folder, local_files_only=True).eval()


def hidden_states(folder, wave):
    """Return the hidden states of the complete model for one waveform: float64 ``(layers + 1, frames, hidden)``."""
    import torch
    import transformers

    model = load_model(folder)
    if model.config.model_type == "whisper":
        return whisper_hidden_states(folder, wave)
    try:
        extractor = transformers.AutoFeatureExtractor.from_pretrained(folder, local_files_only=True)
        wave = extractor(wave, sampling_rate=RATE_HZ).input_values[0]
    except OSError:  # no preprocessor_config.json: feat_extract_norm decides
        if getattr(model.config, "feat_extract_norm", "layer") == "layer":
            wave = (wave - wave.mean()) / np.sqrt(wave.var() + 1e-7)
    with torch.inference_mode():
        out = model(torch.from_numpy(np.asarray(wave, np.float32))[None], output_hidden_states=True)
    return np.stack([state[0].numpy().astype(np.float64) for state in out.hidden_states])


def whisper_hidden_states(folder, wave, padded_samples=None):
    """Return the hidden states of Whisper's encoder, computed module by module, since it takes 30 s only as a whole."""
    import torch
    import transformers

    model = load_model(folder)
    encoder = model.encoder if hasattr(model, "encoder") else model
    extractor = transformers.WhisperFeatureExtractor(feature_size=model.config.num_mel_bins)
    padded = np.pad(wave, (0, (padded_samples or len(wave)) - len(wave)))
    features = torch.from_numpy(extractor._np_extract_fbank_features([padded], "cpu").astype(np.float32))
    gelu = torch.nn.functional.gelu
    with torch.inference_mode():
        hidden = gelu(encoder.conv2(gelu(encoder.conv1(features)))).transpose(1, 2)
        states = [hidden + encoder.embed_positions.weight[: hidden.shape[1]]]
        for layer in encoder.layers:
            states.append(layer(states[-1], None, None)[0])
        states[-1] = encoder.layer_norm(states[-1])
    frames = -(-(len(wave) // 160) // 2)
    return np.stack([state[0, :frames].numpy().astype(np.float64) for state in states])


def drift_of(vectors, exact):
    """Return (1 − cos(vector, exact)) / mean distance between snippets for each snippet, as DESIGN.md defines it."""
    unit, exact = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in np.asarray([vectors, exact], np.float64))
    mean_distance = (1 - exact @ exact.T)[np.triu_indices(len(exact), 1)].mean()
    return (1 - (unit * exact).sum(axis=1)) / mean_distance


def pooled(states, poolings=("max", "mean", "std")):
    """Pool ``(layers, frames, hidden)`` in the order of the contract: ``(layers · poolings, hidden)``."""
    return np.stack([getattr(frames, pooling)(axis=0) for frames in states for pooling in poolings])
