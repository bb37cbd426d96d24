"""Why a meta-gradient in float32 differs from the same one in float64.

    python benchmarks/float32_meta_gradient.py

MAML's meta-gradient of a strided Conv4 on tasks of glyphs, 5-way 1-shot with 15
queries, at the first weights of a seed, is taken in float64, and again otherwise. The
difference is the norm of the two gradients' difference over the norm in float64. A unit
has flipped if its ReLU is on in one run and off in the other. Where the units are those
of a run in another precision, each ReLU is on where it was on in that run. "Composed"
normalises by plain operations in place of TensorFlow's fused kernel. Softplus has no
kink. Each row has the median and the largest of several tasks.
"""

from __future__ import annotations

import contextlib
import os
import time
from unittest import mock

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from absl import app, flags

import tfmeta
from tfmeta.layers import batch_normalise

FLAGS = flags.FLAGS
flags.DEFINE_integer("tasks", 8, "The number of tasks.", lower_bound=1)
flags.DEFINE_list("inner_steps", ["1", "5"], "The numbers of inner steps.")
flags.DEFINE_integer("filters", 64, "The channels of each convolution.")
flags.DEFINE_integer("draw", 0, "The seed of the weights.")
ROWS = (  # Activation, normalisation, precision of the second run, whose units.
    ("relu", "fused", "float32", "its own"),
    ("relu", "composed", "float32", "its own"),
    ("relu", "none", "float32", "its own"),
    ("relu", "fused", "float32", "float64's"),
    ("relu", "composed", "float32", "float64's"),
    ("relu", "fused", "float64", "float32's"),
    ("softplus", "fused", "float32", "its own"),
    ("softplus", "composed", "float32", "its own"),
)


class Units:
    """Which units of a net are on, in the order in which the net's layers run."""

    def __init__(self):
        self.inputs: list[np.ndarray] = []
        self.place, self.forced = -1, False
        self.flipped = self.count = 0

    def on(self, x: tf.Tensor) -> tf.Tensor:
        """Which units are on: of the run that is kept, or of one compared with it."""
        if self.place < 0:
            self.inputs.append(x.numpy())
            return x > 0
        kept = self.inputs[self.place] > 0
        self.place += 1
        self.count += kept.size
        self.flipped += np.sum(kept != (x.numpy() > 0))
        return tf.constant(kept) if self.forced else x > 0

    def again(self, *, forced: bool) -> None:
        """Begins the run to compare, whose units may be forced to those kept."""
        self.place, self.forced = 0, forced


@keras.saving.register_keras_serializable("benchmarks")
class Rectifier(keras.layers.Layer):
    """A ReLU whose units may be told from outside."""

    units: Units | None = None

    def call(self, x):
        """The inputs where the units are on, else zero."""
        on = x > 0 if self.units is None else self.units.on(x)
        return tf.where(on, x, tf.zeros_like(x))


def main(_) -> None:
    """Prints a table in Markdown for each number of steps."""
    began = time.perf_counter()
    tasks = episodes()
    for steps in map(int, FLAGS.inner_steps):
        print(f"\n{steps} inner step{'s' * (steps > 1)}:\n")
        print("| activation | normalisation | run | units | difference | flipped |")
        print("|---|---|---|---|---|---|")
        for row in ROWS:
            report(row, [compared(task, steps, *row) for task in tasks])
    print(f"\n{(time.perf_counter() - began) / 60:.1f} minutes")


def episodes() -> list[tfmeta.Episode]:
    """Single tasks of glyphs."""
    part = tfmeta.data.load("glyphs").train
    stream = tfmeta.data.episodes(part, way=5, shot=1, query=15, tasks=1, seed=0)
    found = []
    for x, y in stream.take(FLAGS.tasks):
        x = part.prepare.batch(x)
        support = tfmeta.Examples(x["support_x"][0], x["support_y"][0])
        found.append(tfmeta.Episode(support, tfmeta.Examples(x["query_x"][0], y[0])))
    return found


def compared(
    task: tfmeta.Episode, steps: int, activation: str, norm: str, dtype: str, whose: str
) -> dict[str, float]:
    """The meta-gradient of a task in float64, and a second one, compared."""

    def run(units: Units, dtype: str) -> np.ndarray:
        return gradient(task, steps, net(activation, norm, dtype), norm, units)

    units = Units()
    exact = run(units, "float64")
    if whose == "float32's":
        units = Units()
        run(units, "float32")
    units.again(forced=whose != "its own")
    other = run(units, dtype)
    return {
        "difference": np.linalg.norm(exact - other) / np.linalg.norm(exact),
        "flipped": units.flipped,
        "units": units.count,
    }


def gradient(
    task: tfmeta.Episode, steps: int, made: keras.Model, norm: str, units: Units
) -> np.ndarray:
    """MAML's meta-gradient as one vector in float64."""
    learner = tfmeta.learners.MAML(
        made, inner_steps=steps, inner_lr=0.4 / steps, normalisation="task"
    )
    sets = [tfmeta.Examples(tf.cast(s.x, made.compute_dtype), s.y) for s in task]
    options = tfmeta.Options(training=True)
    composed = contextlib.nullcontext()
    if norm == "composed":
        composed = mock.patch.object(batch_normalise, "_LEAST_FUSED_EPSILON", np.inf)
    with composed, mock.patch.object(Rectifier, "units", units):
        _, _, found = learner.meta_gradients(tfmeta.Episode(*sets), options)
    return np.concatenate([g.numpy().astype(np.float64).ravel() for g in found])


def net(activation: str, norm: str, dtype: str) -> keras.Model:
    """A strided Conv4 with the activation, and the weights of the seed in float32."""
    keras.config.set_dtype_policy(dtype)
    x = inputs = keras.Input((28, 28, 1))
    for _ in range(4):
        convolution = keras.layers.Conv2D(
            FLAGS.filters, 3, strides=2, padding="same", use_bias=False
        )
        x = convolution(x)
        x = x if norm == "none" else tfmeta.layers.BatchNorm()(x)
        rectifier = Rectifier() if activation == "relu" else None
        x = (rectifier or keras.layers.Activation(activation))(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    made = keras.Model(inputs, keras.layers.Dense(5)(x))
    draws = np.random.default_rng(FLAGS.draw)
    for weight in made.trainable_variables:
        if weight.name == "kernel":  # Glorot's; gammas stay 1, and offsets 0.
            *field, inputs, outputs = weight.shape
            limit = np.sqrt(6 / (np.prod(field, dtype=int) * (inputs + outputs)))
            drawn = draws.uniform(-limit, limit, weight.shape)
            weight.assign(drawn.astype(np.float32))
    return made


def report(row: tuple[str, ...], found: list[dict[str, float]]) -> None:
    """Prints a row."""
    differences = [each["difference"] for each in found]
    flipped, units = [each["flipped"] for each in found], found[0]["units"]
    counted = f"{np.median(flipped):.1f}, at most {max(flipped)}, of {units:,}"
    cells = [
        *row,
        f"{np.median(differences):.1e}, at most {max(differences):.1e}",
        counted if units else "-",
    ]
    print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    app.run(main)
