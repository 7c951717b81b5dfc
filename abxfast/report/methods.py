"""The methods section that a paper can take over, and whom it cites."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from abxfast.report.references import REFERENCES, Reference

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from abxfast.results import Results


def write_methods(results: Results) -> tuple[list[str], list[Reference]]:
    """Write the methods of this study, from what run.json says was done.

    Returns
    -------
    paragraphs : list of str
        Plain text.
    references : list of Reference
        Those that the text cites, by name and year.
    """
    run = results.run
    paragraphs = [
        _corpus(run),
        *(_encoder(encoder) for encoder in run.get("encoders", ())),
        (
            "Similarity was measured with ABX scores ({schatz2013}), in the way of {in:fily2024}: each snippet is one "
            "vector, "
            "its frames pooled over time; a triplet (a, b, x) has a and x from A and b from B, a and x being different "
            "snippets, and counts one if x is nearer to a than to b, one half in a tie. Distance is 1 − cosine, in "
            "double "
            "precision. The score of (A, B) is the mean over all triplets, 0.5 being chance; scores were counted "
            "exactly, "
            "over all triplets that the design allows, and both directions are reported."
        ),
        *(_design(experiment) for experiment in run.get("experiments", ())),
        (
            "Intervals of 95 % come from the infinitesimal jackknife ({efron1982}), with what each snippet contributes "
            "summed over contiguous blocks of a recording ({kunsch1989}), or over recordings where the label is one of "
            "whole recordings; where a single token stands for each value in its context, over the values of a label. "
            "Two controls go with each recording: its score against itself in alternating blocks of 30 s, and that of "
            "its first half against its second."
        ),
        _tests(run),
        (
            "Recordings were placed on maps by metric multidimensional scaling ({borg2005}) of the scores' mean over "
            "both "
            "directions, less 0.5, and ordered in matrices by average-linkage clustering of the same."
        ),
        _tools(run),
    ]
    kept = [paragraph for paragraph in paragraphs if paragraph]
    cited = [reference for key, reference in REFERENCES.items() if any(f"{key}}}" in text for text in kept)]
    cited.sort(key=lambda reference: reference.entry.casefold())
    for reference in cited:
        names, _, year = reference.cited.rpartition(" ")
        in_text, in_brackets = f"{{in:{reference.key}}}", f"{{{reference.key}}}"
        kept = [text.replace(in_text, f"{names} ({year})").replace(in_brackets, reference.cited) for text in kept]
    return kept, cited


def _corpus(run: Mapping[str, Any]) -> str:
    plan = run.get("plan") or {}
    count, audio_s = plan.get("recordings"), plan.get("audio_s")
    if not count:
        return ""
    long = f" ({audio_s / 60:.0f} minutes of audio)" if audio_s else ""
    return f"The study covers {_many(count, 'recording')}{long}. {_lengths(run)}".strip()


def _lengths(run: Mapping[str, Any]) -> str:
    lengths = [length for experiment in run.get("experiments", ()) for length in experiment.get("snippets", ())]
    timed = sorted({length for length in lengths if isinstance(length, int | float)})
    if not timed:
        return "Each item of the manifest was taken whole."
    whole = ", or taken whole" if len(timed) < len(set(lengths)) else ""
    return f"They were cut into snippets of {_listed([f'{length:g}' for length in timed])} s{whole}."


def _encoder(encoder: Mapping[str, Any]) -> str:
    name = _plain(encoder.get("name", ""))
    if name == "mfcc":
        return (
            "The acoustic baseline, mfcc, are mel-frequency cepstral coefficients and their slopes ({davis1980}), "
            "pooled "
            "over each snippet."
        )
    source = _plain(encoder.get("source") or "a source that its file does not state")
    made = f"Vectors of {encoder.get('dim')} numbers were computed with the encoder {name}, made from {source}"
    if encoder.get("revision"):
        made += f" (revision {_plain(encoder['revision'])})"
    if "xlsr" in source.casefold():
        made += ", the cross-lingual model of {in:conneau2021}, which builds on wav2vec 2.0 ({baevski2020})"
    elif "wav2vec2" in source.casefold():
        made += ", a model of the wav2vec 2.0 family ({baevski2020})"
    precision = _plain(encoder.get("precision") or "a precision that its file does not state")
    variants = _listed([_plain(variant) for variant in encoder.get("variants", ())])
    made += f", run as ONNX in {precision}; layers and poolings: {variants}"
    return f"{made}. SHA-256 {encoder.get('sha256', '')[:12]}."


def _design(experiment: Mapping[str, Any]) -> str:
    told = f"Experiment “{_plain(experiment.get('name', ''))}”: ON {_plain(experiment.get('on', ''))}"
    for word in ("by", "across"):
        if experiment.get(word):
            told += f", {word.upper()} {_listed([_plain(column) for column in experiment[word]])}"
    if experiment.get("different"):
        told += f", a and x of different {_listed([_plain(column) for column in experiment['different']])}"
    if experiment.get("min_gap_s"):
        told += f", a and x at least {experiment['min_gap_s']:g} s apart"
    for column, value in (experiment.get("where") or {}).items():
        values = value if isinstance(value, list) else [value]
        told += f", where {_plain(column)} is {' or '.join(_plain(one) for one in values)}"
    count = experiment.get("recordings")
    return f"{told}; {_many(count, 'recording')}." if count else f"{told}."


def _tests(run: Mapping[str, Any]) -> str:
    permutations = run.get("permutations")
    said = (
        f"The hypothesis that labels are exchangeable was tested with {permutations:,} seeded permutations (seed "
        f"{run.get('seed')}) of what the design makes exchangeable: blocks of snippets, snippets, or whole recordings, "
        "within the contexts of BY and ACROSS. "
        "Within a matrix, p was adjusted after {in:holm1979} and {in:benjamini1995}. "
        if permutations
        else "No permutation test was run. "
    )
    classified = any(experiment.get("classify") for experiment in run.get("experiments", ()))
    if classified:
        said += (
            "For classification, each recording was left out and given the label of those that it was hardest to tell "
            "from; "
            "intervals of the accuracy are those of {in:wilson1927}. "
        )
    return (
        f"{said}Whether differences in level, clipping, bandwidth, noise floor, rate and channels go along with the "
        "scores "
        "was tested on rank correlations after {in:mantel1967}."
    )


def _tools(run: Mapping[str, Any]) -> str:
    tools = _listed([f"{_plain(name)} {_plain(version)}" for name, version in (run.get("tools") or {}).items()])
    return f"Everything was computed with abxfast {_plain(run.get('abxfast', ''))}{f' ({tools})' if tools else ''}."


def _plain(value: object) -> str:
    """Give a value as text in which no key of a reference can be found."""
    return str(value).replace("{", "(").replace("}", ")")


def _many(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""
