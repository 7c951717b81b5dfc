"""The header of a store: the file that says which encoder its vectors come from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from abxfast._files import json_digest, write_atomic
from abxfast._version import __version__
from abxfast.errors import StoreError
from abxfast.store.parquet import store_errors

if TYPE_CHECKING:
    from pathlib import Path

    from abxfast.encoders import Encoder

FORMAT = 1
HEADER_NAME = "store.json"
_CHECKSUM = "checksum"
"""Key of the SHA-256 of all other keys; stores of earlier versions have none."""
_MAX_INTEGER = 1 << 24


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
        "variants": list(encoder.info.variants),
        "default_variant": encoder.info.default_variant,
        "dim": encoder.dim,
        "rate_hz": encoder.info.sample_rate_hz,
        "abxfast": __version__,
    }
    header[_CHECKSUM] = json_digest(header)
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
    except (ValueError, RecursionError) as error:
        raise _damaged(path, str(error)) from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        version = header.get("format") if isinstance(header, dict) else None
        raise StoreError(f"{path}: has store format {version}, this abxfast reads {FORMAT}; update abxfast")
    checksum = header.pop(_CHECKSUM, None)
    if checksum is not None and checksum != json_digest(header):
        raise _damaged(path, "its checksum does not match: it was changed")
    fields: dict[str, Any] = {name: header.get(name) for name in StoreHeader.__annotations__}
    wrong = [name for name, value in fields.items() if not _is_valid(name, value)]
    if wrong or fields["default_variant"] not in fields["variants"]:
        raise _damaged(path, f"no {', '.join(wrong or ['default_variant'])}")
    return StoreHeader(**{**fields, "variants": tuple(fields["variants"])})


def _is_valid(name: str, value: object) -> bool:
    """Return whether a header may have this value in a field."""
    if name in ("dim", "rate_hz"):
        return isinstance(value, int) and not isinstance(value, bool) and 0 < value < _MAX_INTEGER
    if name == "variants":
        names = value if isinstance(value, list) else []
        return bool(names) and all(map(_is_name, names)) and len(set(names)) == len(names)
    return _is_name(value)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _damaged(path: Path, problem: str) -> StoreError:
    return StoreError(f"{path}: is damaged ({problem}); put back the file as it was, or embed into a new store")
