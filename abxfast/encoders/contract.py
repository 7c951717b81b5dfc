"""The encoder contract: what an ONNX file declares about itself, in the keys ``abxfast.*`` of its metadata."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from abxfast.errors import EncoderError

if TYPE_CHECKING:
    from collections.abc import Mapping

CONTRACT_VERSION = "1"
INPUT_NAME = "input_values"
"""Input, float32 ``[batch, samples]``: mono waveforms of equal length, in [−1, 1]."""
OUTPUT_NAME = "embeddings"
"""Output, float32 ``[batch, variants, dim]``: the pooled vectors of each waveform."""
METADATA_PREFIX = "abxfast."
SAMPLE_RATES_HZ = (4_000, 384_000)
"""Lowest and highest sample rate."""
MAX_LEAST_SAMPLES_S = 60
"""Upper bound of an encoder's shortest waveform and of its frame hop in seconds: the longest snippet."""
MAX_MOST_SAMPLES = 2**62
"""Upper bound of an encoder's longest waveform."""
MAX_SHOWN_CHARACTERS = 60
"""Characters of a value that an error message shows."""


@dataclass(frozen=True)
class EncoderInfo:
    """What an encoder file declares about itself.

    Attributes
    ----------
    name : str
        Name of the encoder, recorded in every output.
    variants : tuple of str
        Names of the vectors of a snippet, such as ``layer21.max``: the second axis of the output.
    default_variant : str
        The member of `variants` that is scored by default.
    sample_rate_hz : int
        Sample rate of the waveforms.
    least_samples : int
        Length of the shortest waveform that the encoder takes.
    frame_hop_samples : int
        Samples between consecutive frames, before pooling.
    normalisation : str
        Normalisation of the waveform inside the graph: ``none`` or ``zero-mean unit-variance``.
    precision : str
        ``fp32``, ``fp16`` or ``int8``.
    source : str
        The checkpoint that the file was made from; empty if none.
    revision : str
        Commit of the checkpoint; empty if none.
    sha256 : str
        SHA-256 of the weights of the checkpoint; empty if none.
    licence : str
        Licence of the weights.
    most_samples : int or None
        Length of the longest waveform that the encoder takes; None if there is no such limit.
    tools : dict
        Versions of the programs that made the file.
    parity : dict
        Report of the comparison with the reference; empty if none was made.
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
    most_samples: int | None = None
    tools: dict[str, str] = field(default_factory=dict)
    parity: dict[str, object] = field(default_factory=dict)

    def describe_too_long(self, length_s: float) -> str | None:
        """Return why waveforms of a length in seconds cannot be encoded; None if they can."""
        if self.most_samples is None or round(length_s * self.sample_rate_hz) <= self.most_samples:
            return None
        return f"{self.name} takes at most {self.most_samples / self.sample_rate_hz:g} s"

    def to_metadata(self) -> dict[str, str]:
        """Return the key–value pairs for ``metadata_props`` of an ONNX file."""
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
        if self.most_samples is not None:
            values["most_samples"] = str(self.most_samples)
        return {METADATA_PREFIX + key: value for key, value in values.items()}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str], file: str) -> EncoderInfo:
        """Read the description from the metadata of an ONNX file.

        Parameters
        ----------
        metadata : mapping of str to str
            The ``metadata_props`` of an ONNX file.
        file : str
            Name of the file, for error messages.

        Raises
        ------
        EncoderError
            If a key is missing or its value is invalid.
        """
        reader = _MetadataReader(metadata, file)
        if reader.text("contract") != CONTRACT_VERSION:
            raise EncoderError(
                f"{file}: keeps encoder contract {reader.text('contract')!r}, this abxfast reads {CONTRACT_VERSION}; "
                "export the encoder again, or update abxfast"
            )
        variants, default = reader.names("variants"), reader.text("default_variant")
        if default not in variants:
            raise EncoderError(f"{file}: default variant {default!r} is not one of {', '.join(variants)}")
        rate_hz = reader.integer("sample_rate_hz", *SAMPLE_RATES_HZ)
        least_samples = reader.integer("least_samples", 1, MAX_LEAST_SAMPLES_S * rate_hz)
        return cls(
            name=reader.word("name"),
            variants=variants,
            default_variant=default,
            sample_rate_hz=rate_hz,
            least_samples=least_samples,
            frame_hop_samples=reader.integer("frame_hop_samples", 1, MAX_LEAST_SAMPLES_S * rate_hz),
            normalisation=reader.word("normalisation"),
            precision=reader.word("precision"),
            source=reader.text("source"),
            revision=reader.text("revision"),
            sha256=reader.text("sha256"),
            licence=reader.text("licence"),
            most_samples=reader.optional_integer("most_samples", least_samples, MAX_MOST_SAMPLES),
            tools=reader.mapping("tools"),
            parity=reader.mapping("parity"),
        )


class _MetadataReader:
    """Reads values from the metadata of one file; errors name the file and the key."""

    def __init__(self, metadata: Mapping[str, str], file: str) -> None:
        self._metadata = metadata
        self._file = file

    def text(self, key: str) -> str:
        try:
            return self._metadata[METADATA_PREFIX + key]
        except KeyError:
            hint = "make the file with `abxfast.export`" if key == "contract" else "export it again"
            raise EncoderError(
                f"{self._file}: does not keep the encoder contract: no metadata '{METADATA_PREFIX}{key}'; {hint}"
            ) from None

    def word(self, key: str) -> str:
        text = self.text(key)
        return text if text.strip() and text.isprintable() else self._reject(key, "a word")

    def integer(self, key: str, minimum: int, maximum: int) -> int:
        text = self.text(key)
        if text.isdecimal() and len(text) <= len(str(maximum)) and minimum <= int(text) <= maximum:
            return int(text)
        return self._reject(key, f"an integer from {minimum} to {maximum}")

    def optional_integer(self, key: str, minimum: int, maximum: int) -> int | None:
        return self.integer(key, minimum, maximum) if METADATA_PREFIX + key in self._metadata else None

    def names(self, key: str) -> tuple[str, ...]:
        value = self._json(key)
        if isinstance(value, list) and value and all(isinstance(name, str) and name.strip() for name in value):
            names = tuple(value)
            if len(set(names)) == len(names):
                return names
        return self._reject(key, "a JSON list of distinct names")

    def mapping(self, key: str) -> dict[str, Any]:
        value = self._json(key)
        return value if isinstance(value, dict) else self._reject(key, "a JSON object")

    def _json(self, key: str) -> object:
        try:
            return json.loads(self.text(key))
        except json.JSONDecodeError:
            return None

    def _reject(self, key: str, expected: str) -> NoReturn:
        text = self.text(key)
        shown = text if len(text) <= MAX_SHOWN_CHARACTERS else text[:MAX_SHOWN_CHARACTERS] + "…"
        raise EncoderError(
            f"{self._file}: does not keep the encoder contract: metadata '{METADATA_PREFIX}{key}' is {shown!r}, "
            f"expected {expected}; export it again"
        )
