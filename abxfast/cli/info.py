"""What is in a store or an encoder, as pairs of a word and a value."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from abxfast.cli.messages import to_command_line
from abxfast.encoders import Encoder, format_parity
from abxfast.scoring import measure_dominance

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from abxfast.store import Store

SAMPLED_SNIPPETS = 2_000
"""Snippets by which the channels of a store are judged."""


def describe_encoder(path: Path) -> Iterator[tuple[str, str]]:
    """Describe an encoder file, after checking that it keeps the contract.

    Raises
    ------
    EncoderError
        If it does not.
    """
    encoder = Encoder(path, "cpu")
    info = encoder.info
    yield "encoder", info.name
    yield "variants", _with_default(info.variants, info.default_variant)
    yield "dimensions", str(encoder.dim)
    yield "rate", f"{info.sample_rate_hz} Hz"
    yield "least length", f"{1000 * info.least_samples / info.sample_rate_hz:g} ms"
    if info.most_samples is not None:
        yield "most length", f"{info.most_samples / info.sample_rate_hz:g} s"
    yield "frame hop", f"{1000 * info.frame_hop_samples / info.sample_rate_hz:g} ms"
    yield "normalisation", info.normalisation
    yield "precision", info.precision
    for word, value in (("source", info.source), ("revision", info.revision), ("weights SHA-256", info.sha256)):
        if value:
            yield word, value
    yield "licence", info.licence or "not stated"
    yield "made with", ", ".join(f"{name} {version}" for name, version in info.tools.items())
    for word, measured in info.parity.items():
        if word != "rows":
            yield f"parity: {word}", str(measured)
    table = format_parity(info.parity)
    if table:
        yield "parity", "\n" + table
    yield "file SHA-256", encoder.sha256


def describe_store(store: Store) -> Iterator[tuple[str, str]]:
    """Describe what a store holds."""
    yield "encoder", store.encoder
    yield "encoder SHA-256", store.encoder_sha256
    yield "variants", _with_default(store.variants, store.default_variant)
    yield "dimensions", str(store.dim)
    for variant in store.variants:
        dominance = measure_dominance(store.sample(variant, SAMPLED_SNIPPETS))
        if dominance is not None:
            advice = to_command_line("`standardise='zscore'` gives all channels the same weight")
            yield f"channels: {variant}", f"{dominance}; {advice}"
    rows = store.manifest_rows()
    yield "recordings", f"{len({row['recording'] for row in rows.values()}):,}"
    yield "items", f"{len(rows):,}"
    for length_s in store.lengths():
        entries = store.complete_entries(length_s)
        snippets = sum(len(state.done) for state in entries)
        plans = ", ".join(str(plan) for plan in sorted({state.entry.plan for state in entries}, key=str))
        yield f"snippets: {plans}", f"{snippets:,} of {len(entries):,} items"
    unfinished = [
        store.entries[key].entry for key in store.current_entries().values() if not store.entries[key].complete
    ]
    if unfinished:
        items = list(dict.fromkeys(entry.item for entry in unfinished))
        yield "unfinished", f"{', '.join(items[:3])}{', …' if len(items) > 3 else ''}: run embed again"  # noqa: PLR2004
    for column in store.metadata_columns():
        values = Counter(row.get(column) for row in rows.values())
        empty = values.pop(None, 0)
        common = ", ".join(f"{value} ({count})" for value, count in values.most_common(5))
        more = f", and {len(values) - 5} more" if len(values) > 5 else ""  # noqa: PLR2004
        yield f"label: {column}", f"{common}{more}{f'; empty in {empty}' if empty else ''}"
    size = sum(part.size for part in store.parts.values())
    yield "on disk", f"{size / 1e6:.1f} MB in {len(store.parts)} part(s)"


def _with_default(variants: tuple[str, ...], default: str) -> str:
    return ", ".join(f"{name} (default)" if name == default else name for name in variants)
