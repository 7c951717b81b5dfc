"""The keys of a study file: what each may hold, its default, and what it does.

The reader checks files against these, and the reference page of the documentation is made from them.
"""

from __future__ import annotations

from typing import NamedTuple


class KeyInfo(NamedTuple):
    """A key of a study file: the values it takes, its default, and what it does."""

    values: str
    default: str
    meaning: str


STUDY_KEYS = {
    "title": KeyInfo("text", "the file's name", "Title of the page."),
    "manifest": KeyInfo(
        "path",
        "",
        "Table of recordings (CSV or TSV), relative to the study file. Either `manifest` or `recordings` is required.",
    ),
    "recordings": KeyInfo(
        "path", "", "Folder of recordings, relative to the study file. Each file is a recording; there are no labels."
    ),
    "encoders": KeyInfo(
        "list of names or paths",
        '`["mfcc"]`',
        "Encoders to compare. A name is looked up in the folder that `abxfast doctor` shows; a path is relative to the "
        "study file.",
    ),
    "snippets": KeyInfo(
        'list of seconds and `"whole"`',
        "`[10]`",
        'Snippet lengths. `"whole"` makes one snippet of each row of the manifest.',
    ),
    "variants": KeyInfo(
        "list of names or patterns",
        '`["default"]`',
        'Layers and poolings to score: names such as `"layer21.max"`, patterns such as `"*.max"`, `"*"` for all, or '
        '`"default"` for each encoder\'s own.',
    ),
    "hop": KeyInfo("seconds", "the snippet length", "Distance between the starts of consecutive snippets."),
    "remainder": KeyInfo('`"drop"` or `"keep"`', '`"drop"`', "Whether a last, shorter snippet is dropped or kept."),
    "channel": KeyInfo(
        '`"mix"` or a number', '`"mix"`', "Which channel is used, counted from 0; `mix` is the mean of all."
    ),
    "stores": KeyInfo(
        "table of paths by encoder",
        "stores in the results folder",
        'Stores to use in place of those in the results folder: `stores = { mfcc = "na.store" }`.',
    ),
    "seed": KeyInfo(
        "whole number", "`0`", "Seed of permutations and subsampling. The same seed gives the same tables."
    ),
    "permutations": KeyInfo("whole number", "`10000`", "Permutations of each test; `0` skips the tests."),
    "margin": KeyInfo(
        "number below 0.5",
        "`0.05`",
        "Distance from 0.5 within which a score counts as equivalent to chance.",
    ),
    "standardise": KeyInfo(
        '`"center"` or `"zscore"`',
        "neither",
        "Standardise each channel over the vectors before scoring, where few channels outweigh the others.",
    ),
}
"""Keys of ``[study]``."""

EXPERIMENT_KEYS = {
    "title": KeyInfo("text", "the experiment's name", "Heading on the page."),
    "on": KeyInfo("column", '`"recording"`', "The label that A and X share and B lacks."),
    "by": KeyInfo("list of columns", "none", "Labels that A, B and X all share."),
    "across": KeyInfo("list of columns", "none", "Labels that A and B share and in which X differs."),
    "where": KeyInfo(
        "table of column = value or list of values",
        "all rows",
        'Rows of the manifest that take part: `where = { speaker = "F4", genre = ["tale", "song"] }`.',
    ),
    "snippets": KeyInfo(
        "list, as in `[study]`", "those of `[study]`", "Lengths for this experiment; each must also be in `[study]`."
    ),
    "classify": KeyInfo(
        "list of columns",
        "none",
        "Labels to predict for each recording, without training, from the recordings it scores lowest against.",
    ),
    "different": KeyInfo("list of columns", "none", 'Labels in which X must differ from A, such as `"recording"`.'),
    "min_gap_s": KeyInfo("seconds", "`0`", "Least distance between A and X, if they come from one recording."),
    "max_size_group": KeyInfo(
        "whole number", "no limit", "At most this many snippets of each group; others are left out at random."
    ),
    "max_x_across": KeyInfo("whole number", "no limit", "At most this many X for each A and B, chosen at random."),
}
"""Keys of each ``[experiment.NAME]``."""
