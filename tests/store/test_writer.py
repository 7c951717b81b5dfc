import numpy as np
import pytest
from small_store import DIM, VARIANTS, WHOLE, check_store, make_entry, make_vectors, part_files

from abxfast.store import StoreWriter, compact, open_store


def test_an_entry_whose_total_exceeds_its_rows_is_not_complete(store):
    with StoreWriter(store) as writer:
        writer.add(make_entry(), 0, 0.0, 10.0, make_vectors(make_entry(), 0))
        writer.finish(make_entry(), 2)
        writer.flush()
        assert open_store(store.root).lengths() == []
        writer.add(make_entry(), 1, 10.0, 20.0, make_vectors(make_entry(), 1))
    check_store(open_store(store.root), {make_entry(): 2})


@pytest.mark.parametrize("flush_first", [True, False])
def test_the_first_snippet_is_written_immediately_on_request(store, flush_first):
    with StoreWriter(store, flush_first=flush_first) as writer:
        for number in range(3):
            writer.add(make_entry(), number, 0.0, 10.0, make_vectors(make_entry(), number))
            assert len(part_files(store)) == flush_first


def test_an_exception_does_not_lose_what_was_collected(store):
    with pytest.raises(ZeroDivisionError), StoreWriter(store) as writer:  # noqa: PT012  # the block is the subject
        writer.add(make_entry(), 0, 0.0, 10.0, make_vectors(make_entry(), 0))
        writer.finish(make_entry(), 1)
        raise ZeroDivisionError
    check_store(open_store(store.root), {make_entry(): 1})


def test_the_footers_of_many_tokens_stay_small(store):
    tokens = [make_entry(f"recordings/speaker-{n % 20}.wav#{n}-{n + 0.4}", WHOLE) for n in range(2_000)]
    with StoreWriter(store) as writer:
        for token in tokens:
            writer.add(token, 0, 0.0, 0.4, np.zeros((len(VARIANTS), DIM), np.float32))
            writer.finish(token, 1)
    compact(store)
    (part,) = part_files(store)
    assert part.stat().st_size < 250 * len(tokens)
    assert len(store.complete_entries(None)) == len(tokens)
