"""The table every learner joins: one row a variant, what it promises in its fields.

A row buys the conformance suite in `tests/learners/test_conformance.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from tfmeta.core import Episode, Examples
from tfmeta.inner import Adam, ClipNorm, LearnedRates, chain
from tfmeta.layers import BatchNorm
from tfmeta.learners import (
    MAML,
    FineTune,
    FromScratch,
    Learner,
    LinearProbe,
    MatchingNet,
    NearestNeighbour,
    ProtoNet,
    Reptile,
)
from tfmeta.nets import conv4, mlp

FEATURES, IMAGE = (4,), (8, 8, 1)


@dataclass(frozen=True)
class Case:
    """A variant of a learner and what it promises.

    Attributes:
        name: Of the row.
        make: Makes it, with the same weights each time.
        gradient: Its meta-gradient: "exact", "stopped" (inner gradients count as
            constants), "displacement" (weights before minus after) or "none" (it has
            nothing to train).
        any_way: Whether it serves any number of classes; else `MAX_WAY`.
        permutes: Whether renaming the classes renames the answers and no more.
        orderless: Whether the order of the support set is of no effect.
        targets: Whether it learns float targets in place of labels.
        shape: Of one example.
        pair: Whether an example is a dict of two arrays.
        learns: Whether the suite has it learn the blobs.
        compiles: Whether the suite compiles it with XLA, which takes long.
    """

    name: str
    make: Callable[[], Learner]
    gradient: str = "exact"
    any_way: bool = False
    permutes: bool = False
    orderless: bool = True
    targets: bool = False
    shape: tuple[int, ...] = FEATURES
    pair: bool = False
    learns: bool = True
    compiles: bool = True


MAX_WAY = 5


def drawn(net: keras.Model, seed: int = 0) -> keras.Model:
    """The net with weights and moving statistics of a seed, none of them zero."""
    draws = np.random.default_rng(seed)
    for variable in net.trainable_variables:
        variable.assign(draws.normal(0, 0.6, variable.shape))
    for variable in net.non_trainable_variables:
        if tf.as_dtype(variable.dtype).is_floating:
            variable.assign(draws.uniform(0.5, 1, variable.shape))
    return net


def normed(way: int | None = None) -> keras.Model:
    """A small net with BatchNorm, smooth enough for central differences."""
    inputs = keras.Input(FEATURES)
    x = keras.layers.Dense(6, use_bias=False)(inputs)
    x = keras.layers.Activation("softplus")(BatchNorm()(x))
    if way is not None:
        x = keras.layers.Dense(way, name="head")(x)
    return drawn(keras.Model(inputs, x))


def plain(outputs: int | None = None) -> keras.Model:
    net = mlp(outputs=outputs, units=(8, 6), input_shape=FEATURES, activation="tanh")
    return drawn(net)


def dropped() -> keras.Model:
    inputs = keras.Input(FEATURES)
    x = keras.layers.Dense(6, activation="tanh")(inputs)
    x = keras.layers.Dropout(0.1)(x)
    return drawn(keras.Model(inputs, keras.layers.Dense(MAX_WAY, name="head")(x)))


def twice_normed() -> keras.Model:
    """A net whose first block can be fixed, and a later bias with it."""
    inputs = keras.Input(FEATURES)
    x = inputs
    for name in ("first", "second"):
        x = keras.layers.Dense(6, use_bias=False, name=name)(x)
        x = keras.layers.Activation("softplus")(BatchNorm(name=f"{name}_norm")(x))
    return drawn(
        keras.Model(inputs, keras.layers.Dense(MAX_WAY, name="head")(x), name="twice")
    )


def two_inputs() -> keras.Model:
    inputs = {
        name: keras.Input((size,), name=name)
        for name, size in (("left", 4), ("right", 3))
    }
    left = keras.layers.Dense(6, activation="tanh")(inputs["left"])
    right = keras.layers.Dense(6, activation="tanh")(inputs["right"])
    x = BatchNorm()(keras.layers.Add()([left, right]))
    return drawn(keras.Model(inputs, keras.layers.Dense(MAX_WAY, name="head")(x)))


@keras.saving.register_keras_serializable("tfmeta_tests")
class OwnNet(keras.Model):
    """A net of a class of one's own, with statistics."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.hidden = keras.layers.Dense(6, activation="softplus")
        self.norm = BatchNorm()
        self.head = keras.layers.Dense(MAX_WAY)

    def call(self, x, training=False):
        return self.head(self.norm(self.hidden(x), training=training))


