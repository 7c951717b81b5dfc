"""Tiny seeded checkpoints of every form that export takes, and what transformers itself makes of them."""

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
    "initializer_range": 0.12,  # of the published 0.02, blocks of this width would hardly touch what they add to
}
OF_WAV2VEC2 = {"codevector_dim": 32, "proj_codevector_dim": 32, "num_codevectors_per_group": 8, "vocab_size": 12}
LAYER = {"feat_extract_norm": "layer", "conv_bias": True}
GROUP = {"feat_extract_norm": "group", "conv_bias": False}
STABLE, POST = {"do_stable_layer_norm": True}, {"do_stable_layer_norm": False}
FORMS = {
    # name: class of transformers, config, do_normalize of the preprocessor (None: there is no such file)
    "xlsr": ("Wav2Vec2ForPreTraining", LAYER | STABLE, True),
    "layer, post norm": ("Wav2Vec2ForCTC", LAYER | POST | {"adapter_attn_dim": 16}, False),  # has none
    "base": ("Wav2Vec2ForPreTraining", GROUP | POST, True),
    "group, stable": ("Wav2Vec2ForCTC", GROUP | STABLE, None),
    "layer, no bias": ("Wav2Vec2Model", LAYER | STABLE | {"conv_bias": False}, None),
    "group, bias": ("Wav2Vec2Model", GROUP | POST | {"conv_bias": True}, False),
    "mms": ("Wav2Vec2ForCTC", LAYER | STABLE | {"adapter_attn_dim": 16}, True),
    "odd positions": ("Wav2Vec2Model", LAYER | STABLE | {"num_conv_pos_embeddings": 19}, False),
    "hubert base": ("HubertModel", GROUP | POST | {"feat_proj_layer_norm": False}, False),
    "hubert large": ("HubertForCTC", LAYER | STABLE, True),
    "hubert, adapter": ("HubertModel", LAYER | STABLE | {"adapter_attn_dim": 16}, True),
}


def make_checkpoint(folder, form="xlsr", seed=0, **options):
    """Save a checkpoint with no weight at its neutral value: norms that are swapped or left out show."""
    import torch
    import transformers

    kind, config, normalise = FORMS[form]
    of_kind = {} if kind.startswith("Hubert") else OF_WAV2VEC2
    config_class = transformers.HubertConfig if kind.startswith("Hubert") else transformers.Wav2Vec2Config
    torch.manual_seed(seed)
    model = getattr(transformers, kind)(config_class(**SMALL | of_kind | config | options)).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if (weight.ndim == 1 and "layer_norm" in name) or name.endswith((".bias", "adapter_layer.norm.weight")):
                weight += 0.2 * torch.randn_like(weight)
            elif "adapter_layer.linear" in name:
                weight.normal_(0, 0.2)
            elif "original0" in name:  # strength of the positions
                weight *= 1 + 0.3 * torch.randn_like(weight)
    model.save_pretrained(folder)
    if normalise is not None:
        transformers.Wav2Vec2FeatureExtractor(do_normalize=normalise).save_pretrained(folder)
    return folder


def stress(folder):
    """Save "xlsr" with the stress recipe of DESIGN.md, scaled down: outlier channels between and inside of blocks."""
    from safetensors.torch import load_file, save_file

    weights = load_file(make_checkpoint(folder) / "model.safetensors")
    for i in range(SMALL["num_hidden_layers"]):
        at = f"wav2vec2.encoder.layers.{i}.feed_forward"
        between, inside = [7, 30], [11, 40, 77, 100]
        weights[f"{at}.output_dense.weight"][between] *= 20
        weights[f"{at}.output_dense.bias"][between] *= 20
        weights[f"{at}.intermediate_dense.weight"][inside] *= 20
        weights[f"{at}.intermediate_dense.bias"][inside] *= 20
        weights[f"{at}.output_dense.weight"][:, inside] /= 20
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def voice(seconds, seed=0, offset=0.01, pitch_hz=90, noise=0.01):
    """A buzz whose pitch and loudness wander, over noise, off zero: float32 ``(samples,)``."""
    rng = np.random.default_rng(seed)
    samples = round(seconds * RATE_HZ)
    knots = np.arange(0, samples + 2_000, 2_000)
    slow = np.interp(np.arange(samples), knots, rng.random(len(knots)))
    turns = np.cumsum(pitch_hz + 120 * slow) / RATE_HZ
    buzz = sum(np.sin(2 * np.pi * k * turns) / k for k in range(1, 20))
    return (0.1 * buzz * (0.2 + slow[::-1]) + noise * rng.standard_normal(samples) + offset).astype(np.float32)


@lru_cache
def whole_model(folder):
    import transformers

    return transformers.AutoModel.from_pretrained(folder, local_files_only=True).eval()


def hidden_states(folder, wave):
    """What the whole model gives: float64 ``(layers + 1, frames, hidden)`` of one waveform."""
    import torch
    import transformers

    model = whole_model(folder)
    try:
        extractor = transformers.AutoFeatureExtractor.from_pretrained(folder, local_files_only=True)
        wave = extractor(wave, sampling_rate=RATE_HZ).input_values[0]
    except OSError:  # the rule of the design where the file is missing
        if model.config.feat_extract_norm == "layer":
            wave = (wave - wave.mean()) / np.sqrt(wave.var() + 1e-7)
    with torch.inference_mode():
        out = model(torch.from_numpy(np.asarray(wave, np.float32))[None], output_hidden_states=True)
    return np.stack([state[0].numpy().astype(np.float64) for state in out.hidden_states])


def drift_of(vectors, exact):
    """(1 − cos(vector, exact)) / mean distance between snippets, of each snippet: DESIGN.md."""
    found, exact = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in np.asarray([vectors, exact], np.float64))
    apart = (1 - exact @ exact.T)[np.triu_indices(len(exact), 1)].mean()
    return (1 - (found * exact).sum(axis=1)) / apart


def pooled(states, poolings=("max", "mean", "std")):
    """Pool ``(layers, frames, hidden)`` as the contract orders it: ``(layers · poolings, hidden)``."""
    return np.stack([getattr(frames, pooling)(axis=0) for frames in states for pooling in poolings])
