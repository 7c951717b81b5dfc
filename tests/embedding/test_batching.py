import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from abxfast.audio import Snippet
from abxfast.embedding.batching import Batcher
from abxfast.embedding.messages import PendingSnippet


@given(st.integers(0, 50), st.lists(st.integers(1, 30), max_size=60))
def test_batches_hold_little_and_lose_nothing(max_samples, lengths):
    batcher = Batcher(max_samples)
    batches = []
    for n, length in enumerate(lengths):
        batches.append(batcher.add(PendingSnippet(None, Snippet(0, n, 0, length, np.zeros(length, np.float32)))))
        assert batcher.n_samples <= 2 * max_samples
    batches += batcher.drain()
    assert batcher.drain() == []
    for batch in filter(None, batches):
        sizes = [len(pending.snippet.samples) for pending in batch]
        assert len(set(sizes)) == 1
        assert len(batch) == 1 or sum(sizes) <= max_samples
    assert sorted(pending.snippet.index for batch in batches for pending in batch) == list(range(len(lengths)))
