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
# Up to how many steps are traced one after the other; more are a loop.
TRACED = {"looped": -1, "traced": 10}
TOLERANCE = 1e-6  # Of a meta-gradient, relative, in float64.


def ways(case: Case) -> list[str]:
    """The ways in which a row takes its steps."""
    if isinstance(case.reference, references.Descent) and case.reference.steps <= 10:
        return [*TRACED]
    return ["looped"]


def rows(wanted=lambda case: True):
    chosen = [(case, way) for case in CASES if wanted(case) for way in ways(case)]
    names = [f"{case.name}-{way}" for case, way in chosen]
    return pytest.mark.parametrize(("case", "way"), chosen, ids=names)


def steps(case: Case) -> bool:
    return isinstance(case.reference, references.Descent)


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
def found(case: Case, way: str) -> Found:
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
        patch.setattr(SCAN, "TRACED_STEPS", TRACED[way])
        learner, task = case.make(), episode(case, GAPPED, dtype="float64")
        return Found(learner, task, *run(task))


@functools.cache
def expected(case: Case, training: bool) -> references.Answer:
    learner, task = found(case, "looped")[:2]
    return case.reference(state_of(learner), numbers(task), training)


@rows()
def test_answers_are_the_references(case: Case, way: str) -> None:
    same_answers(case, found(case, way).outputs, expected(case, False).outputs)


@rows(steps)
def test_steps_are_the_references(case: Case, way: str) -> None:
    path = expected(case, False).path
    assert len(path) > 1
    for got, *wanted in zip(found(case, way).path, *path, strict=True):
        same(got, wanted)


@rows()
def test_training_is_the_references(case: Case, way: str) -> None:
    got = found(case, way)
    if got.learner.random:
        pytest.skip("a reference draws no units to drop")
    wanted = expected(case, True)
    same(got.loss, wanted.loss)
    same_answers(case, got.trained["predictions"], wanted.outputs)
    statistics = [s for layer in wanted.moving or [] for s in layer]
    for new, moving in zip(got.trained["statistics"], statistics, strict=True):
        same(new, moving)


@rows(lambda case: case.gradient == "exact")
def test_meta_gradient_is_that_of_the_references_loss(case: Case, way: str) -> None:
    learner, task, *_, gradients = found(case, way)
    variables = learner.trainable_variables
    start, draws = [v.numpy() for v in variables], np.random.default_rng(3)

    def loss() -> float:
        if learner.random:  # No reference; the learner's own loss has the same masks.
            options = Options(training=True, seed=tf.constant(5))
            return learner.loss(task, options)[0].numpy()
        return case.reference(state_of(learner), numbers(task), True).loss

    for _ in range(3):
        move = [draws.normal(size=v.shape) for v in start]
        move = [m / np.sqrt(sum(np.sum(n**2) for n in move)) for m in move]
        ends = []
        for size in (1e-5, -1e-5, 0):
            for variable, value, along in zip(variables, start, move, strict=True):
                variable.assign(value + size * along)
            ends.append(loss())
        measured = (ends[0] - ends[1]) / 2e-5
        exact = sum(np.sum(g * m) for g, m in zip(gradients, move, strict=True))
        assert abs(exact - measured) < TOLERANCE * abs(measured)


@rows(lambda case: case.gradient == "stopped")
def test_stopped_gradient_is_that_at_the_adapted_weights(case: Case, way: str) -> None:
    wanted = expected(case, True).gradient()
    for got, slopes in zip(found(case, way).gradients, wanted, strict=True):
        same(got, slopes)


@rows(lambda case: case.gradient == "displacement")
def test_displacement_is_before_minus_after(case: Case, way: str) -> None:
    path = expected(case, True).path
    gradients = found(case, way).gradients
    for got, before, after in zip(gradients, path[0], path[-1], strict=True):
        same(got, before - after)


@rows(lambda case: case.gradient == "none")
def test_without_weights_to_train_there_is_no_gradient(case: Case, way: str) -> None:
    learner, *_, gradients = found(case, way)
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
