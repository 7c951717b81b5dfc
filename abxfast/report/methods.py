"""The methods section of a study, ready for a paper, and the works that it cites."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from abxfast.report.references import REFERENCES, Reference
from abxfast.statistics import DEFAULT_MARGIN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from abxfast.results import Results

# {key} stands for a citation in brackets, {in:key} for one in the running text.
_ABX = (
    "Similarity was measured by ABX scores ({schatz2013}), following {in:fily2024}. Each snippet is represented by one "
    "vector, its frames pooled over time. In a triplet (a, b, x), a and x are different snippets of A, and b is a "
    "snippet of B; the triplet counts 1 if x is closer to a than to b, and one half in case of a tie. Distance is "
    "1 − cosine similarity, in double precision. The score of (A, B) is the mean over all triplets; 0.5 is chance "
    "level. Scores were computed exactly, over all triplets that the design allows, and are reported in both "
    "directions."
)
_STANDARDISATIONS = {
    "center": "Before scoring, the mean of each channel over the scored vectors of an analysis was subtracted.",
    "zscore": (
        "Before scoring, each channel was standardised to zero mean and unit variance over the scored vectors of an "
        "analysis."
    ),
}
_INTERVALS = (
    "Confidence intervals (95%) were computed by the jackknife ({arvesen1969}), less the variance due to pairs of "
    "units, which it counts twice ({efron1981}), unless there are millions of pairs. The units are contiguous blocks "
    "of a recording ({kunsch1989}), with the length of {in:politis2004}, runs of snippets that share a label, or "
    "recordings if the label is one of whole recordings; if each value is represented by a single token in its "
    "context, the interval is over the values of a label. Where recordings change over time ({kwiatkowski1992}), are "
    "too short for their autocorrelation or too few, no interval is given. Two self-baselines were computed for each "
    "recording: its score against itself in alternating blocks of 30 s, and the score of its first half against its "
    "second half."
)
_MAPS = (
    "Recordings were placed on maps by metric multidimensional scaling ({borg2005}) of their scores, averaged over "
    "both directions, less 0.5. Rows of matrices were ordered by average-linkage clustering of the same "
    "dissimilarities."
)
_CLASSIFICATION = (
    "For classification, each recording was left out in turn and assigned the label of the recordings from which it "
    "was hardest to discriminate; confidence intervals of the accuracy are those of {in:wilson1927}."
)
_CONFOUNDS = (
    "Level, clipping, bandwidth, noise floor, sample rate and number of channels were examined as confounds: where "
    "each value is one recording, the ranks of their differences were correlated with the scores by the method of "
    "{in:mantel1967}; otherwise, their ranks were compared between the values by permutation tests within the contexts."
)
_MFCC = (
    "The acoustic baseline, mfcc, consists of mel-frequency cepstral coefficients and their deltas ({davis1980}), "
    "pooled over each snippet."
)


def write_methods(results: Results) -> tuple[list[str], list[Reference]]:
    """Write the methods section of a study, from what run.json records.

    Returns
    -------
    paragraphs : list of str
        Plain text.
    references : list of Reference
        The works that the text cites, by author and year.
    """
    run = results.run
    experiments = run.get("experiments", ())
    paragraphs = [
        _corpus(run),
        *(_encoder(encoder) for encoder in run.get("encoders", ())),
        _ABX,
        _STANDARDISATIONS.get(run.get("standardise", "none"), ""),
        *(_design(experiment) for experiment in experiments),
        _INTERVALS,
        _tests(run),
        _MAPS,
        _software(run),
    ]
    return _cite([paragraph for paragraph in paragraphs if paragraph])


def _cite(paragraphs: list[str]) -> tuple[list[str], list[Reference]]:
    """Replace the placeholders of citations; return the text and the works cited, in order of their entries."""
    cited = [work for key, work in REFERENCES.items() if any(f"{key}}}" in text for text in paragraphs)]
    cited.sort(key=lambda work: work.entry.casefold())
    for work in cited:
        authors, _, year = work.cited.rpartition(" ")
        in_text, in_brackets = f"{{in:{work.key}}}", f"{{{work.key}}}"
        paragraphs = [
            text.replace(in_text, f"{authors} ({year})").replace(in_brackets, work.cited) for text in paragraphs
        ]
    return paragraphs, cited


def _corpus(run: Mapping[str, Any]) -> str:
    plan = run.get("plan") or {}
    n_recordings, audio_s = plan.get("recordings"), plan.get("audio_s")
    if not n_recordings:
        return ""
    duration = f" ({audio_s / 60:.0f} minutes of audio)" if audio_s else ""
    return f"The study covers {_count(n_recordings, 'recording')}{duration}. {_snippets(run)}"


def _snippets(run: Mapping[str, Any]) -> str:
    lengths = {length for experiment in run.get("experiments", ()) for length in experiment.get("snippets", ())}
    timed = sorted(length for length in lengths if isinstance(length, int | float))
    if not timed:
        return "Each item of the manifest was taken whole."
    whole = ", or taken whole" if len(timed) < len(lengths) else ""
    return f"They were cut into snippets of {_enumerate([f'{length:g}' for length in timed])} s{whole}."


def _encoder(encoder: Mapping[str, Any]) -> str:
    name = _escape(encoder.get("name", ""))
    if name == "mfcc":
        return _MFCC
    source = _escape(encoder.get("source") or "a source that its file does not state")
    text = f"Vectors of {encoder.get('dim')} dimensions were computed with the encoder {name}, exported from {source}"
    if encoder.get("revision"):
        text += f" (revision {_escape(encoder['revision'])})"
    if "xlsr" in source.casefold():
        text += ", the cross-lingual model of {in:conneau2021}, which builds on wav2vec 2.0 ({baevski2020})"
    elif "wav2vec2" in source.casefold():
        text += ", a model of the wav2vec 2.0 family ({baevski2020})"
    elif "whisper" in source.casefold():
        text += ", a Whisper model ({radford2023})"
    precision = _escape(encoder.get("precision") or "a precision that its file does not state")
    variants = _enumerate([_escape(variant) for variant in encoder.get("variants", ())])
    text += f", and run as ONNX in {precision}; layers and poolings: {variants}"
    return f"{text}. SHA-256 {encoder.get('sha256', '')[:12]}."


def _design(experiment: Mapping[str, Any]) -> str:
    text = f"Experiment “{_escape(experiment.get('name', ''))}”: ON {_escape(experiment.get('on', ''))}"
    for role in ("by", "across"):
        if experiment.get(role):
            text += f", {role.upper()} {_enumerate([_escape(column) for column in experiment[role]])}"
    if experiment.get("different"):
        text += f", a and x of different {_enumerate([_escape(column) for column in experiment['different']])}"
    if experiment.get("min_gap_s"):
        text += f", a and x at least {experiment['min_gap_s']:g} s apart"
    for column, value in (experiment.get("where") or {}).items():
        values = value if isinstance(value, list) else [value]
        text += f", where {_escape(column)} is {' or '.join(_escape(value) for value in values)}"
    n_recordings = experiment.get("recordings")
    return f"{text}; {_count(n_recordings, 'recording')}." if n_recordings else f"{text}."


def _tests(run: Mapping[str, Any]) -> str:
    permutations = run.get("permutations")
    if permutations:
        text = (
            f"Exchangeability of the labels was tested with {permutations:,} seeded permutations (seed "
            f"{run.get('seed')}), or all distinct ones if they are no more, of the units that are exchangeable under "
            "the design: blocks of snippets, runs of snippets that share a label, or whole recordings, within the "
            "contexts of BY and ACROSS. Within each matrix, p-values were adjusted by the methods of {in:holm1979} and "
            "{in:benjamini1995}. Values were called different if p, adjusted by Holm's method, was at most 0.05 and, "
            "where each is a single recording, their mean vectors differed by more than those of thirds of a recording "
            "predict; and equivalent if two one-sided tests at 0.05 ({schuirmann1987}) rejected scores outside 0.5 ± "
            f"{run.get('margin', DEFAULT_MARGIN):g}."
        )
    else:
        text = "No permutation test was run."
    sentences = [text]
    if any(experiment.get("classify") for experiment in run.get("experiments", ())):
        sentences.append(_CLASSIFICATION)
    return " ".join([*sentences, _CONFOUNDS])


def _software(run: Mapping[str, Any]) -> str:
    tools = _enumerate([f"{_escape(name)} {_escape(version)}" for name, version in (run.get("tools") or {}).items()])
    return f"All computations were made with abxfast {_escape(run.get('abxfast', ''))}{f' ({tools})' if tools else ''}."


def _escape(value: object) -> str:
    """Return a value as text that cannot be mistaken for a citation's placeholder."""
    return str(value).replace("{", "(").replace("}", ")")


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def _enumerate(words: Sequence[str]) -> str:
    if len(words) < 2:  # noqa: PLR2004
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"
