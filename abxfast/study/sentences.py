"""What the numbers say, in plain words; no word that the intervals do not support."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from abxfast.results import Row

    Said = Iterator[tuple[str, str]]

CHANCE = 0.5
LEVEL = 0.05
_MEASURES = {
    "level_db": "level",
    "clipping": "clipping",
    "bandwidth_hz": "bandwidth",
    "noise_db": "noise floor",
    "rate_hz": "sample rate",
    "channels": "number of channels",
}


def describe_summary(summary: Row, pairs: Sequence[Row], on: str) -> Said:
    """Say what an experiment found at one length."""
    at = _at(summary)
    what = f"the values of {on}" if on != "recording" else "the recordings"
    if not _known(summary.get("score")):
        yield "summary", f"Nothing could be scored {at}: {summary['note']}."
        return
    p = summary.get("p")
    interval = _known(summary.get("low"))
    score = _score(summary) if interval else f"{summary['score']:.2f}"
    sure = "" if interval else ", without an interval"
    sure += f", p = {_p(p)}" if _known(p) else ""
    told = sum(1 for row in pairs if _told(row))
    untested = sum(1 for row in pairs if _known(row["low"]) and row["low"] > CHANCE) - told
    not_told = sum(1 for row in pairs if _known(row["low"]) and row["low"] <= CHANCE <= row["high"])
    unsure = sum(1 for row in pairs if not _known(row["low"]))
    counts = [f"{told} of {len(pairs)} pairs can be told apart", f"{not_told} can't" if not_told else ""]
    counts.append(f"{untested} score above chance, which the test does not bear out" if untested else "")
    counts.append(f"{unsure} can't be judged" if unsure else "")
    yield (
        "summary",
        (
            f"By {summary['encoder']} ({summary['variant']}), {what} score {score} {at} on average{sure}; "
            f"{', '.join(filter(None, counts))}."
        ),
    )


def describe_pairs(pairs: Sequence[Row], floors: Sequence[Row]) -> Said:
    """Say of each pair whether it can be told apart; of those that nothing is known of, once why."""
    unsure: dict[str, list[Row]] = {}
    within = {row["label"]: row["alternating_split"] for row in floors if _known(row.get("alternating_split_low"))}
    for row in pairs:
        both, at, score = f"{row['a']} and {row['b']}", _at(row), _score(row)
        if not _known(row["score"]):
            yield "pair", f"{both} could not be scored {at}: {row['note'] or 'no triplet'}."
        elif not _known(row["low"]):
            unsure.setdefault(str(row["note"]), []).append(row)
        elif _told(row):
            floor = max((within[name] for name in (row["a"], row["b"]) if name in within), default=0.0)
            but = f", no more than one recording from itself ({floor:.2f})" if floor >= row["score"] else ""
            yield "pair", f"{both} can be told apart {at}: {score}{but}."
        elif row["low"] > CHANCE:
            why = f"; {row['note']}" if row["note"] else ""
            yield (
                "pair",
                f"{both} score above chance {at}: {score}, which the test does not bear out (p = {_p(row['p'])}{why}).",
            )
        elif row["high"] < CHANCE:
            yield "pair", f"{both} score below chance {at}: {score}; their snippets are more alike across than within."
        else:
            yield "pair", f"{both} can't be told apart {at}: {score}."
    for note, rows in unsure.items():
        which = f"{rows[0]['a']} and {rows[0]['b']}" if len(rows) == 1 else f"{len(rows)} pairs"
        lowest, highest = (choose(row["score"] for row in rows) for choose in (min, max))
        scores = f"{lowest:.2f}" if len(rows) == 1 else f"{lowest:.2f} to {highest:.2f}"
        why = note.removeprefix("no interval: ")
        yield "pair", f"{which} can't be judged {_at(rows[0])}: {scores}, without an interval: {why}."


def describe_baselines(floors: Sequence[Row]) -> Said:
    """Say which recordings are told from themselves."""
    if not floors:
        return
    at = _at(floors[0])
    known = [row["alternating_split"] for row in floors if _known(row.get("alternating_split_low"))]
    if known:
        several = f"on average ({min(known):.2f} to {max(known):.2f})" if len(known) > 1 else "(of one recording)"
        short = len(floors) - len(known)
        but = f"; {short} of {len(floors)} recordings are too short to say" if short else ""
        yield (
            "floor",
            (
                f"One recording against itself, in 30 s blocks, scores {sum(known) / len(known):.2f} {at} {several}: "
                f"the floor under every score here{but}."
            ),
        )
    else:
        yield "floor", f"No recording is long enough to be held against itself {at}: the floor is not known."
    drifting = [row for row in floors if _known(row["half_split_low"]) and row["half_split_low"] > CHANCE]
    if drifting:
        worst = max(drifting, key=lambda row: row["half_split"])
        yield (
            "floor",
            (
                f"{len(drifting)} of {len(floors)} recordings score above chance between their first half and their "
                f"second {at}, most {worst['label']}: {worst['half_split']:.2f} [{worst['half_split_low']:.2f}, "
                f"{worst['half_split_high']:.2f}]; they change, or snippets that lie near to each other are alike."
            ),
        )


def describe_confounds(confounds: Sequence[Row]) -> Said:
    """Say what else goes along with the scores."""
    tested = [row for row in confounds if _known(row.get("p"))]
    if not tested:
        return
    at = _at(tested[0])
    found = [row for row in tested if row["p"] < LEVEL]
    for row in found:
        way = "larger" if row["correlation"] > 0 else "smaller"
        yield (
            "confound",
            (
                f"Recordings that differ more in {_MEASURES[row['measure']]} have {way} scores {at} (rank correlation "
                f"{row['correlation']:.2f}, p = {_p(row['p'])}): it may be part of what is heard."
            ),
        )
    if not found:
        names = ", ".join(_MEASURES[row["measure"]] for row in tested)
        yield "confound", f"Differences in {names} do not go along with the scores {at} (all p ≥ {LEVEL:g})."


def describe_classification(accuracy: Sequence[Row]) -> Said:
    """Say how many recordings get their own label."""
    for row in accuracy:
        if not row["n"]:
            yield "classification", f"Recordings were not classified by {row['classify']} {_at(row)}: {row['note']}."
            continue
        right = round(row["accuracy"] * row["n"])
        than = "more" if row["low"] > row["chance"] else "not surely more" if row["high"] > row["chance"] else "less"
        yield (
            "classification",
            (
                f"{right} of {row['n']} recordings get their own {row['classify']} {_at(row)}: {row['accuracy']:.2f} "
                f"[{row['low']:.2f}, {row['high']:.2f}], {than} than the commonest alone ({row['chance']:.2f})."
            ),
        )


def describe_lengths(rows: Sequence[Row]) -> Said:
    """Say which length tells most, if the intervals of one experiment, encoder and variant support one.

    Parameters
    ----------
    rows : sequence of dict
        Rows of the summary, one a length.
    """
    timed = sorted((row for row in rows if row["snippet_s"] is not None), key=lambda row: row["snippet_s"])
    sure = [row for row in timed if _known(row.get("low"))]
    if len(timed) < 2:  # noqa: PLR2004
        return
    if len(sure) < 2:  # noqa: PLR2004
        yield "length", "No length can be recommended: too few of them have an interval."
        return
    best = max(sure, key=lambda row: row["score"])
    surest = max(row["low"] for row in sure)
    together = [row for row in sure if row["high"] >= surest]  # none of them lies below another
    below = [row for row in sure if row not in together]
    unsure = [row for row in timed if row not in sure]
    but = f" ({_listed(unsure)} s can't be judged)" if unsure else ""
    if not any(_told(row) for row in sure):
        p = f", p = {_p(best['p'])}" if _known(best.get("p")) else ""
        yield "length", f"No length tells them apart: the best, {best['snippet_s']:g} s, has {_score(best)}{p}{but}."
    elif len(together) > 1:
        less = f"; {_listed(below)} s {'tell' if len(below) > 1 else 'tells'} less" if below else ""
        yield (
            "length",
            (
                f"{best['snippet_s']:g} s has the highest score, {_score(best)}, but the intervals of "
                f"{_listed(together)} s overlap: they do not support one of these lengths over another{less}{but}."
            ),
        )
    else:
        yield (
            "length",
            (f"{best['snippet_s']:g} s tells most: {_score(best)}; the intervals of all other lengths lie below{but}."),
        )


def _listed(rows: Sequence[Row]) -> str:
    lengths = [f"{row['snippet_s']:g}" for row in rows]
    return lengths[0] if len(lengths) == 1 else f"{', '.join(lengths[:-1])} and {lengths[-1]}"


def _at(row: Mapping[str, Any]) -> str:
    return "as whole items" if row["snippet_s"] is None else f"at {row['snippet_s']:g} s"


def _known(value: float | None) -> bool:
    return value is not None and value == value  # noqa: PLR0124


def _told(row: Mapping[str, Any]) -> bool:
    """Say whether the interval and the test agree that a score is above chance.

    Neighbouring snippets that are alike lift a score, and what an interval is about is the score; the test leaves them
    out, and says where there is too little to exchange.
    """
    above = bool(_known(row["low"]) and row["low"] > CHANCE)
    return above and not (_known(row.get("p")) and row["p"] > LEVEL)


def _score(row: Mapping[str, Any]) -> str:
    interval = f" [{row['low']:.2f}, {row['high']:.2f}]" if _known(row.get("low")) else ", without an interval"
    return f"{row['score']:.2f}{interval}"


def _p(p: float | None) -> str:
    return f"{p:.2g}"
