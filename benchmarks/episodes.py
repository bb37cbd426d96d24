"""How many episodes a second the pipeline makes, on its own.

    python benchmarks/episodes.py

The episodes are those of recipe A of benchmarks/meta_step.py: 5-way 1-shot with one
query, 32 tasks a batch, from 4,112 classes of 20 images of 28x28x1 (the size of
Omniglot's training classes with rotations). The median of the rounds counts.
"""

from __future__ import annotations

import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from absl import app, flags

import tfmeta
from tfmeta.data import Split

FLAGS = flags.FLAGS
flags.DEFINE_integer("query", 1, "Queries per class.")
flags.DEFINE_integer("rounds", 5, "How often it is timed.")
flags.DEFINE_integer("batches", 200, "Batches in a round.")
CLASSES, EXAMPLES, TASKS = 4112, 20, 32


def main(_) -> None:
    """Times the rounds and prints one line."""
    draws = np.random.default_rng(0)
    x = draws.integers(0, 256, (CLASSES * EXAMPLES, 28, 28, 1), np.uint8)
    y = np.repeat(np.arange(CLASSES, dtype=np.int32), EXAMPLES)
    split = Split("train", x, y, tuple(f"class{i}" for i in range(CLASSES)))
    stream = iter(
        tfmeta.data.episodes(split, way=5, shot=1, query=FLAGS.query, tasks=TASKS)
    )
    speeds = []
    for _ in range(FLAGS.rounds + 1):
        start = time.perf_counter()
        for _ in range(FLAGS.batches):
            next(stream)
        speeds.append(FLAGS.batches * TASKS / (time.perf_counter() - start))
    print(f"{statistics.median(speeds[1:]):,.0f} episodes/s")


if __name__ == "__main__":
    app.run(main)
