"""Files of models on the Hugging Face hub: fetched, or found in the local cache."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from abxfast.errors import ExportError
from abxfast.export.checkpoint_files import CONFIG, MODEL_CARD, PREPROCESSOR, WEIGHTS, first_line

if TYPE_CHECKING:
    from collections.abc import Iterator


def fetch_description(source: str, revision: str | None) -> tuple[Path, str]:
    """Fetch all files of a model that are needed but the weights; without a network, find them in the cache.

    Parameters
    ----------
    source : str
        Id of the model.
    revision : str, optional
        Branch, tag or commit.

    Returns
    -------
    folder : Path
    commit : str

    Raises
    ------
    ExportError
        If there is no such model or revision, or it is not in the cache and the hub cannot be reached.
    """
    with _hub_errors(source, revision):
        folder = _fetch(source, revision, CONFIG, PREPROCESSOR, MODEL_CARD, "*.index.json")
    return folder, folder.name


def download_weights(source: str, commit: str) -> None:
    """Fetch the weights of a model in its preferred format; without a network, look for them in the cache.

    Raises
    ------
    ExportError
        If they cannot be fetched.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    with _hub_errors(source, commit):
        try:
            available = set(HfApi().list_repo_files(source, revision=commit))
        except (HfHubHTTPError, OSError):
            _fetch(source, commit, *WEIGHTS, "model-*.safetensors", "pytorch_model-*.bin", offline=True)
        else:
            _fetch(source, commit, *_weight_patterns(available))


def _fetch(source: str, revision: str | None, *patterns: str, offline: bool = False) -> Path:
    from huggingface_hub import snapshot_download

    return Path(snapshot_download(source, revision=revision, allow_patterns=list(patterns), local_files_only=offline))


def _weight_patterns(available: set[str]) -> list[str]:
    """Return the patterns of one format of weights, so that gigabytes are not fetched twice."""
    for name in WEIGHTS:
        if name in available:
            return [name, "model-*.safetensors" if "safetensors" in name else "pytorch_model-*.bin"]
    return []


@contextmanager
def _hub_errors(source: str, revision: str | None) -> Iterator[None]:
    """Convert errors of the hub's client to `ExportError`."""
    from huggingface_hub.errors import (
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        yield
    except LocalEntryNotFoundError as error:
        raise ExportError(
            f"{source}: not in the cache, and the Hugging Face hub cannot be reached; connect once, or pass a folder"
        ) from error
    except RevisionNotFoundError as error:
        raise ExportError(f"`revision='{revision}'`: {source} has no such branch, tag or commit") from error
    except RepositoryNotFoundError as error:
        raise ExportError(f"{source}: no such model on the Hugging Face hub (or it is private)") from error
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise ExportError(f"{source}: cannot be fetched ({first_line(error)})") from error
