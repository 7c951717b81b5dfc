"""Export: encoders made from published speech models, and checked against PyTorch before they are written.

A wav2vec 2.0 or HuBERT checkpoint, from the Hugging Face hub or a folder, becomes one ONNX file that keeps the encoder
contract: truncated after the last requested layer, with pooling inside the graph, in int8, fp16 or fp32. int8
weights are calibrated on real audio. Needs the ``export`` extra (torch, transformers, onnx), which nothing else in
abxfast does: encoders run without it. The public names are imported when they are used, so that importing the package
needs no extra.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from abxfast.export.exporter import Exported, export
    from abxfast.export.options import POOLINGS, PRECISIONS
    from abxfast.export.parity import ParityRow

__all__ = ["POOLINGS", "PRECISIONS", "Exported", "ParityRow", "export"]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "exporter": ["Exported", "export"],
        "options": ["POOLINGS", "PRECISIONS"],
        "parity": ["ParityRow"],
    },
)
