"""The versions that the export extra pins work together: Optimum exports a wav2vec 2.0, and onnxruntime agrees."""

import numpy as np
import onnxruntime
import pytest

WHY = "needs the export extra: pip install '.[test,export]'"
torch = pytest.importorskip("torch", reason=WHY)
transformers = pytest.importorskip("transformers", reason=WHY)
pytest.importorskip("optimum.exporters.onnx", reason=WHY)


@pytest.mark.filterwarnings("ignore")  # raised inside optimum and torch
def test_optimum_exports_wav2vec2(tmp_path):
    from optimum.exporters.onnx import export
    from optimum.exporters.onnx.model_configs import Wav2Vec2OnnxConfig

    torch.manual_seed(0)
    config = transformers.Wav2Vec2Config(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        conv_dim=(16,) * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2,
        do_stable_layer_norm=True,
        feat_extract_norm="layer",
        conv_bias=True,
    )
    model = transformers.Wav2Vec2Model(config).eval()
    weight_norm = model.encoder.pos_conv_embed.conv
    torch.nn.utils.parametrize.remove_parametrizations(weight_norm, "weight")
    path = tmp_path / "model.onnx"
    export(model, Wav2Vec2OnnxConfig(config, task="feature-extraction"), path)

    wave = np.random.default_rng(0).standard_normal((2, 16_000)).astype(np.float32)
    with torch.no_grad():
        expected = model(torch.from_numpy(wave)).last_hidden_state.numpy()
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (actual,) = session.run(["last_hidden_state"], {"input_values": wave})
    np.testing.assert_allclose(actual, expected, atol=1e-4)
