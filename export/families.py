"""The families of models that can be exported, each in a module of its own.

A family's module has ``MODEL_TYPES`` (as in config.json), ``TITLES`` (for messages) and ``read_config``, which returns
an `Architecture`. A new one is added to `FAMILIES`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from abxfast.errors import ExportError
from abxfast.export import data2vec, wav2vec2, whisper

if TYPE_CHECKING:
    from collections.abc import Mapping

    from abxfast.export.architecture import Architecture

FAMILIES = (wav2vec2, data2vec, whisper)


def read_architecture(config: Mapping[str, Any], file: str) -> Architecture:
    """Read the shape of a model from its configuration.

    Parameters
    ----------
    config : mapping
        Content of config.json.
    file : str
        Name of the file, for error messages.

    Raises
    ------
    ExportError
        If the model is of an unsupported type, or uses an unsupported option.
    """
    model_type = config.get("model_type")
    family = next((family for family in FAMILIES if model_type in family.MODEL_TYPES), None)
    if family is None:
        *titles, last = (title for family in FAMILIES for title in family.TITLES)
        raise ExportError(f"{file}: model_type is {model_type!r}; supported are {', '.join(titles)} and {last}")
    try:
        architecture: Architecture = family.read_config(config, file)
    except KeyError as error:
        raise ExportError(f"{file}: no {error.args[0]!r}, which a {model_type} model needs") from error
    except (TypeError, ValueError) as error:
        if isinstance(error, ExportError):
            raise
        raise ExportError(f"{file}: cannot be read as the shape of a {model_type} model ({error})") from error
    _check(architecture, file)
    return architecture


def _check(architecture: Architecture, file: str) -> None:
    sizes = (architecture.hidden_size, architecture.n_blocks, architecture.n_heads, architecture.feed_forward_size)
    if min(sizes) < 1:
        raise ExportError(f"{file}: a size is not positive")
    if architecture.hidden_size % architecture.n_heads:
        raise ExportError(
            f"{file}: the width {architecture.hidden_size} is not a multiple of the number of heads, "
            f"{architecture.n_heads}"
        )
