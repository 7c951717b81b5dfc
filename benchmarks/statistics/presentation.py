"""The figure and the tables of the calibration."""

from __future__ import annotations

COLOURS = {
    ("pair", 0.0): "#0072B2",
    ("pair", 0.5): "#E69F00",
    ("pair", 0.8): "#009E73",
    ("group", 0.0): "#CC79A7",
    ("tokens", 0.0): "#D55E00",
    ("repeated", 0.0): "0.5",
}
MARKERS = {60: "o", 120: "s", 360: "^", 5: "P", 8: "X", 16: "D", 10: "v", 20: "<", 40: ">"}
PAIR_SIZES = (60, 120, 360)
BASELINES = (
    ("null_score", "two recordings", "0.2", "-"),
    ("alternating_split", "alternating split", "#0072B2", "--"),
    ("half_split", "half split", "#E69F00", ":"),
)
"""Key of the results, label, colour and line."""


def describe(result):
    """Return the name of a design."""
    if result["kind"] == "pair":
        return f"ρ = {result['correlation']:g}, {result['n']} snippets"
    if result["kind"] == "group":
        return f"{result['n']} + {result['n']} recordings"
    return f"{result['n']} syllables, {'one token' if result['kind'] == 'tokens' else '3 tokens'} each"


def to_markdown(results, scores):
    """Return the tables of RESULTS.md: coverage at each of `scores` and rejections, and self-baselines."""
    lines = [
        "| design | " + " | ".join(f"at {score}" for score in scores) + " | rejects | too short |",
        "|---|" + "--:|" * (len(scores) + 2),
    ]
    for result in results:
        coverage = {c["aimed"]: f"{100 * c['cover']:.1f}" if c["given"] else "none given" for c in result["coverage"]}
        cells = [coverage.get(score, "") for score in scores]
        cells += [f"{100 * result['reject']:.1f}", f"{100 * result['too_short']:.0f}%"]
        lines.append(f"| {describe(result)} | {' | '.join(cells)} |")
    lines += ["", f"| ρ | snippets | {' | '.join(label for _, label, _, _ in BASELINES)} |", "|" + "--:|" * 5]
    for result in results:
        if result["kind"] == "pair":
            cells = [f"{result[key]:.3f}" for key, *_ in BASELINES]
            lines.append(f"| {result['correlation']:g} | {result['n']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def draw(results, folder):
    """Draw coverage, rejections and the effect of correlation alone, as PNG and SVG."""
    import matplotlib as mpl
    from matplotlib import pyplot as plt

    mpl.use("agg")
    mpl.rcParams["svg.hashsalt"] = "abxfast"
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(12, 5), layout="constrained")
    _draw_coverage(left, results)
    _draw_rejections(middle, results)
    _draw_baselines(right, results)
    for suffix in ("png", "svg"):
        metadata = {"Date": None} if suffix == "svg" else None
        figure.savefig(folder / f"calibration.{suffix}", dpi=150, metadata=metadata)


def _style(result):
    colour = COLOURS[result["kind"], result["correlation"]]
    return {"color": colour, "marker": MARKERS[result["n"]], "markersize": 5}


def _mostly_too_short(result):
    return result["too_short"] > 0.5  # noqa: PLR2004


def _draw_coverage(axes, results):
    axes.axhspan(93, 97, color="0.92")
    for result in results:
        points = [(c["score"], 100 * c["cover"]) for c in result["coverage"] if c["given"] > 0.5]  # noqa: PLR2004
        if points:
            axes.plot(*zip(*points, strict=True), linewidth=0.8, **_style(result))
    axes.set(xlabel="mean score", ylabel="coverage of 95% intervals (%)", ylim=(90, 100))
    axes.set_title("Intervals (markers as on the right)")


def _draw_rejections(axes, results):
    axes.axvspan(4, 6, color="0.92")
    for row, result in enumerate(results):
        fill = "none" if _mostly_too_short(result) else "full"
        axes.plot(100 * result["reject"], row, linestyle="", fillstyle=fill, **_style(result))
    axes.set(xlabel="rejections at p ≤ 0.05 (%)", xlim=(0, 10), title="Tests without a difference")
    names = [describe(result) + (" (reported as too short)" if _mostly_too_short(result) else "") for result in results]
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.invert_yaxis()


def _draw_baselines(axes, results):
    for n in PAIR_SIZES:
        pairs = [result for result in results if result["kind"] == "pair" and result["n"] == n]
        pairs.sort(key=lambda result: result["correlation"])
        x = [result["correlation"] for result in pairs]
        for key, label, colour, line in BASELINES:
            y = [result[key] for result in pairs]
            axes.plot(x, y, line, color=colour, marker=MARKERS[n], markersize=5, label=f"{label}, {n}")
    axes.set(xlabel="lag-one correlation ρ", ylabel="mean score", title="Effect of correlation alone")
    axes.legend(fontsize=7)
