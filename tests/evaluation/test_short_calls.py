"""The pieces in which episodes are scored."""

from __future__ import annotations

import os

import numpy as np
import pytest
import tensorflow as tf

from tfmeta.evaluation import short_calls
from tfmeta.evaluation.short_calls import Pace, in_short_calls

CORES = os.cpu_count() or 1


@pytest.mark.parametrize(
    ("seconds", "tasks"),
    [(0.2, 16), (0.3, 8), (0.9, 8), (1.1, 4)],
)
def test_a_call_that_is_quick_or_slow_changes_the_pace(seconds, tasks) -> None:
    pace = Pace()
    assert pace.tasks == CORES
    pace.tasks = 8
    pace.took(8, seconds)
    assert pace.tasks == tasks


def test_a_short_rest_of_a_batch_does_not_slow_the_pace() -> None:
    pace = Pace()
    pace.tasks = 8
    pace.took(1, 0.01)
    assert pace.tasks == 8


@pytest.mark.parametrize(("threads", "least"), [(1, CORES), (2, 1)])
def test_tasks_that_run_side_by_side_stay_together(threads, least, monkeypatch) -> None:
    threading = tf.config.threading
    monkeypatch.setattr(threading, "get_intra_op_parallelism_threads", lambda: threads)
    pace = Pace()
    for _ in range(9):
        pace.took(pace.tasks, 60.0)
    assert pace.tasks == least


def test_pieces_are_the_batches_in_order(monkeypatch) -> None:
    """Calls of a tenth of a second: every piece is twice as large as the last."""
    clock = [0.0]
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(short_calls.time, "perf_counter", lambda: clock[0])
    x = {"support_x": np.arange(23)[:, None], "episode": np.arange(23)}
    stream = tf.data.Dataset.from_tensor_slices((x, np.arange(23.0))).batch(20)
    told, pieces = [], []
    for piece, y in in_short_calls(stream, 23, lambda *each: told.append(each)):
        clock[0] += 0.1
        np.testing.assert_array_equal(piece["support_x"][:, 0], y)
        np.testing.assert_array_equal(piece["episode"], y)
        pieces.append(y.numpy().tolist())
    assert [len(piece) for piece in pieces] == [2, 4, 8, 6, 3]
    assert sum(pieces, []) == list(range(23))
    assert told == [(2, 23), (6, 23), (14, 23), (20, 23), (23, 23)]
