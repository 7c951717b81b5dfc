"""Tasks: labels, columns and notation."""

import pytest

from abxfast.errors import TaskError
from abxfast.scoring import Task


def test_a_label_has_one_place_and_its_own_column():
    with pytest.raises(TaskError, match="occurs twice"):
        Task("phone", ("phone",))
    with pytest.raises(TaskError, match="'speaker_x'"):
        Task("phone", ("speaker_x",), ("speaker",))
    with pytest.raises(TaskError, match="'score'"):
        Task("phone", ("score",))


def test_a_task_is_written_as_the_field_writes_it():
    assert str(Task("phone", ("context",), ("speaker", "day"))) == "ON phone BY context ACROSS speaker, day"
