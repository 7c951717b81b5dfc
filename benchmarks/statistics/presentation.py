"""The figure and the tables of the calibration."""

from __future__ import annotations

COLOURS = {"different": "#D55E00", "before": "0.6"}


def describe(result):
    """Return the name of a design."""
    kind, process, n, m = (result[name] for name in ("kind", "process", "n", "m"))
    return {
        "pair": f"{process}, {n} snippets",
        "unequal": f"{process}, {n} and {n // 4} snippets",
        "group": f"{n} + {m} recordings",
        "turns": f"turns of {n} snippets, {process}",
        "tokens": f"{n} syllables, one token each",
        "list": f"{n} syllables in one order, with a trend",
        "repeated": f"{n} syllables, 3 tokens each",
    }[kind]


def to_markdown(results):
    """Return the tables of RESULTS.md: verdicts and differences found, coverage, and self-baselines."""
    columns = ("different", "no evidence", "equivalent", "undecidable", "p ≤ 0.05 alone", "found at 0.55", "at 0.75")
    lines = [f"| no difference, % | {' | '.join(columns)} |", "|---|" + "--:|" * len(columns)]
    for result in results:
        shares = [f"{100 * share:.1f}" for share in result["verdicts"].values()]
        found = [f"{100 * judged['verdicts']['different']:.0f}" for judged in result["judged"]]
        rejected = f"{100 * result['reject']:.1f}"
        lines.append(f"| {describe(result)} | {' | '.join([*shares, rejected, *found])} |")
    scores = [each["aimed"] for each in results[0]["coverage"]]
    lines += ["", f"| coverage, % | {' | '.join(f'at {score:g}' for score in scores)} | given | replicates |"]
    lines.append("|---|" + "--:|" * (len(scores) + 2))
    for result in results:
        cells = [f"{100 * each['cover']:.1f}" if each["given"] > _GIVEN else "" for each in result["coverage"]]
        known = result.get("replicates", {})
        replicates = "; ".join(str(known[each]) for each in ("null", "coverage") if each in known) or "earlier"
        given = f"{100 * result['coverage'][0]['given']:.0f}"
        lines.append(f"| {describe(result)} | {' | '.join(cells)} | {given} | {replicates} |")
    lines += ["", "| without a difference | two recordings | alternating split | half split |", "|---|--:|--:|--:|"]
    for result in results:
        if result["kind"] == "pair":
            scores = (result["coverage"][0]["score"], result["alternating_split"], result["half_split"])
            lines.append(f"| {describe(result)} | {' | '.join(f'{score:.3f}' for score in scores)} |")
    return "\n".join(lines)


_GIVEN = 0.05
"""Share of replicates with an interval below which no coverage is stated."""


def draw(results, folder):
    """Draw false calls before and after, and what is found at a score of 0.75, as PNG and SVG."""
    import matplotlib as mpl
    from matplotlib import pyplot as plt

    mpl.use("agg")
    mpl.rcParams["svg.hashsalt"] = "abxfast"
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(11, 0.22 * len(results) + 1.4), layout="constrained", sharey=True
    )
    names = [describe(result) for result in results]
    for axes, title, after, before in (
        (left, "called different though nothing differs (%)", [r["verdicts"]["different"] for r in results], "called"),
        (
            right,
            "found where the score is about 0.75 (%)",
            [r["judged"][1]["verdicts"]["different"] for r in results],
            "found",
        ),
    ):
        rows = range(len(results))
        old = [100 * r["before"][before] if r.get("before") else float("nan") for r in results]
        axes.hlines(rows, old, [100 * share for share in after], color="0.85", linewidth=1.5, zorder=1)
        axes.plot(old, rows, "o", color=COLOURS["before"], markersize=4.5, label="before")
        axes.plot([100 * share for share in after], rows, "o", color=COLOURS["different"], markersize=5.5, label="now")
        axes.set(xlim=(-3, 103), title=title)
        axes.title.set_fontsize(10)
        axes.grid(axis="y", color="0.94", linewidth=0.5)
        axes.spines[["top", "right"]].set_visible(False)
    left.axvline(5, color="0.4", linewidth=0.8, linestyle=":")
    left.text(6, -0.9, "5%", fontsize=8, color="0.4", va="center")
    left.set_yticks(range(len(names)), names, fontsize=8)
    left.invert_yaxis()
    left.legend(loc="lower right", fontsize=8)
    for suffix in ("png", "svg"):
        metadata = {"Date": None} if suffix == "svg" else None
        figure.savefig(folder / f"calibration.{suffix}", dpi=150, metadata=metadata)
