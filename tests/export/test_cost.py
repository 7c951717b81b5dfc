"""The cost of linear layers."""

import pytest
from tiny import SMALL, load_checkpoint

from abxfast.export.cost import multiplications_per_frame

pytest.importorskip("torch", reason="needs the export extra: pip install '.[test,export]'")


def test_cost_is_the_number_of_multiplications(checkpoint_of):
    """Weights times rows per frame, from the sizes of the seeded checkpoint."""
    counts = multiplications_per_frame(load_checkpoint(checkpoint_of("mms")).architecture, SMALL["num_hidden_layers"])
    assert counts["blocks.0.qkv"] == 3 * 64 * 64
    assert counts["blocks.0.out"] == 64 * 64
    assert counts["blocks.1.ffn2"] == counts["blocks.1.ffn1"] == 64 * 128
    assert counts["blocks.2.linear_1"] == 64 * 16
    assert counts["conv.1"] == 32 * 3 * 32 * 32  # 32 rows of 10 samples in a frame of 320
    assert counts["conv.6"] == 1 * 2 * 32 * 32
    assert counts["projection"] == 32 * 64
    assert counts["position"] == 64 * (64 // 16) * 128
