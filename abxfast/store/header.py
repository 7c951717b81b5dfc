"""The header of a store: the file that says which encoder its vectors come from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from abxfast._files import write_atomic
from abxfast._version import __version__
from abxfast.errors import StoreError
from abxfast.store.parquet import store_errors

if TYPE_CHECKING:
    from pathlib import Path

    from abxfast.encoders import Encoder

FORMAT = 1
HEADER_NAME = "store.json"
_FIELD_TYPES = {
    "encoder": str,
    "encoder_sha256": str,
    "variants": list,
    "default_variant": str,
    "dim": int,
    "rate_hz": int,
}


@dataclass(frozen=True)
class StoreHeader:
    """The encoder of a store: its name, hash, variants, vector length and sampling rate."""

    encoder: str
    encoder_sha256: str
    variants: tuple[str, ...]
    default_variant: str
    dim: int
    rate_hz: int


def write_header(root: Path, encoder: Encoder) -> None:
    """Write the header of a new store.

    Raises
    ------
    StoreError
        If it cannot be written.
    """
    header = {
        "format": FORMAT,
        "encoder": encoder.info.name,
        "encoder_sha256": encoder.sha256,
        "variants": encoder.info.variants,
        "default_variant": encoder.info.default_variant,
        "dim": encoder.dim,
        "rate_hz": encoder.info.sample_rate_hz,
        "abxfast": __version__,
    }
    with store_errors():
        write_atomic(root / HEADER_NAME, json.dumps(header, indent=1, ensure_ascii=False).encode())


def read_header(root: Path) -> StoreHeader:
    """Read the header of a store.

    Raises
    ------
    StoreError
        If there is none, or if it is damaged.
    """
    path = root / HEADER_NAME
    try:
        header = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        problem = f"is not a store (it has no {HEADER_NAME})" if root.exists() else "no such store"
        raise StoreError(f"{root}: {problem}; create one with `abxfast.embed`") from None
    except OSError as error:
        raise StoreError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise StoreError(f"{path}: is damaged ({error}); embed into a new store") from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        version = header.get("format") if isinstance(header, dict) else None
        raise StoreError(f"{path}: has store format {version}, this abxfast reads {FORMAT}; update abxfast")
    wrong = [name for name, kind in _FIELD_TYPES.items() if not isinstance(header.get(name), kind)]
    if wrong:
        raise StoreError(f"{path}: is damaged: no {', '.join(wrong)}; embed into a new store")
    fields = {name: header[name] for name in _FIELD_TYPES}
    return StoreHeader(**{**fields, "variants": tuple(fields["variants"])})
