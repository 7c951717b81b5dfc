"""The encoder contract: what an ONNX file must say about itself (keys ``abxfast.*`` of its metadata)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from abxfast.errors import EncoderError

if TYPE_CHECKING:
    from collections.abc import Mapping

CONTRACT_VERSION = "1"
INPUT_NAME = "input_values"
"""float32 ``[batch, samples]``: mono waveforms of equal length, in [−1, 1]."""
OUTPUT_NAME = "embeddings"
"""float32 ``[batch, variants, dim]``: the pooled vectors of each waveform."""
METADATA_PREFIX = "abxfast."
RATES_HZ = (4_000, 384_000)
MAX_LEAST_SAMPLES_S = 60
"""Seconds that an encoder may need at least; as long as the longest snippet."""
MAX_SHOWN = 60
"""Characters of a value that a message shows."""


@dataclass(frozen=True)
class EncoderInfo:
    """What an encoder file says about itself.

    Attributes
    ----------
    name : str
        The name that stands in every output.
    variants : tuple of str
        Names of the vectors of a snippet, ``layer21.max``; the second axis of the output.
    default_variant : str
        The one of `variants` that is scored unless another is asked for.
    sample_rate_hz : int
        Rate of the waveforms.
    least_samples : int
        The shortest waveform that the encoder takes.
    frame_hop_samples : int
        Samples between two frames, before pooling.
    normalisation : str
        What the graph does to a waveform first: ``none`` or ``zero-mean unit-variance``.
    precision : str
        ``fp32``, ``fp16`` or ``int8``.
    source, revision, sha256 : str
        The checkpoint that the file was made from, and the SHA-256 of its weights; empty where there is none.
    licence : str
        Licence of the weights.
    tools : dict
        Versions of the programs that made the file.
    parity : dict
        What the export measured against the reference; empty where there is none.
    """

    name: str
    variants: tuple[str, ...]
    default_variant: str
    sample_rate_hz: int
    least_samples: int
    frame_hop_samples: int
    normalisation: str
    precision: str
    source: str = ""
    revision: str = ""
    sha256: str = ""
    licence: str = ""
    tools: dict[str, str] = field(default_factory=dict)
    parity: dict[str, object] = field(default_factory=dict)

    def to_metadata(self) -> dict[str, str]:
        """Give the key–value pairs that an exporter writes into ``metadata_props``."""
        values = {
            "contract": CONTRACT_VERSION,
            "name": self.name,
            "variants": json.dumps(self.variants),
            "default_variant": self.default_variant,
            "sample_rate_hz": str(self.sample_rate_hz),
            "least_samples": str(self.least_samples),
            "frame_hop_samples": str(self.frame_hop_samples),
            "normalisation": self.normalisation,
            "precision": self.precision,
            "source": self.source,
            "revision": self.revision,
            "sha256": self.sha256,
            "licence": self.licence,
            "tools": json.dumps(self.tools, sort_keys=True),
            "parity": json.dumps(self.parity, sort_keys=True),
        }
        return {METADATA_PREFIX + key: value for key, value in values.items()}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str], file: str) -> EncoderInfo:
        """Read the pairs back.

        Parameters
        ----------
        metadata : mapping of str to str
            The ``metadata_props`` of an ONNX file.
        file : str
            Its name, for messages.

        Raises
        ------
        EncoderError
            Where a key is missing or cannot be read.
        """
        pairs = _Pairs(metadata, file)
        if pairs.text("contract") != CONTRACT_VERSION:
            raise EncoderError(
                f"{file}: keeps encoder contract {pairs.text('contract')!r}, this abxfast reads {CONTRACT_VERSION}; "
                "export the encoder again, or update abxfast"
            )
        variants, default = pairs.names("variants"), pairs.text("default_variant")
        if default not in variants:
            raise EncoderError(f"{file}: default variant {default!r} is none of {', '.join(variants)}")
        rate_hz = pairs.whole("sample_rate_hz", *RATES_HZ)
        return cls(
            name=pairs.word("name"),
            variants=variants,
            default_variant=default,
            sample_rate_hz=rate_hz,
            least_samples=pairs.whole("least_samples", 1, MAX_LEAST_SAMPLES_S * rate_hz),
            frame_hop_samples=pairs.whole("frame_hop_samples", 1, MAX_LEAST_SAMPLES_S * rate_hz),
            normalisation=pairs.word("normalisation"),
            precision=pairs.word("precision"),
            source=pairs.text("source"),
            revision=pairs.text("revision"),
            sha256=pairs.text("sha256"),
            licence=pairs.text("licence"),
            tools=pairs.mapping("tools"),
            parity=pairs.mapping("parity"),
        )


class _Pairs:
    """The pairs of one file, read with an error that names file and key."""

    def __init__(self, metadata: Mapping[str, str], file: str) -> None:
        self._metadata = metadata
        self._file = file

    def text(self, key: str) -> str:
        try:
            return self._metadata[METADATA_PREFIX + key]
        except KeyError:
            hint = "abxfast export makes files that do" if key == "contract" else "export it again"
            raise EncoderError(
                f"{self._file}: does not keep the encoder contract: no metadata '{METADATA_PREFIX}{key}'; {hint}"
            ) from None

    def word(self, key: str) -> str:
        text = self.text(key)
        return text if text.strip() and text.isprintable() else self._refuse(key, "a word")

    def whole(self, key: str, least: int, most: int) -> int:
        text = self.text(key)
        if text.isdecimal() and len(text) <= len(str(most)) and least <= int(text) <= most:
            return int(text)
        return self._refuse(key, f"a whole number from {least} to {most}")

    def names(self, key: str) -> tuple[str, ...]:
        value = self._json(key)
        if isinstance(value, list) and value and all(isinstance(name, str) and name.strip() for name in value):
            names = tuple(value)
            if len(set(names)) == len(names):
                return names
        return self._refuse(key, "a JSON list of different names")

    def mapping(self, key: str) -> dict[str, Any]:
        value = self._json(key)
        return value if isinstance(value, dict) else self._refuse(key, "a JSON object")

    def _json(self, key: str) -> object:
        try:
            return json.loads(self.text(key))
        except json.JSONDecodeError:
            return None

    def _refuse(self, key: str, expected: str) -> NoReturn:
        found = self.text(key)
        shown = found if len(found) <= MAX_SHOWN else found[:MAX_SHOWN] + "…"
        raise EncoderError(
            f"{self._file}: does not keep the encoder contract: metadata '{METADATA_PREFIX}{key}' is {shown!r}, "
            f"expected {expected}; export it again"
        )
