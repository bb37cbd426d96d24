"""Draws how each learner learns one task: docs/learners/NAME.png.

    python docs/gallery.py [NAME ...]

A task is to tell three arms of a spiral apart, from three points of each; arms begin in
any direction. The learners are trained on other arms. What is drawn is the answer for
every point of the plane, before the support set was seen or after a few inner steps,
and at the end. Takes some minutes without names.
"""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Callable
from typing import Any

import keras
import matplotlib
import numpy as np
import tensorflow as tf

import tfmeta
from tfmeta import learners
from tfmeta.core import Examples, Options
from tfmeta.data import Source, Split, from_arrays
from tfmeta.inner import LearnedRates
from tfmeta.nets import fresh, mlp

matplotlib.use("agg")
from matplotlib import pyplot  # noqa: E402

OUT = pathlib.Path(__file__).parent / "learners"
ARMS, POINTS = 36, 60
TESTED = [0, 12, 24]  # A third of a turn apart.
COLOURS = ["#c1432b", "#2b6cb0", "#4a8f3c"]
SHOT = 3


def spiral() -> Source:
    """Arms of a spiral as classes, each turned by ten degrees more than the one before.

    Every third one is tested; the others train, but for a few that validate.
    """
    draws = np.random.default_rng(0)
    radius = draws.uniform(0.25, 1, (ARMS, POINTS))
    turn = 2 * np.pi * np.arange(ARMS)[:, None] / ARMS + 4 * radius
    x = np.stack([radius * np.cos(turn), radius * np.sin(turn)], -1)
    x += draws.normal(0, 0.03, x.shape)
    y = np.repeat(np.arange(ARMS), POINTS)
    parts = {
        "test": list(range(0, ARMS, 3)),
        "val": list(range(1, ARMS, 9)),
        "train": [n for n in range(ARMS) if n % 3 and n % 9 != 1],
    }
    return from_arrays(x.reshape(-1, 2).astype("float32"), y, split=parts)


def headed() -> keras.Model:
    """A net that ends in three outputs."""
    return fresh(mlp(outputs=3, units=(64, 64), input_shape=(2,)), seed=0)


def embedding() -> keras.Model:
    """A net that embeds."""
    return fresh(mlp(units=(64, 64), input_shape=(2,)), seed=0)


# Each learner, and after how many inner steps it is drawn; none for those without.
GALLERY: dict[str, tuple[Callable[[], Any], tuple[int, ...]]] = {
    "maml": (
        lambda: learners.MAML(headed(), inner_steps=5, inner_lr=0.1),
        (0, 1, 5),
    ),
    "proto_maml": (
        lambda: learners.MAML(embedding(), inner_steps=5, inner_lr=0.05),
        (0, 1, 5),
    ),
    "anil": (
        lambda: learners.MAML(headed(), inner_steps=5, inner_lr=0.1, adapt_only="head"),
        (0, 1, 5),
    ),
    "meta_sgd": (
        lambda: learners.MAML(headed(), inner_steps=5, inner_lr=0.1, rule=LearnedRates),
        (0, 1, 5),
    ),
    "reptile": (
        lambda: learners.Reptile(
            headed(), inner_steps=10, inner_lr=0.01, inner_batch=None, eval_steps=50
        ),
        (0, 5, 50),
    ),
    "protonet": (lambda: learners.ProtoNet(embedding()), ()),
    "matchingnet": (lambda: learners.MatchingNet(embedding()), ()),
    "linearprobe": (lambda: learners.LinearProbe(embedding()), (0, 10, 100)),
    "finetune": (lambda: learners.FineTune(embedding()), (0, 10, 100)),
    "fromscratch": (lambda: learners.FromScratch(headed()), (0, 10, 100)),
    "nearestneighbour": (learners.NearestNeighbour, ()),
}


def main(names: list[str]) -> None:
    """Draws the learners that are named, or all."""
    source = spiral()
    OUT.mkdir(exist_ok=True)
    for name in names or GALLERY:
        make, steps = GALLERY[name]
        learner = make()
        train(learner, source)
        if name == "maml":
            fresh_net = learners.FromScratch(headed(), inner_lr=0.1)
            rows = {"MAML": learner, "the same net without MAML's training": fresh_net}
            draw("adapts", rows, steps, source.test)
        result = tfmeta.evaluate(
            learner, source.test, way=3, shot=SHOT, query=10, episodes=200
        )
        print(f"{name}: {result}")
        draw(name, {"": learner}, steps, source.test)


