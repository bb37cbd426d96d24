"""Which way of mapping over tasks is chosen, and what the trial may hide."""

from __future__ import annotations

import subprocess
import sys
import warnings

import pytest
import tensorflow as tf
from learner_cases import CASES, batch, plain

from tfmeta import MetaModel
from tfmeta.learners import ProtoNet
from tfmeta.learners.base import Learner


class Wrapped(Learner):
    """A learner that does something else before it answers; never saved."""

    def __init__(self, before):
        super().__init__()
        self.inner, self.before = ProtoNet(plain()), before

    def adapt(self, support, options):
        return self.inner.adapt(support, options)

    def predict(self, adapted, x, options):
        return self.inner.predict(adapted, self.before(x), options)


def chosen(before) -> str:
    support, query = batch(CASES[0], 3)
    x = {"support_x": support.x, "support_y": support.y, "query_x": query.x}
    model = MetaModel(Wrapped(before))
    model.compile("sgd")
    return model.choose_task_map((x, query.y))


def test_what_xla_cannot_compile_is_looped() -> None:
    def through_python(x):
        y = tf.numpy_function(lambda a: a, [x], tf.float32)
        return tf.ensure_shape(y, x.shape)

    assert chosen(through_python) == "loop"


def test_an_error_of_the_loop_is_not_taken_for_one_of_the_compiler() -> None:
    def refuse(x):
        tf.debugging.Assert(tf.shape(x)[0] > 100, ["too few queries"])
        return x

    with pytest.raises(tf.errors.InvalidArgumentError, match="too few queries"):
        chosen(refuse)


def warned(monkeypatch, tasks: int, **threads) -> list[str]:
    """The warnings of a choice between task maps on two cores, in the given state."""
    monkeypatch.setattr("os.cpu_count", lambda: threads.get("cores", 2))
    monkeypatch.setattr(
        tf.config.threading,
        "get_intra_op_parallelism_threads",
        lambda: threads.get("an_operation", 0),
    )
    support, query = batch(CASES[0], tasks)
    x = {"support_x": support.x, "support_y": support.y, "query_x": query.x}
    model = MetaModel(ProtoNet(plain()))
    model.compile("sgd")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.choose_task_map((x, query.y))
    return [str(each.message) for each in caught]


def test_tasks_that_share_the_cores_are_warned_of_in_one_line(monkeypatch) -> None:
    (text,) = warned(monkeypatch, 3)
    assert "tfmeta.one_thread_a_task() at the top of the program" in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("tasks", "threads"), [(1, {}), (3, {"cores": 1}), (3, {"an_operation": 1})]
)
def test_nothing_is_said_where_it_would_not_help(monkeypatch, tasks, threads) -> None:
    assert not warned(monkeypatch, tasks, **threads)


def test_one_thread_a_task_comes_first() -> None:
    code = """
import tfmeta, tensorflow as tf
tfmeta.one_thread_a_task()
tf.zeros([])
tfmeta.one_thread_a_task()
print(tf.config.threading.get_intra_op_parallelism_threads())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "1\n", done.stderr
    late = code.replace("tfmeta.one_thread_a_task()\n", "", 1)
    done = subprocess.run([sys.executable, "-c", late], capture_output=True, text=True)
    assert "Call it at the top of the program" in done.stderr.splitlines()[-1]
