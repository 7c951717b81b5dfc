"""The encoder contract: what an ONNX file must say about itself (keys ``abxfast.*`` of its metadata)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from abxfast.errors import EncoderError

if TYPE_CHECKING:
    from collections.abc import Mapping

CONTRACT_VERSION = "1"
INPUT_NAME = "input_values"
"""float32 ``[batch, samples]``: mono waveforms of equal length, in [−1, 1]."""
OUTPUT_NAME = "embeddings"
"""float32 ``[batch, variants, dim]``: the pooled vectors of each waveform."""
PREFIX = "abxfast."


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
        return {PREFIX + key: value for key, value in values.items()}

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

        def text(key: str) -> str:
            try:
                return metadata[PREFIX + key]
            except KeyError:
                hint = "abxfast export makes files that do" if key == "contract" else "export it again"
                raise EncoderError(
                    f"{file}: does not keep the encoder contract: no metadata '{PREFIX}{key}'; {hint}"
                ) from None

        def whole(key: str) -> int:
            value = text(key)
            if not value.isdecimal() or int(value) < 1:
                raise EncoderError(f"{file}: metadata '{PREFIX}{key}' is {value!r}, expected a whole number from 1")
            return int(value)

        def decoded(key: str, kind: type) -> object:
            try:
                value = json.loads(text(key))
            except json.JSONDecodeError:
                value = None
            if not isinstance(value, kind):
                raise EncoderError(f"{file}: metadata '{PREFIX}{key}' is {text(key)!r}, expected JSON ({kind.__name__})")
            return value

        found = text("contract")
        if found != CONTRACT_VERSION:
            raise EncoderError(
                f"{file}: keeps encoder contract {found}, this abxfast reads {CONTRACT_VERSION}; "
                "export the encoder again, or update abxfast"
            )
        names = decoded("variants", list)
        variants = tuple(str(name) for name in names) if isinstance(names, list) else ()
        if not variants or len(set(variants)) != len(variants):
            raise EncoderError(f"{file}: metadata '{PREFIX}variants' must name each variant once, found {names}")
        default = text("default_variant")
        if default not in variants:
            raise EncoderError(f"{file}: default variant {default!r} is none of {', '.join(variants)}")
        tools, parity = decoded("tools", dict), decoded("parity", dict)
        return cls(
            name=text("name"),
            variants=variants,
            default_variant=default,
            sample_rate_hz=whole("sample_rate_hz"),
            least_samples=whole("least_samples"),
            frame_hop_samples=whole("frame_hop_samples"),
            normalisation=text("normalisation"),
            precision=text("precision"),
            source=text("source"),
            revision=text("revision"),
            sha256=text("sha256"),
            licence=text("licence"),
            tools=tools if isinstance(tools, dict) else {},
            parity=parity if isinstance(parity, dict) else {},
        )
