"""Which way of mapping over tasks is chosen, and what the trial may hide."""

from __future__ import annotations

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
