"""What the tests of export share: checkpoints are made once, and only where the extra is installed."""

import pytest
import tiny

WHY = "needs the export extra: pip install '.[test,export]'"


@pytest.fixture(scope="session")
def one_thread():
    """Keep PyTorch from spreading products of this size over threads, which costs more than it gives."""
    torch = pytest.importorskip("torch", reason=WHY)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def checkpoint_of(one_thread, tmp_path_factory):  # noqa: ARG001
    """Give the folder of a tiny checkpoint of a form; it is shared, so never write into it."""
    pytest.importorskip("transformers", reason=WHY)
    made = {}

    def give(form="xlsr"):
        if form not in made:
            folder = tmp_path_factory.mktemp("checkpoint")
            made[form] = tiny.stress(folder) if form == "stress" else tiny.make_checkpoint(folder, form)
        return made[form]

    return give