def train(learner: Any, source: Source) -> None:
    """Meta-trains a learner, or pretrains its net; some need neither."""
    if isinstance(learner, (learners.FromScratch, learners.NearestNeighbour)):
        return
    if learner.pretrained:
        tfmeta.training.pretrain(
            learner.net, source.train, steps=3000, batch_size=64, verbose=0
        )
        return
    reptile = isinstance(learner, learners.Reptile)
    size = {"way": 3, "shot": 15 if reptile else SHOT, "query": 10}
    model = tfmeta.MetaModel(learner, task_map="loop")
    optimizer = keras.optimizers.SGD(0.5) if reptile else keras.optimizers.Adam(2e-3)
    model.compile(optimizer)
    episodes = tfmeta.data.episodes(source.train, **size, tasks=8)
    model.fit(episodes, steps_per_epoch=3000, epochs=1, verbose=0)


def draw(name: str, rows: dict[str, Any], steps: tuple[int, ...], part: Split) -> None:
    """Draws a row for each learner, with a panel for each number of steps, or one."""
    support, queries = task(part)
    stages = steps or (None,)
    figure, axes = pyplot.subplots(
        len(rows),
        len(stages),
        figsize=(2.6 * len(stages), 2.9 * len(rows)),
        layout="constrained",
        squeeze=False,
    )
    for row, (title, learner) in zip(axes, rows.items(), strict=True):
        row[0].set_ylabel(title, fontsize=9)
        for panel, count in zip(row, stages, strict=True):
            adapted = learner.adapt(support, Options(steps=count))
            right = paint(panel, learner, adapted, support, queries)
            after = "" if count is None else f"after {count} steps: "
            after = after.replace("1 steps", "1 step")
            panel.set_title(f"{after}{100 * right:.0f} % right", fontsize=9)
    figure.savefig(OUT / f"{name}.png", dpi=110)
    pyplot.close(figure)


def paint(
    panel: Any, learner: Any, adapted: Any, support: Examples, queries: Examples
) -> float:
    """Paints the plane by the answers, and returns the accuracy on the queries."""
    side = np.linspace(-1.25, 1.25, 160, dtype="float32")
    plane = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
    shares, answers = (
        tf.nn.softmax(learner.predict(adapted, tf.constant(x), Options())).numpy()
        for x in (plane, queries.x)
    )
    colours = np.array([matplotlib.colors.to_rgb(c) for c in COLOURS])
    # Towards white where the answer is unsure.
    sure = 0.55 * (shares.max(-1, keepdims=True) - 1 / 3) * 1.5
    picture = 1 - sure * (1 - colours[shares.argmax(-1)])
    panel.imshow(picture.reshape(160, 160, 3), origin="lower", extent=(-1.25, 1.25) * 2)
    for label, colour in enumerate(COLOURS):
        there = queries.x[queries.y == label]
        panel.scatter(*there.T, s=4, color=colour, alpha=0.5, linewidths=0)
        seen = support.x.numpy()[support.y.numpy() == label]
        panel.scatter(*seen.T, s=34, color=colour, edgecolors="black")
    panel.set(xticks=[], yticks=[])
    return float(np.mean(answers.argmax(-1) == queries.y))


def task(part: Split) -> tuple[Examples, Examples]:
    """A task of three arms that were never trained on: its support set and queries."""
    draws = np.random.default_rng(1)
    xs, ys = ([], []), ([], [])
    for label, arm in enumerate(TESTED):
        place = part.class_names.index(str(arm))
        rows = draws.permutation(np.flatnonzero(part.y == place))
        for where, some in enumerate((rows[:SHOT], rows[SHOT:])):
            xs[where].append(part.x[some])
            ys[where].extend([label] * len(some))
    first, second = (np.concatenate(x) for x in xs)
    support = Examples(tf.constant(first), tf.constant(ys[0], tf.int32))
    return support, Examples(second, np.array(ys[1]))


if __name__ == "__main__":
    main(sys.argv[1:])
