import pytest


@pytest.fixture
def n_kills(request):
    """How often a process is killed at a random moment: a few times, or as ``--kills`` says."""
    return request.config.getoption("--kills")
