"""Every row of the table answers, steps and trains as its reference in NumPy does."""

from __future__ import annotations

import ast
import functools
import pathlib
import sys
from typing import Any, NamedTuple

import numpy as np
import pytest
import references
import tensorflow as tf
from learner_cases import CASES, Case
from learner_tasks import (
    GAPPED,
    episode,
    float64,
    numbers,
    same,
    same_answers,
    state_of,
)

from tfmeta import Options
from tfmeta.core import Episode
from tfmeta.learners import Learner

SCAN = sys.modules["tfmeta.inner.scan"]  # The function took its name.
# How steps are taken, and up to how many of them are traced one after the other.
TRACED = {"looped": -1, "traced": 10}
TOLERANCE = 1e-6  # Of a meta-gradient, relative, in float64.


def takes_steps(case: Case) -> bool:
    return isinstance(case.reference, references.Descent)


def rows(wanted=lambda case: True):
    chosen = []
    for case in filter(wanted, CASES):
        both = takes_steps(case) and case.reference.steps <= TRACED["traced"]
        chosen += [(case, how) for how in (TRACED if both else ["looped"])]
    names = [f"{case.name}-{how}" for case, how in chosen]
    return pytest.mark.parametrize(("case", "how"), chosen, ids=names)


class Found(NamedTuple):
    """What a learner makes of a task: served, step by step, and in training."""

    learner: Learner
    task: Episode
    outputs: Any
    path: Any
    loss: Any
    trained: dict[str, Any]
    gradients: list[Any]


@functools.cache
def found(case: Case, how: str) -> Found:
    """All answers of a learner, by one graph in float64."""

    @tf.function(autograph=False)
    def run(task):
        adapted = learner.adapt(task.support, Options())
        outputs = learner.predict(adapted, task.query.x, Options())
        path = []
        if learner.default_steps is not None:
            every = Options(steps=learner.default_steps)
            path = learner.trajectory(task.support, every)["params"]
        options = Options(training=True, seed=tf.constant(5))
        return outputs, path, *learner.meta_gradients(task, options)

    with float64(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(SCAN, "TRACED_STEPS", TRACED[how])
        learner, task = case.make(), episode(case, GAPPED, dtype="float64")
        return Found(learner, task, *run(task))


@functools.cache
def expected(case: Case, training: bool) -> references.Answer:
    learner, task = found(case, "looped")[:2]
    return case.reference(state_of(learner), numbers(task), training)


@rows()
def test_answers_are_the_references(case: Case, how: str) -> None:
    same_answers(case, found(case, how).outputs, expected(case, False).outputs)


@rows(takes_steps)
def test_steps_are_the_references(case: Case, how: str) -> None:
    path = expected(case, False).path
    assert len(path) > 1
    for got, *wanted in zip(found(case, how).path, *path, strict=True):
        same(got, wanted)


@rows(lambda case: not case.make().random)  # A reference draws no units to drop.
def test_training_is_the_references(case: Case, how: str) -> None:
    got = found(case, how)
    wanted = expected(case, True)
    same(got.loss, wanted.loss)
    same_answers(case, got.trained["predictions"], wanted.outputs)
    statistics = [s for layer in wanted.moving or [] for s in layer]
    statistics += wanted.carried or []
    for new, moving in zip(got.trained["statistics"], statistics, strict=True):
        same(new, moving)


@rows(lambda case: case.gradient == "exact")
def test_meta_gradient_is_that_of_the_references_loss(case: Case, how: str) -> None:
    learner, task, *_, gradients = found(case, how)
    variables = learner.trainable_variables
    start, draws = [v.numpy() for v in variables], np.random.default_rng(3)

    def move(moves: list) -> None:
        for variable, value, along in zip(variables, start, moves, strict=True):
            variable.assign(value + along)

    def loss() -> float:
        if learner.random:  # No reference; the learner's own loss has the same masks.
            options = Options(training=True, seed=tf.constant(5))
            return learner.loss(task, options)[0].numpy()
        return case.reference(state_of(learner), numbers(task), True).loss

    for _ in range(3):
        along = [draws.normal(size=v.shape) for v in start]
        size = 1e-5 / np.sqrt(sum(np.sum(a**2) for a in along))
        ends = []
        for sign in (1, -1):
            move([sign * size * a for a in along])
            ends.append(loss())
        move([0.0] * len(start))
        measured = (ends[0] - ends[1]) / 2
        exact = sum(np.sum(g * size * a) for g, a in zip(gradients, along, strict=True))
        assert abs(exact - measured) < TOLERANCE * abs(measured)


@rows(lambda case: case.gradient == "stopped")
def test_stopped_gradient_is_that_at_the_adapted_weights(case: Case, how: str) -> None:
    wanted = expected(case, True).gradient()
    for got, slopes in zip(found(case, how).gradients, wanted, strict=True):
        same(got, slopes)


@rows(lambda case: case.gradient == "displacement")
def test_displacement_is_before_minus_after(case: Case, how: str) -> None:
    path = expected(case, True).path
    gradients = found(case, how).gradients
    for got, before, after in zip(gradients, path[0], path[-1], strict=True):
        same(got, before - after)


@rows(lambda case: case.gradient == "none")
def test_without_weights_to_train_there_is_no_gradient(case: Case, how: str) -> None:
    learner, *_, gradients = found(case, how)
    assert learner.trainable_variables == gradients == []


def test_references_are_numpy_alone() -> None:
    allowed = {"__future__", "collections", "dataclasses", "numpy", "typing"}
    for path in pathlib.Path(references.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                modules = [node.module or ""]
            else:
                continue
            roots = {module.split(".")[0] for module in modules}
            assert roots <= allowed | {"references"}, path.name