def own_class() -> keras.Model:
    net = OwnNet()
    net(np.zeros((2, *FEATURES), keras.config.floatx()))
    return drawn(net)


def images(way: int | None = None) -> keras.Model:
    return drawn(conv4(way=way, filters=4, strided=True, input_shape=IMAGE))


CASES = [
    Case("maml", lambda: MAML(normed(MAX_WAY), inner_steps=1)),
    Case(
        "maml_images",
        lambda: MAML(images(MAX_WAY), inner_steps=1),
        shape=IMAGE,
        learns=False,
        compiles=False,
    ),
    Case("maml_7_steps", lambda: MAML(normed(MAX_WAY), inner_steps=7, inner_lr=0.1)),
    Case(
        "maml_task",
        lambda: MAML(normed(MAX_WAY), inner_steps=2, normalisation="task"),
        compiles=False,
    ),
    Case(
        "maml_running",
        lambda: MAML(normed(MAX_WAY), inner_steps=2, normalisation="running"),
    ),
    Case(
        "maml_plain",
        lambda: MAML(plain(MAX_WAY), inner_steps=2, inner_lr=0.1),
        compiles=False,
        learns=False,
    ),
    Case(
        "maml_dropout",
        lambda: MAML(dropped(), inner_steps=1, inner_lr=0.4),
        compiles=False,
    ),
    Case(
        "maml_prototypes",
        lambda: MAML(normed(), inner_steps=2, inner_lr=0.05),
        any_way=True,
        permutes=True,
    ),
    Case(
        "maml_prototypes_7_steps",
        lambda: MAML(normed(), inner_steps=7, inner_lr=0.05),
        any_way=True,
        permutes=True,
        learns=False,
        compiles=False,
    ),
    Case(
        "fomaml",
        lambda: MAML(normed(MAX_WAY), inner_steps=3, first_order=True),
        gradient="stopped",
    ),
    Case(
        "fomaml_7_steps",
        lambda: MAML(normed(MAX_WAY), inner_steps=7, inner_lr=0.1, first_order=True),
        gradient="stopped",
        learns=False,
        compiles=False,
    ),
    Case(
        "maml_regression",
        lambda: MAML(plain(1), inner_steps=2, inner_lr=0.05),
        targets=True,
        learns=False,
    ),
    Case(
        "maml_regression_7_steps",
        lambda: MAML(plain(1), inner_steps=7, inner_lr=0.05),
        targets=True,
        learns=False,
        compiles=False,
    ),
    Case(
        "anil",
        lambda: MAML(normed(MAX_WAY), inner_steps=2, adapt_only="head"),
    ),
    Case(
        "anil_7_steps",
        lambda: MAML(normed(MAX_WAY), inner_steps=7, adapt_only=["head"]),
        learns=False,
        compiles=False,
    ),
    Case(
        "meta_sgd",
        lambda: MAML(normed(MAX_WAY), rule=LearnedRates(learning_rate=0.3)),
    ),
    Case(
        "meta_sgd_7_steps",
        lambda: MAML(
            normed(MAX_WAY), inner_steps=7, rule=LearnedRates(learning_rate=0.1)
        ),
        learns=False,
        compiles=False,
    ),
    Case(
        "meta_sgd_prototypes",
        lambda: MAML(normed(), rule=LearnedRates(learning_rate=0.1)),
        any_way=True,
        permutes=True,
        compiles=False,
    ),
    Case(
        "meta_sgd_clipped",
        lambda: MAML(
            normed(MAX_WAY),
            inner_steps=2,
            rule=chain(ClipNorm(norm=0.5), LearnedRates(learning_rate=0.3)),
        ),
        learns=False,
        compiles=False,
    ),
    Case(
        "maml_first_layer",
        lambda: MAML(twice_normed(), inner_steps=2, adapt_only=["second", "head/bias"]),
        learns=False,
        compiles=False,
    ),
    Case(
        "maml_two_inputs",
        lambda: MAML(two_inputs(), inner_steps=2, inner_lr=0.2),
        pair=True,
        learns=False,
        compiles=False,
    ),
    Case(
        "maml_own_class",
        lambda: MAML(own_class(), inner_steps=2, inner_lr=0.2, head="net"),
        learns=False,
        compiles=False,
    ),
    Case(
        "maml_adam",
        lambda: MAML(
            normed(MAX_WAY), inner_steps=2, rule=Adam(learning_rate=0.05, epsilon=1e-2)
        ),
        learns=False,
        compiles=False,
    ),
    Case(
        "reptile",
        lambda: Reptile(
            normed(MAX_WAY), inner_steps=5, inner_lr=0.02, eval_steps=None, batch_size=6
        ),
        gradient="displacement",
        orderless=False,
    ),
    Case(
        "reptile_regression",
        lambda: Reptile(
            plain(1), inner_steps=7, inner_lr=0.02, eval_steps=None, batch_size=3
        ),
        gradient="displacement",
        orderless=False,
        targets=True,
        learns=False,
        compiles=False,
    ),
    Case("protonet", lambda: ProtoNet(normed()), any_way=True, permutes=True),
    Case(
        "protonet_support",
        lambda: ProtoNet(normed(), normalisation="support"),
        any_way=True,
        permutes=True,
    ),
    Case(
        "protonet_task",
        lambda: ProtoNet(normed(), normalisation="task"),
        any_way=True,
        permutes=True,
        compiles=False,
    ),
    Case(
        "protonet_cosine",
        lambda: ProtoNet(images(), distance="cosine", scale=5.0),
        any_way=True,
        permutes=True,
        shape=IMAGE,
        learns=False,
    ),
    Case("matching_net", lambda: MatchingNet(normed()), any_way=True, permutes=True),
    Case(
        "matching_net_full_context",
        lambda: MatchingNet(normed(), full_context=True, reads=2),
        any_way=True,
        permutes=True,
        orderless=False,
        learns=False,
        compiles=False,
    ),
    Case(
        "fine_tune",
        lambda: FineTune(normed(), eval_steps=6, inner_lr=0.05),
        gradient="none",
        any_way=True,
        permutes=True,
        learns=False,
        compiles=False,
    ),
    Case(
        "fine_tune_regression",
        lambda: FineTune(plain(1), eval_steps=6),
        gradient="none",
        targets=True,
        learns=False,
        compiles=False,
    ),
    Case(
        "linear_probe",
        lambda: LinearProbe(normed(), eval_steps=6),
        gradient="none",
        any_way=True,
        permutes=True,
        learns=False,
        compiles=False,
    ),
    Case(
        "nearest_neighbour",
        NearestNeighbour,
        gradient="none",
        any_way=True,
        permutes=True,
        learns=False,
        compiles=False,
    ),
    Case(
        "from_scratch",
        lambda: FromScratch(normed(MAX_WAY), eval_steps=8),
        gradient="none",
        learns=False,
        compiles=False,
    ),
    Case(
        "from_scratch_headless",
        lambda: FromScratch(normed(), eval_steps=3, inner_lr=0.05),
        gradient="none",
        any_way=True,
        permutes=True,
        learns=False,
        compiles=False,
    ),
]

# Odd sizes, unequal shots, no order.
LABELS = ([2, 0, 1, 2, 1, 2, 2], [0, 0, 2, 1, 2, 1])


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
