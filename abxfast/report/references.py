"""The works that the methods section may cite."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reference:
    """A work.

    Attributes
    ----------
    key : str
        Of its BibTeX entry.
    cited : str
        Authors and year, as cited in the text.
    entry : str
        As listed under References.
    bibtex : str
    """

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
            "Fily, M., Wisniewski, G., Guillaume, S., Adda, G., & Michaud, A. (2024). Establishing degrees of "
            "closeness between audio recordings along different dimensions using large-scale cross-lingual models. In "
            "Findings of the Association for Computational Linguistics: EACL 2024. arXiv:2402.05581.",
            author="Fily, Maxime and Wisniewski, Guillaume and Guillaume, Séverine and Adda, Gilles and Michaud, "
            "Alexis",
            title="Establishing degrees of closeness between audio recordings along different dimensions using "
            "large-scale cross-lingual models",
            booktitle="Findings of the Association for Computational Linguistics: EACL 2024",
            year="2024",
            eprint="2402.05581",
            archiveprefix="arXiv",
        ),
        _reference(
            "schatz2013",
            "Schatz et al. 2013",
            "inproceedings",
            "Schatz, T., Peddinti, V., Bach, F., Jansen, A., Hermansky, H., & Dupoux, E. (2013). Evaluating speech "
            "features with the minimal-pair ABX task: Analysis of the classical MFC/PLP pipeline. In Interspeech "
            "2013, 1781–1785.",
            author="Schatz, Thomas and Peddinti, Vijayaditya and Bach, Francis and Jansen, Aren and Hermansky, Hynek "
            "and Dupoux, Emmanuel",
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
            author="Conneau, Alexis and Baevski, Alexei and Collobert, Ronan and Mohamed, Abdelrahman and Auli, "
            "Michael",
            title="Unsupervised cross-lingual representation learning for speech recognition",
            booktitle="Interspeech 2021",
            pages="2426--2430",
            year="2021",
        ),
        _reference(
            "baevski2020",
            "Baevski et al. 2020",
            "inproceedings",
            "Baevski, A., Zhou, Y., Mohamed, A., & Auli, M. (2020). wav2vec 2.0: A framework for self-supervised "
            "learning of speech representations. In Advances in Neural Information Processing Systems 33, "
            "12449–12460.",
            author="Baevski, Alexei and Zhou, Yuhao and Mohamed, Abdelrahman and Auli, Michael",
            title="wav2vec 2.0: A framework for self-supervised learning of speech representations",
            booktitle="Advances in Neural Information Processing Systems",
            volume="33",
            pages="12449--12460",
            year="2020",
        ),
        _reference(
            "radford2023",
            "Radford et al. 2023",
            "inproceedings",
            "Radford, A., Kim, J. W., Xu, T., Brockman, G., McLeavey, C., & Sutskever, I. (2023). Robust speech "
            "recognition via large-scale weak supervision. In Proceedings of the 40th International Conference on "
            "Machine Learning, 28492–28518.",
            author="Radford, Alec and Kim, Jong Wook and Xu, Tao and Brockman, Greg and McLeavey, Christine and "
            "Sutskever, Ilya",
            title="Robust speech recognition via large-scale weak supervision",
            booktitle="Proceedings of the 40th International Conference on Machine Learning",
            pages="28492--28518",
            year="2023",
        ),
        _reference(
            "davis1980",
            "Davis & Mermelstein 1980",
            "article",
            "Davis, S., & Mermelstein, P. (1980). Comparison of parametric representations for monosyllabic word "
            "recognition in continuously spoken sentences. IEEE Transactions on Acoustics, Speech, and Signal "
            "Processing, 28(4), 357–366.",
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
            "arvesen1969",
            "Arvesen 1969",
            "article",
            "Arvesen, J. N. (1969). Jackknifing U-statistics. The Annals of Mathematical Statistics, 40(6), 2076–2100.",
            author="Arvesen, James N.",
            title="Jackknifing U-statistics",
            journal="The Annals of Mathematical Statistics",
            volume="40",
            number="6",
            pages="2076--2100",
            year="1969",
        ),
        _reference(
            "efron1981",
            "Efron and Stein 1981",
            "article",
            "Efron, B., & Stein, C. (1981). The jackknife estimate of variance. The Annals of Statistics, 9(3), "
            "586–596.",
            author="Efron, Bradley and Stein, Charles",
            title="The jackknife estimate of variance",
            journal="The Annals of Statistics",
            volume="9",
            number="3",
            pages="586--596",
            year="1981",
        ),
        _reference(
            "kwiatkowski1992",
            "Kwiatkowski et al. 1992",
            "article",
            "Kwiatkowski, D., Phillips, P. C. B., Schmidt, P., & Shin, Y. (1992). Testing the null hypothesis of "
            "stationarity against the alternative of a unit root. Journal of Econometrics, 54(1–3), 159–178.",
            author="Kwiatkowski, Denis and Phillips, Peter C. B. and Schmidt, Peter and Shin, Yongcheol",
            title="Testing the null hypothesis of stationarity against the alternative of a unit root",
            journal="Journal of Econometrics",
            volume="54",
            number="1--3",
            pages="159--178",
            year="1992",
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
            "politis2004",
            "Politis and White 2004",
            "article",
            "Politis, D. N., & White, H. (2004). Automatic block-length selection for the dependent bootstrap. "
            "Econometric Reviews, 23(1), 53–70.",
            author="Politis, Dimitris N. and White, Halbert",
            title="Automatic block-length selection for the dependent bootstrap",
            journal="Econometric Reviews",
            volume="23",
            number="1",
            pages="53--70",
            year="2004",
            doi="10.1081/ETC-120028836",
        ),
        _reference(
            "schuirmann1987",
            "Schuirmann 1987",
            "article",
            "Schuirmann, D. J. (1987). A comparison of the two one-sided tests procedure and the power approach for "
            "assessing the equivalence of average bioavailability. Journal of Pharmacokinetics and Biopharmaceutics, "
            "15(6), 657–680.",
            author="Schuirmann, Donald J.",
            title="A comparison of the two one-sided tests procedure and the power approach for assessing the "
            "equivalence of average bioavailability",
            journal="Journal of Pharmacokinetics and Biopharmaceutics",
            volume="15",
            number="6",
            pages="657--680",
            year="1987",
            doi="10.1007/BF01068419",
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
            "Wilson, E. B. (1927). Probable inference, the law of succession, and statistical inference. Journal of "
            "the American Statistical Association, 22(158), 209–212.",
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
            "Borg, I., & Groenen, P. J. F. (2005). Modern multidimensional scaling: Theory and applications (2nd "
            "ed.). Springer.",
            author="Borg, Ingwer and Groenen, Patrick J. F.",
            title="Modern multidimensional scaling: Theory and applications",
            edition="2",
            publisher="Springer",
            year="2005",
        ),
    )
}
