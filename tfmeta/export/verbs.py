"""The stage of a signature that a learner's verbs are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from tfmeta.core import Examples, Options
from tfmeta.core.episode import Nest, Tensor
from tfmeta.core.nests import count
from tfmeta.learners import Learner


class Verbs:
    """A learner's verbs as graphs, each traced once for all signatures that have it.

    Args:
        learner: The learner.
        options: The options of each call.
        weights: The weights that the learner reads, one for each of its variables; None
            for the variables' own.

    Attributes:
        learner: The learner.
        adapt: Takes prepared `x` and `y`; returns the adapted state, a nest of tensors.
        extend: Takes an adapted state, `x` and `y`; returns a state.
        predict: Takes an adapted state and `x`; returns the predictions.
    """

    def __init__(
        self,
        learner: Learner,
        options: Options,
        weights: Sequence[tf.Variable] | None = None,
    ):
        self.learner = learner
        read = variables_of(learner) if weights is None else weights

        def adapt(x: Nest, y: Tensor) -> Nest:
            with bound(learner, read):
                return learner.adapt(Examples(x, y), options)

        def extend(adapted: Nest, x: Nest, y: Tensor) -> Nest:
            with bound(learner, read):
                return learner.extend(adapted, Examples(x, y), options)

        def predict(adapted: Nest, x: Nest) -> Nest:
            with bound(learner, read):
                return predictions_of(learner, adapted, x, options)

        self.adapt = tf.function(adapt, autograph=False)
        self.extend = tf.function(extend, autograph=False)
        self.predict = tf.function(predict, autograph=False)


def variables_of(layer: keras.layers.Layer) -> list[tf.Variable]:
    """The TensorFlow variables of a learner, in the order of `learner.variables`."""
    return [v.value for v in layer.variables]


def bound(learner: Learner, weights: Sequence[tf.Variable]) -> keras.StatelessScope:
    """A scope in which a learner reads other variables in place of its own.

    Args:
        learner: The learner.
        weights: A variable for each of `learner.variables`. Only those that the learner
            reads are read.

    Returns:
        The scope, for a `with` statement.
    """
    scope = keras.StatelessScope()
    for variable, weight in zip(learner.variables, weights, strict=True):
        scope.add_update((variable, weight))
    return scope


def predictions_of(learner: Learner, adapted: Nest, x: Nest, options: Options) -> Nest:
    """The learner's predictions, of which there may be none.

    Args:
        learner: The learner.
        adapted: What the learner's `adapt` returned.
        x: `(queries, ...)`; the number of queries may be 0.
        options: The options of `Learner.predict`.

    Returns:
        `(queries, ...)`.
    """
    return of_queries(lambda queries: learner.predict(adapted, queries, options), x)


def of_queries(answer: Callable[[Nest], Nest], x: Nest) -> Nest:
    """What a function answers to queries, of which there may be none.

    A request without queries is run on one query of zeros, whose answer is dropped: an
    empty batch has no batch statistics, and some kernels fail on it.

    Args:
        answer: A function of `(queries, ...)`, at least one.
        x: `(queries, ...)`; the number of queries may be 0.

    Returns:
        `(queries, ...)`.
    """
    asked = tf.convert_to_tensor(count(x))

    def with_one(leaf: Tensor) -> Tensor:
        extra = tf.zeros([tf.maximum(1 - asked, 0), *leaf.shape[1:]], leaf.dtype)
        return tf.concat([leaf, extra], 0)

    shown = tf.nest.map_structure(with_one, x)
    return tf.nest.map_structure(lambda t: t[:asked], answer(shown))
