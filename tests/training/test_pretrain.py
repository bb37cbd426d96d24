"""Training without episodes."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tfmeta import evaluate
from tfmeta.data import Split, sinusoid
from tfmeta.data.pipeline.examples import examples
from tfmeta.learners import FineTune, LinearProbe
from tfmeta.nets import fresh, mlp
from tfmeta.training import ExampleStream, pretrain

FEATURES = 8


def split(name: str, classes: int, seed: int) -> Split:
    """Classes told apart by two of eight features; the others are loud noise."""
    draws = np.random.default_rng(seed)
    y = np.repeat(np.arange(classes, dtype="int32"), 20)
    x = draws.normal(size=(len(y), FEATURES)) * ([0.2] * 2 + [2.0] * 6)
    x[:, :2] += draws.normal(0, 2, (classes, 2))[y]
    names = tuple(f"{name}{i}" for i in range(classes))
    return Split(name, x.astype("float32"), y, names)


def net() -> keras.Model:
    return fresh(mlp(units=(32, 16), input_shape=(FEATURES,)), seed=0)


def test_pretraining_helps_the_probe_and_fine_tuning() -> None:
    train, test = split("train", 30, 0), split("test", 10, 1)
    before, after = net(), net()
    history = pretrain(after, train, steps=800, batch_size=64, verbose=0)
    assert history.history["accuracy"][-1] > 0.3
    options = {"way": 5, "shot": 1, "query": 10, "episodes": 60}
    for learner in (LinearProbe, FineTune):
        untrained = evaluate(learner(before), test, **options).mean
        trained = evaluate(learner(after), test, **options).mean
        assert trained > untrained + 0.1


def test_the_same_seed_trains_the_same_net() -> None:
    nets = [net(), net(), net()]
    for one, seed in zip(nets, (3, 3, 4), strict=True):
        pretrain(one, split("train", 5, 0), steps=3, seed=seed, verbose=0)
    same, again, other = (one.get_weights() for one in nets)
    for a, b in zip(same, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(same[0], other[0])


def test_no_steps_are_refused() -> None:
    with pytest.raises(ValueError, match=r"steps must be at least 1. Received: 0"):
        pretrain(net(), split("train", 3, 0), steps=0)


def test_a_stream_of_examples_goes_on_where_it_was_left() -> None:
    data = split("train", 4, 0)
    whole = list(examples(data, batch_size=7, seed=1).take(5))
    rest = list(examples(data, batch_size=7, seed=1, start=3).take(2))
    for (x, y), (again_x, again_y) in zip(whole[3:], rest, strict=True):
        np.testing.assert_array_equal(x, again_x)
        np.testing.assert_array_equal(y, again_y)
    for x, y in whole:
        for one, label in zip(x.numpy(), y.numpy(), strict=True):
            rows = np.flatnonzero((data.x == one).all(-1))
            assert data.y[rows[0]] == label
    assert not np.array_equal(whole[0][1], whole[1][1])
    with pytest.raises(ValueError, match="batch_size"):
        examples(data, batch_size=0)


def test_functions_are_learned_alike_by_the_nets_own_outputs() -> None:
    train = sinusoid().train
    whole = list(examples(train, batch_size=6, seed=1).take(3))
    (x, y), *_ = examples(train, batch_size=6, seed=1, start=2).take(1)
    np.testing.assert_array_equal(x, whole[2][0])
    assert x.shape == y.shape == (6, 1) and y.dtype == "float32"
    assert len({float(v) for batch, _ in whole for v in batch[:, 0]}) == 18
    regressor = fresh(mlp(outputs=1), seed=0)
    before = [w.copy() for w in regressor.get_weights()]
    history = pretrain(regressor, train, steps=300, batch_size=50, verbose=0)
    # The variance of the family's values is some 4.4: nothing else can be learned.
    assert 3 < history.history["mse"][-1] < 5.5
    assert not any(map(np.array_equal, before, regressor.get_weights()))
    options = {"shot": 5, "query": 20, "episodes": 20}
    assert evaluate(FineTune(regressor), sinusoid().test, **options).mean < 8
    with pytest.raises(ValueError, match="augment changes images"):
        examples(train, augment=object())


def test_streams_and_nets_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="examples must be at least 1"):
        ExampleStream(0).check(sinusoid().train, FineTune(net()))
    with pytest.raises(ValueError, match=r"value, \(1,\)\. .* shape \(16,\)\. End"):
        pretrain(net(), sinusoid().train, steps=1)
