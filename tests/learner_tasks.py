"""Tasks for the table of learners, and how learners and tasks look to references."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import keras
import numpy as np
import references
import tensorflow as tf

from tfmeta.core import Episode, Examples, Options
from tfmeta.learners import Learner

if TYPE_CHECKING:
    from learner_cases import Case

# Odd sizes, unequal shots, no order.
LABELS = ([2, 0, 1, 2, 1, 2, 2], [0, 0, 2, 1, 2, 1])
# The same without class 2; where classes take turns, the order is another one.
GAPPED = ([3, 3, 1, 0, 3, 1, 3], [0, 0, 3, 1, 3, 1])


@contextlib.contextmanager
def float64() -> Iterator[None]:
    """Nets made inside have weights and answers in float64."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def episode(
    case: Case,
    labels: tuple[list[int], list[int]] = LABELS,
    *,
    seed: int = 0,
    dtype: str = "float32",
) -> Episode:
    """One task: classes (or targets) that can be told by the examples."""
    draws = np.random.default_rng(seed)
    means = draws.normal(0, 1.5, (1 + max(map(max, labels)), *case.shape))
    weights = draws.normal(size=case.shape)

    def examples(classes: list[int]) -> Examples:
        x = means[classes] + draws.normal(size=(len(classes), *case.shape))
        x = x.astype("float32")  # To which a Keras input rounds.
        y = np.array(classes, "int32")
        if case.targets:
            y = (x * weights).sum(-1, keepdims=True).astype(dtype)
        y = tf.constant(y)
        x = tf.constant(x.astype(dtype))
        return Examples({"left": x, "right": x[:, :3]} if case.pair else x, y)

    return Episode(*map(examples, labels))


def batch(case: Case, tasks: int = 3, **options) -> Episode:
    """Tasks stacked along a leading axis."""
    parts = [episode(case, seed=seed, **options) for seed in range(tasks)]
    return tf.nest.map_structure(lambda *ts: tf.stack(ts), *parts)


def state_of(learner: Learner) -> references.State:
    """What a reference needs of a learner's variables, in float64."""

    def arrays(variables) -> list[np.ndarray]:
        return [np.float64(v.numpy()) for v in variables]

    others = {}
    if getattr(learner, "rule", None) is not None:
        others["rates"] = arrays(learner.rule.trainable_variables)
        others["carried"] = arrays(learner.rule.statistics)
    if getattr(learner, "context", None) is not None:
        for name in ("forwards", "backwards", "reader"):
            others[name] = arrays(getattr(learner.context, name).trainable_variables)
    if learner.net is None:
        return references.State([], [], others)
    floats = (v for v in learner.net.non_trainable_variables if "float" in v.dtype)
    moving = arrays(floats)
    by_layer = [tuple(moving[i : i + 3]) for i in range(0, len(moving), 3)]
    return references.State(arrays(learner.net.trainable_variables), by_layer, others)


def numbers(task: Episode) -> references.Task:
    """A task in NumPy, floats in float64."""

    def array(tensor):
        found = tensor.numpy()
        return found if found.dtype.kind == "i" else np.float64(found)

    return references.Task(*(tf.nest.map_structure(array, e) for s in task for e in s))


def same(got, wanted, tolerance: float = 1e-8) -> None:
    np.testing.assert_allclose(got, wanted, rtol=tolerance, atol=tolerance)


def same_answers(case: Case, got, wanted: np.ndarray) -> None:
    """Compares values, or logits up to a constant of each query."""
    got = np.asarray(got)
    assert got.dtype == np.float64
    if not case.targets:
        got, wanted = (a - a.max(-1, keepdims=True) for a in (got, wanted))
    same(got, wanted)


def check(case: Case, labels: tuple[list[int], list[int]] = GAPPED, **options) -> None:
    """Compares the answers, and the loss with `training`, with the reference's."""
    with float64():
        learner, task = case.make(), episode(case, labels, dtype="float64")
        loss, outputs = learner.loss(task, Options(**options))
    wanted = case.reference(state_of(learner), numbers(task), **options)
    same_answers(case, outputs["predictions"], wanted.outputs)
    same(loss, wanted.loss)


def check_extending(case: Case) -> None:
    """Compares a task that was extended with the reference on all examples."""
    # The second part has an old class, and one that leaves a number out.
    labels = ([0, 0, 1, 1, 4, 0, 4], [0, 1, 4, 4])
    with float64():
        learner, task = case.make(), episode(case, labels, dtype="float64")
        first, more = (
            Examples(task.support.x[rows], task.support.y[rows])
            for rows in (slice(3), slice(3, None))
        )
        assert learner.extends
        adapted = learner.adapt(first, Options())
        extended = learner.extend(adapted, more, Options())
        got = learner.predict(extended, task.query.x, Options())
    same_answers(case, got, case.reference(state_of(learner), numbers(task)).outputs)
