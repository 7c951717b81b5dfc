"""Ways to compute ABX scores of recordings: abxfast and its peers.

Each function takes vectors and labels as `synthetic.make_recordings` returns them, and returns the scores in the order
of (recording, recording_b).
"""

from __future__ import annotations

import json
import subprocess
import tempfile

import numpy as np
from synthetic import TIE

_FASTABX = """
import json, resource, sys, time, numpy as np, torch
from fastabx import Dataset, Task, Score
vectors, group = np.load(sys.argv[1] + "/v.npy"), np.load(sys.argv[1] + "/g.npy").tolist()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.perf_counter()
dataset = Dataset.from_numpy(vectors, {"recording": group}, device="cpu")
score = Score(Task(dataset, on="recording"), "angular")
seconds = time.perf_counter() - start
cells = score.cells.sort("recording", "recording_b")
megabytes = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / 1e6
print(json.dumps([seconds, megabytes, (1 - cells["score"].to_numpy()).tolist()]))
"""


def score_with_abxfast(vectors, labels, **options):
    """Call `abxfast.score_embeddings`, with its further options."""
    from abxfast import score_embeddings

    return score_embeddings(vectors, labels, on="recording", **options).table["score"].to_numpy()


def score_with_torch(vectors, labels):
    """Sort and search in float32, each recording as X against all others at once."""
    import torch

    units = torch.nn.functional.normalize(torch.from_numpy(vectors))
    sizes = np.bincount(labels["recording"]).tolist()
    starts, scores = np.concatenate(([0], np.cumsum(sizes))).tolist(), []
    group = torch.from_numpy(labels["recording"])
    for g, size in enumerate(sizes):
        stop = starts[g + 1]
        distances = 1 - units[starts[g] : stop] @ units.T
        within = distances[:, starts[g] : stop].clone().fill_diagonal_(float("inf"))
        within = within.sort(dim=1).values[:, :-1].contiguous()
        ranks = torch.searchsorted(within, distances) + torch.searchsorted(within, distances, right=True)
        wins2 = torch.zeros(len(sizes), dtype=torch.int64).index_add_(0, group, ranks.sum(0))
        scores += [wins2[b].item() / (2 * size * (size - 1) * sizes[b]) for b in range(len(sizes)) if b != g]
    return np.array(scores)


def score_with_scikit_learn(vectors, labels):
    """Compute pairwise distances, then the area under the ROC curve for each x."""
    from sklearn.metrics import pairwise_distances, roc_auc_score

    distances, group = pairwise_distances(vectors, metric="cosine"), labels["recording"]
    members = [np.flatnonzero(group == g) for g in range(group.max() + 1)]
    scores = []
    for a in members:
        for b in members:
            if a is b:
                continue
            truth = np.repeat([0, 1], [len(a) - 1, len(b)])
            areas = [roc_auc_score(truth, np.concatenate((distances[x, a[a != x]], distances[x, b]))) for x in a]
            scores.append(np.mean(areas))
    return np.array(scores)


def score_with_scipy(vectors, labels):
    """Compute distances with cdist in float64, then compare every triplet."""
    from scipy.spatial.distance import cdist

    distances, group = cdist(vectors, vectors, "cosine"), labels["recording"]
    members = [np.flatnonzero(group == g) for g in range(group.max() + 1)]
    scores = []
    for a in members:
        for b in members:
            if a is b:
                continue
            wins2 = 0
            for x in a:
                gap = distances[x, b][:, None] - distances[x, a[a != x]][None, :]
                wins2 += 2 * np.count_nonzero(gap > TIE) + np.count_nonzero(np.abs(gap) <= TIE)
            scores.append(wins2 / (2 * len(a) * (len(a) - 1) * len(b)))
    return np.array(scores)


def run_fastabx(python, vectors, labels):
    """Run fastabx in the interpreter `python`; return seconds and megabytes, start-up excluded, and the scores."""
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/v.npy", vectors)
        np.save(f"{folder}/g.npy", labels["recording"])
        command = [python, "-c", _FASTABX, folder]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603
    seconds, megabytes, scores = json.loads(output.splitlines()[-1])
    return seconds, megabytes, np.array(scores)


METHODS = {
    "abxfast": score_with_abxfast,
    "torch": score_with_torch,
    "scikit-learn": score_with_scikit_learn,
    "scipy": score_with_scipy,
}
"""By name; fastabx is not among them, since it runs in an interpreter of its own."""
