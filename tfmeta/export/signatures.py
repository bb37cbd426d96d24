"""The graphs of a SavedModel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import tensorflow as tf

from tfmeta.core import Examples
from tfmeta.core.episode import Nest, Tensor
from tfmeta.export.checks import checked, finite_checks, support_checks
from tfmeta.export.nests import named
from tfmeta.learners import Learner

ADAPT = "adapt"
PREDICT = "predict"
BOTH = "adapt_and_predict"
DEFAULT = "serving_default"


def adaptive(
    learner: Learner, example: tf.TensorSpec, steps: int | None
) -> dict[str, Any]:
    """A learner's three graphs, free of Python: adapt, predict, both.

    Args:
        learner: The learner.
        example: The shape and dtype of one example.
        steps: Inner steps; None for the learner's own number.

    Returns:
        The concrete functions by signature name.
    """
    verbs = _Verbs(learner, steps)
    support_x = _many(example, "support_x")
    support_y = tf.TensorSpec([None], tf.int32, "support_y")
    query_x = _many(example, "query_x")
    adapt = _graph(verbs.adapt, support_x, support_y)
    state = {
        name: tf.TensorSpec(spec.shape, spec.dtype, name)
        for name, spec in adapt.structured_outputs.items()
    }
    both = _graph(verbs.adapt_and_predict, support_x, support_y, query_x)
    return {
        ADAPT: adapt,
        PREDICT: _graph(verbs.predict, query_x, **state),
        BOTH: both,
        DEFAULT: both,
    }


class _Verbs:
    """A learner's verbs with checked content and named tensors."""

    def __init__(self, learner: Learner, steps: int | None):
        self.learner, self.steps = learner, steps
        self.nest: Nest = None

    def adapt(self, support_x, support_y):
        x, y = checked([support_x, support_y], self._support(support_x, support_y))
        self.nest = self.learner.adapt(Examples(x, y), steps=self.steps)
        return named(self.nest)

    def predict(self, query_x, **adapted):
        inputs = {"query_x": query_x, **adapted}
        checks = [c for name, x in inputs.items() for c in finite_checks(name, x)]
        x, *leaves = checked(list(inputs.values()), checks)
        by_name = dict(zip(adapted, leaves, strict=True))
        # In the order of the nest, which need not be that of the arguments.
        ordered = [by_name[name] for name in named(self.nest)]
        nest = tf.nest.pack_sequence_as(self.nest, ordered)
        return answers(_logits(self.learner, nest, x))

    def adapt_and_predict(self, support_x, support_y, query_x):
        x, y, query = checked(
            [support_x, support_y, query_x],
            [
                *self._support(support_x, support_y),
                *finite_checks("query_x", query_x),
            ],
        )
        adapted = self.learner.adapt(Examples(x, y), steps=self.steps)
        return answers(_logits(self.learner, adapted, query))

    def _support(self, x, y):
        return support_checks(x, y, self.learner.max_way)


def fixed(
    learner: Learner,
    adapted: Nest,
    names: Sequence[str],
    example: tf.TensorSpec,
    reject_below: float | None = None,
) -> tuple[dict[str, Any], list[tf.Variable]]:
    """One adapted classifier's graph, free of Python; it only predicts.

    Args:
        learner: The learner.
        adapted: What its `adapt` returned.
        names: The classes' names; the first columns of the logits are theirs.
        example: The shape and dtype of one example.
        reject_below: Below which best probability the label is -1 and the name "";
            None answers all.

    Returns:
        The concrete functions by signature name, and the variables that hold
        `adapted`.
    """
    held = [tf.Variable(t, trainable=False) for t in tf.nest.flatten(adapted)]

    def predict(query_x):
        (x,) = checked([query_x], finite_checks("query_x", query_x))
        nest = tf.nest.pack_sequence_as(
            adapted, [tf.convert_to_tensor(v) for v in held]
        )
        answer = answers(_logits(learner, nest, x)[:, : len(names)])
        told = tf.gather(tf.constant(names), answer["labels"])
        if reject_below is None:
            return {**answer, "names": told}
        sure = tf.reduce_max(answer["probabilities"], -1) >= reject_below
        labels = tf.where(sure, answer["labels"], -1)
        return {**answer, "labels": labels, "names": tf.where(sure, told, "")}

    graph = _graph(predict, _many(example, "query_x"))
    return {PREDICT: graph, DEFAULT: graph}, held


def _logits(learner: Learner, adapted: Nest, x: Tensor) -> Tensor:
    """The learner's answers; where there are no queries, it is shown one of zeros.

    Batch statistics of nothing do not exist, and some kernels fail on no examples.
    """
    count = tf.shape(x)[0]
    extra = tf.zeros([tf.maximum(1 - count, 0), *x.shape[1:]], x.dtype)
    return learner.predict(adapted, tf.concat([x, extra], 0))[:count]


def answers(logits: Tensor) -> dict[str, Tensor]:
    """Logits as a server gives them back.

    Args:
        logits: `(queries, way)`; -inf for classes that are not present.

    Returns:
        `probabilities` `(queries, way)` float32, 0 for a class that is not present;
        `labels` `(queries,)` int32, the most probable.
    """
    probabilities = tf.cast(tf.nn.softmax(logits), tf.float32)
    sentence = (
        "Adaptation gave no finite probabilities. Check that the inputs are scaled as "
        "in training."
    )
    finite = tf.reduce_all(tf.math.is_finite(probabilities))
    (probabilities,) = checked([probabilities], [(finite, tf.constant(sentence))])
    labels = tf.argmax(probabilities, -1, output_type=tf.int32)
    return {"probabilities": probabilities, "labels": labels}


def module_of(
    learner: Learner, functions: Iterable[Any], *more: tf.Variable
) -> tf.Module:
    """What a SavedModel keeps: the variables that its graphs read, and no others.

    Args:
        learner: The learner whose variables are read.
        functions: The concrete functions.
        *more: Other variables they read.

    Returns:
        A module to save.
    """
    read = {id(t) for function in functions for t in function.captured_inputs}
    variables = [*(v.value for v in learner.variables), *more]
    module = tf.Module()
    module.weights = [v for v in variables if id(v.handle) in read]
    return module


def _many(example: tf.TensorSpec, name: str) -> tf.TensorSpec:
    return tf.TensorSpec([None, *example.shape], example.dtype, name)


def _graph(function: Any, *args: tf.TensorSpec, **kwargs: tf.TensorSpec) -> Any:
    return tf.function(function, autograph=False).get_concrete_function(*args, **kwargs)
