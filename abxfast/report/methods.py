"""The methods section that a paper can take over, and whom it cites."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from abxfast.figures.results import Results


@dataclass(frozen=True)
class Reference:
    """A work that is cited: how the text names it, how the list does, and where it is."""

    key: str
    cited: str
    entry: str
    bibtex: str


def _reference(key: str, cited: str, kind: str, entry: str, **fields: str) -> Reference:
    inside = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items())
    return Reference(key, cited, entry, f"@{kind}{{{key},\n{inside}\n}}")


REFERENCES = {
    reference.key: reference
    for reference in (
        _reference(
            "fily2024",
            "Fily et al. 2024",
            "inproceedings",
            "Fily, M., Wisniewski, G., Guillaume, S., Adda, G., & Michaud, A. (2024). Establishing degrees of closeness "
            "between audio recordings along different dimensions using large-scale cross-lingual models. In Findings of "
            "the Association for Computational Linguistics: EACL 2024, 2332–2341. arXiv:2402.05581.",
            author="Fily, Maxime and Wisniewski, Guillaume and Guillaume, Séverine and Adda, Gilles and Michaud, Alexis",
            title="Establishing degrees of closeness between audio recordings along different dimensions using "
            "large-scale cross-lingual models",
            booktitle="Findings of the Association for Computational Linguistics: EACL 2024",
            pages="2332--2341",
            year="2024",
            eprint="2402.05581",
            archiveprefix="arXiv",
        ),
        _reference(
            "schatz2013",
            "Schatz et al. 2013",
            "inproceedings",
            "Schatz, T., Peddinti, V., Bach, F., Jansen, A., Hermansky, H., & Dupoux, E. (2013). Evaluating speech "
            "features with the minimal-pair ABX task: Analysis of the classical MFC/PLP pipeline. In Interspeech 2013, "
            "1781–1785.",
            author="Schatz, Thomas and Peddinti, Vijayaditya and Bach, Francis and Jansen, Aren and Hermansky, Hynek and "
            "Dupoux, Emmanuel",
            title="Evaluating speech features with the minimal-pair {ABX} task: Analysis of the classical {MFC/PLP} "
            "pipeline",
            booktitle="Interspeech 2013",
            pages="1781--1785",
            year="2013",
        ),
        _reference(
            "conneau2021",
            "Conneau et al. 2021",
            "inproceedings",
            "Conneau, A., Baevski, A., Collobert, R., Mohamed, A., & Auli, M. (2021). Unsupervised cross-lingual "
            "representation learning for speech recognition. In Interspeech 2021, 2426–2430.",
            author="Conneau, Alexis and Baevski, Alexei and Collobert, Ronan and Mohamed, Abdelrahman and Auli, Michael",
            title="Unsupervised cross-lingual representation learning for speech recognition",
            booktitle="Interspeech 2021",
            pages="2426--2430",
            year="2021",
        ),
        _reference(
            "baevski2020",
            "Baevski et al. 2020",
            "inproceedings",
            "Baevski, A., Zhou, Y., Mohamed, A., & Auli, M. (2020). wav2vec 2.0: A framework for self-supervised learning "
            "of speech representations. In Advances in Neural Information Processing Systems 33, 12449–12460.",
            author="Baevski, Alexei and Zhou, Yuhao and Mohamed, Abdelrahman and Auli, Michael",
            title="wav2vec 2.0: A framework for self-supervised learning of speech representations",
            booktitle="Advances in Neural Information Processing Systems",
            volume="33",
            pages="12449--12460",
            year="2020",
        ),
        _reference(
            "davis1980",
            "Davis & Mermelstein 1980",
            "article",
            "Davis, S., & Mermelstein, P. (1980). Comparison of parametric representations for monosyllabic word "
            "recognition in continuously spoken sentences. IEEE Transactions on Acoustics, Speech, and Signal Processing, "
            "28(4), 357–366.",
            author="Davis, Steven B. and Mermelstein, Paul",
            title="Comparison of parametric representations for monosyllabic word recognition in continuously spoken "
            "sentences",
            journal="IEEE Transactions on Acoustics, Speech, and Signal Processing",
            volume="28",
            number="4",
            pages="357--366",
            year="1980",
        ),
        _reference(
            "efron1982",
            "Efron 1982",
            "book",
            "Efron, B. (1982). The jackknife, the bootstrap and other resampling plans. Society for Industrial and "
            "Applied Mathematics.",
            author="Efron, Bradley",
            title="The jackknife, the bootstrap and other resampling plans",
            publisher="Society for Industrial and Applied Mathematics",
            year="1982",
        ),
        _reference(
            "kunsch1989",
            "Künsch 1989",
            "article",
            "Künsch, H. R. (1989). The jackknife and the bootstrap for general stationary observations. The Annals of "
            "Statistics, 17(3), 1217–1241.",
            author="Künsch, Hans R.",
            title="The jackknife and the bootstrap for general stationary observations",
            journal="The Annals of Statistics",
            volume="17",
            number="3",
            pages="1217--1241",
            year="1989",
        ),
        _reference(
            "holm1979",
            "Holm 1979",
            "article",
            "Holm, S. (1979). A simple sequentially rejective multiple test procedure. Scandinavian Journal of "
            "Statistics, 6(2), 65–70.",
            author="Holm, Sture",
            title="A simple sequentially rejective multiple test procedure",
            journal="Scandinavian Journal of Statistics",
            volume="6",
            number="2",
            pages="65--70",
            year="1979",
        ),
        _reference(
            "benjamini1995",
            "Benjamini & Hochberg 1995",
            "article",
            "Benjamini, Y., & Hochberg, Y. (1995). Controlling the false discovery rate: A practical and powerful "
            "approach to multiple testing. Journal of the Royal Statistical Society: Series B, 57(1), 289–300.",
            author="Benjamini, Yoav and Hochberg, Yosef",
            title="Controlling the false discovery rate: A practical and powerful approach to multiple testing",
            journal="Journal of the Royal Statistical Society: Series B",
            volume="57",
            number="1",
            pages="289--300",
            year="1995",
        ),
        _reference(
            "mantel1967",
            "Mantel 1967",
            "article",
            "Mantel, N. (1967). The detection of disease clustering and a generalized regression approach. Cancer "
            "Research, 27(2), 209–220.",
            author="Mantel, Nathan",
            title="The detection of disease clustering and a generalized regression approach",
            journal="Cancer Research",
            volume="27",
            number="2",
            pages="209--220",
            year="1967",
        ),
        _reference(
            "wilson1927",
            "Wilson 1927",
            "article",
            "Wilson, E. B. (1927). Probable inference, the law of succession, and statistical inference. Journal of the "
            "American Statistical Association, 22(158), 209–212.",
            author="Wilson, Edwin B.",
            title="Probable inference, the law of succession, and statistical inference",
            journal="Journal of the American Statistical Association",
            volume="22",
            number="158",
            pages="209--212",
            year="1927",
        ),
        _reference(
            "borg2005",
            "Borg & Groenen 2005",
            "book",
            "Borg, I., & Groenen, P. J. F. (2005). Modern multidimensional scaling: Theory and applications (2nd ed.). "
            "Springer.",
            author="Borg, Ingwer and Groenen, Patrick J. F.",
            title="Modern multidimensional scaling: Theory and applications",
            edition="2",
            publisher="Springer",
            year="2005",
        ),
    )
}


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
            "Similarity was measured with ABX scores ({schatz2013}), in the way of {in:fily2024}: each snippet is one vector, "
            "its frames pooled over time; a triplet (a, b, x) has a and x from A and b from B, a and x being different "
            "snippets, and counts one if x is nearer to a than to b, one half in a tie. Distance is 1 − cosine, in double "
            "precision. The score of (A, B) is the mean over all triplets, 0.5 being chance; scores were counted exactly, "
            "over all triplets that the design allows, and both directions are reported."
        ),
        *(_design(experiment) for experiment in run.get("experiments", ())),
        (
            "Intervals of 95 % come from the infinitesimal jackknife ({efron1982}), with what each snippet contributes "
            "summed over contiguous blocks of a recording ({kunsch1989}), or over recordings where the label is one of whole "
            "recordings. Two controls go with each recording: its score against itself in alternating blocks of 30 s, and "
            "that of its first half against its second."
        ),
        _tests(run),
        (
            "Recordings were placed on maps by metric multidimensional scaling ({borg2005}) of the scores' mean over both "
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
    return f"They were cut into snippets of {_listed([f'{length:g}' for length in timed])} s."


def _encoder(encoder: Mapping[str, Any]) -> str:
    name = _plain(encoder.get("name", ""))
    if name == "mfcc":
        return (
            "The acoustic baseline, mfcc, are mel-frequency cepstral coefficients and their slopes ({davis1980}), pooled "
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
    return f"{made}, run as ONNX in {precision}; layers and poolings: {variants}. SHA-256 {encoder.get('sha256', '')[:12]}."


def _design(experiment: Mapping[str, Any]) -> str:
    told = f"Experiment “{_plain(experiment.get('name', ''))}”: ON {_plain(experiment.get('on', ''))}"
    for word in ("by", "across"):
        if experiment.get(word):
            told += f", {word.upper()} {_listed([_plain(column) for column in experiment[word]])}"
    if experiment.get("different"):
        told += f", a and x of different {_listed([_plain(column) for column in experiment['different']])}"
    if experiment.get("min_gap_s"):
        told += f", a and x at least {experiment['min_gap_s']:g} s apart"
    count = experiment.get("recordings")
    return f"{told}; {_many(count, 'recording')}." if count else f"{told}."


def _tests(run: Mapping[str, Any]) -> str:
    permutations = run.get("permutations")
    said = (
        f"The hypothesis that labels are exchangeable was tested with {permutations:,} seeded permutations (seed "
        f"{run.get('seed')}) of what the design makes exchangeable: blocks of snippets, snippets, or whole recordings. "
        "Within a matrix, p was adjusted after {in:holm1979} and {in:benjamini1995}. "
        if permutations
        else "No permutation test was run. "
    )
    classified = any(experiment.get("classify") for experiment in run.get("experiments", ()))
    if classified:
        said += (
            "For classification, each recording was left out and given the label of those that it was hardest to tell from; "
            "intervals of the accuracy are those of {in:wilson1927}. "
        )
    return (
        f"{said}Whether differences in level, clipping, bandwidth, noise floor, rate and channels go along with the scores "
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
