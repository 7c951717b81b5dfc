"""Encoders: ONNX files that keep the encoder contract, found by name, opened and run by onnxruntime.

An encoder takes waveforms and returns one vector for each snippet and variant (layer and pooling). The contract says
what an encoder file declares about itself; opening a file checks that it holds. The ``mfcc`` encoder is part of the
package; others come from ``abxfast export``. No other package imports onnxruntime.
"""

from abxfast.encoders.contract import INPUT_NAME, METADATA_PREFIX, OUTPUT_NAME, EncoderInfo
from abxfast.encoders.parity_table import PARITY_COLUMNS, format_parity, format_parity_value
from abxfast.encoders.session import (
    DEFAULT_ENCODER,
    GPU_BATCH_S,
    PROVIDERS,
    Encoder,
    available_providers,
    encoders_folder,
    find_encoder,
    installed_runtimes,
    open_encoder,
)

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
