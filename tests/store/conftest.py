import pytest
import small_store

from abxfast.store import create_store


@pytest.fixture
def store(tmp_path):
    return create_store(tmp_path / "s.store", small_store.ENCODER)
