"""A part of a Sequential net adapts: trained, saved and loaded by each way."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tfmeta import MetaModel
from tfmeta.data import episodes, from_arrays
from tfmeta.inner.adapt_only import chosen_to_adapt
from tfmeta.layers import BatchNorm
from tfmeta.learners import MAML
from tfmeta.training import RunFolder, Stream, Trainer

WAY, RATE = 3, 0.5
DRAWS = np.random.default_rng(0)
SOURCE = from_arrays(
    DRAWS.normal(size=(60, 4)).astype("float32") + np.repeat(np.arange(12), 5)[:, None],
    np.repeat(np.arange(12), 5),
    split=(0.5, 0.25, 0.25),
)


def net() -> keras.Sequential:
    """Two blocks, of which one name begins the other."""
    keras.utils.set_random_seed(3)
    return keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(5, activation="tanh", name="block1"),
            keras.layers.Dense(5, activation="tanh", name="block10"),
            keras.layers.Dense(WAY, name="head"),
        ]
    )


def support() -> tuple[np.ndarray, np.ndarray]:
    y = np.tile(np.arange(WAY), 2)
    return (2.0 * y[:, None] + DRAWS.normal(size=(6, 4))).astype("float32"), y


def one_step(net: keras.Model, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The logits on `x` after one step of the head alone, in NumPy."""
    weights = [w.astype("float64") for w in net.get_weights()]
    z = np.tanh(np.tanh(x @ weights[0] + weights[1]) @ weights[2] + weights[3])
    logits = z @ weights[4] + weights[5]
    error = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True) - np.eye(WAY)[y]
    kernel = weights[4] - RATE * z.T @ error / len(y)
    return z @ kernel + weights[5] - RATE * error.mean(0)


def model(adapt_only: str, inner_lr: float = RATE) -> MetaModel:
    made = MetaModel(MAML(net(), adapt_only=adapt_only, inner_lr=inner_lr))
    made.compile(keras.optimizers.Adam(1e-2))
    return made


def logits(model: MetaModel, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    tasks = {"support_x": x[None], "support_y": y[None].astype("int32")}
    return model({**tasks, "query_x": x[None]})[0]


def adapting(learner: MAML) -> list[str]:
    chosen = chosen_to_adapt(learner.net, learner.adapt_only)
    pairs = zip(learner.net.trainable_variables, chosen, strict=True)
    return ["/".join(v.path.split("/")[-2:]) for v, adapts in pairs if adapts]


def test_the_head_adapts_by_hand_and_all_is_trained(tmp_path) -> None:
    x, y = support()
    anil = model("head")
    np.testing.assert_allclose(logits(anil, x, y), one_step(net(), x, y), rtol=1e-4)
    before = anil.learner.net.get_weights()
    tasks = episodes(SOURCE.train, way=WAY, shot=1, query=2, tasks=2, seed=0)
    anil.fit(tasks, steps_per_epoch=3, verbose=0)
    for old, new in zip(before, anil.learner.net.get_weights(), strict=True):
        assert np.abs(old - new).max() > 1e-3  # The body learns from the queries.
    expected = one_step(anil.learner.net, x, y)
    np.testing.assert_allclose(logits(anil, x, y), expected, rtol=1e-3, atol=1e-4)
    anil.save(tmp_path / "anil.keras")
    again = keras.models.load_model(tmp_path / "anil.keras", compile=False)
    assert adapting(again.learner) == ["head/kernel", "head/bias"]
    np.testing.assert_allclose(logits(again, x, y), expected, rtol=1e-3, atol=1e-4)


def test_a_run_folder_brings_it_back(tmp_path) -> None:
    x, y = support()
    anil, shape = model("head"), Stream(WAY, 1, 2, 2)
    Trainer(
        anil, SOURCE, RunFolder(tmp_path), train=shape, validation=shape, steps=2
    ).run()
    again = RunFolder(tmp_path).load_model("last")
    assert adapting(again.learner) == ["head/kernel", "head/bias"]
    expected = one_step(anil.learner.net, x, y)
    np.testing.assert_allclose(logits(again, x, y), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("block", ["block1", "block10"])
def test_a_block_is_not_taken_for_one_whose_name_goes_on(block: str, tmp_path) -> None:
    learner = MAML(net(), adapt_only=block)
    learners = [learner, MAML.from_config(learner.get_config())]
    MetaModel(learner).save(tmp_path / "block.keras")
    learners.append(keras.models.load_model(tmp_path / "block.keras").learner)
    for each in learners:
        assert adapting(each) == [f"{block}/kernel", f"{block}/bias"]


def test_a_nested_sequential_body_with_statistics_trains() -> None:
    body = keras.Sequential([keras.layers.Dense(5), BatchNorm()], name="body")
    whole = keras.Sequential([keras.Input((4,)), body, keras.layers.Dense(3, name="h")])
    anil = MetaModel(MAML(whole, adapt_only="h", inner_lr=0.1))
    anil.compile(keras.optimizers.SGD(0.1))
    tasks = episodes(SOURCE.train, way=WAY, shot=1, query=2, tasks=2, seed=0)
    history = anil.fit(tasks, steps_per_epoch=4, verbose=0).history
    assert np.isfinite(history["loss"][0])
    assert len(anil.learner.descent.bodies) == 2
