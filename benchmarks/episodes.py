"""How many episodes a second the pipeline makes, on its own.

    python benchmarks/episodes.py
    python benchmarks/episodes.py --files=20000

The episodes of the first line are those of recipe A of benchmarks/meta_step.py: 5-way
1-shot with one query, 32 tasks a batch, from 4,112 classes of 20 images of 28x28x1 (the
size of Omniglot's training classes with rotations). The other lines draw only the ids
of examples, 5-way 1-shot with 15 queries, from data sets of three sizes. With --files
so many JPEGs are measured in place of all this; see benchmarks/pictures.py. The median
of the rounds counts.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pictures
import tensorflow as tf
from absl import app, flags

import tfmeta
from tfmeta.data import Split
from tfmeta.data.sampling.id_sampler import IdSampler

FLAGS = flags.FLAGS
flags.DEFINE_integer("query", 1, "Queries per class, of the whole pipeline.")
flags.DEFINE_integer("rounds", 5, "How often it is timed.")
flags.DEFINE_integer("batches", 200, "Batches in a round.")
flags.DEFINE_integer("files", 0, "Measure drawing from so many JPEGs instead.")
CLASSES, EXAMPLES, TASKS = 4112, 20, 32
# Classes, and examples of each.
SIZES = ((4112, 20), (100_000, 500), (4112, 1_000_000))


def main(_) -> None:
    """Times the rounds and prints a line each."""
    if FLAGS.files:
        for line in pictures.measured(FLAGS.files, FLAGS.rounds):
            print(f"{FLAGS.files:,} JPEGs: {line}", flush=True)
        return
    draws = np.random.default_rng(0)
    x = draws.integers(0, 256, (CLASSES * EXAMPLES, 28, 28, 1), np.uint8)
    y = np.repeat(np.arange(CLASSES, dtype=np.int32), EXAMPLES)
    split = Split("train", x, y, tuple(f"class{i}" for i in range(CLASSES)))
    stream = tfmeta.data.episodes(split, way=5, shot=1, query=FLAGS.query, tasks=TASKS)
    print(f"{speed(iter(stream)):,.0f} episodes/s")
    for classes, each in SIZES:
        found = speed(iter(ids(classes, each)))
        print(
            f"{found:,.0f} episodes/s, {1000 / found:.4f} ms each: ids alone, "
            f"{classes:,} classes of {each:,}"
        )


def ids(classes: int, each: int) -> tf.data.Dataset:
    """The example ids of batches of episodes, without the examples."""
    sampler = IdSampler(
        np.full(classes, each), way=5, shot=1, query=15, name="train", seed=0
    )
    dataset = tf.data.Dataset.range(np.iinfo(np.int64).max)
    dataset = dataset.batch(TASKS, drop_remainder=True)
    return dataset.map(sampler.draw, num_parallel_calls=2).prefetch(2)


def speed(stream: Iterator[Any]) -> float:
    """Episodes a second, the median of the rounds after the first."""
    speeds = []
    for _ in range(FLAGS.rounds + 1):
        start = time.perf_counter()
        for _ in range(FLAGS.batches):
            next(stream)
        speeds.append(FLAGS.batches * TASKS / (time.perf_counter() - start))
    return statistics.median(speeds[1:])


if __name__ == "__main__":
    app.run(main)
