"""Encoders: ONNX files that keep the encoder contract, found by name, opened and run by onnxruntime.

An encoder takes waveforms and returns one vector for each snippet and variant (layer and pooling). The contract says
what an encoder file declares about itself; opening a file checks that it holds. The ``mfcc`` encoder is part of the
package; others come from ``abxfast export``.
"""

from abxfast.encoders.contract import INPUT_NAME, METADATA_PREFIX, OUTPUT_NAME, EncoderInfo
from abxfast.encoders.locations import DEFAULT_ENCODER, encoders_folder, find_encoder
from abxfast.encoders.parity_table import PARITY_COLUMNS, format_parity, format_parity_value
from abxfast.encoders.runtime import PROVIDERS, available_providers, installed_runtimes
from abxfast.encoders.session import GPU_BATCH_S, Encoder, open_encoder

__all__ = [
    "DEFAULT_ENCODER",
    "GPU_BATCH_S",
    "INPUT_NAME",
    "METADATA_PREFIX",
    "OUTPUT_NAME",
    "PARITY_COLUMNS",
    "PROVIDERS",
    "Encoder",
    "EncoderInfo",
    "available_providers",
    "encoders_folder",
    "find_encoder",
    "format_parity",
    "format_parity_value",
    "installed_runtimes",
    "open_encoder",
]
