"""Times adaptation where it is served, and weighs what it leaves: a table of learners.

    python benchmarks/adapt.py

Each learner is exported around conv4 with strides (64 filters, pictures of 28x28) and
its weights are random, since they make no difference to the time. A SavedModel without
tfmeta's code adapts to 5-way 1-shot and 5-way 5-shot support sets, then answers five
queries; medians of 50 calls, in milliseconds. The state is what `adapt` returns and a
server would keep between requests.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from absl import app, logging

import tfmeta
from tfmeta import learners
from tfmeta.inner import LearnedRates
from tfmeta.nets import conv4

CALLS, WARM = 50, 5
SHAPE = (28, 28, 1)


def embedding() -> Any:
    """A net that embeds."""
    return conv4(strided=True, input_shape=SHAPE)


def headed() -> Any:
    """A net with five outputs."""
    return conv4(way=5, strided=True, input_shape=SHAPE)


LEARNERS: dict[str, Callable[[], Any]] = {
    "ProtoNet": lambda: learners.ProtoNet(embedding()),
    "MatchingNet": lambda: learners.MatchingNet(embedding()),
    "MAML, 1 step": lambda: learners.MAML(headed(), inner_steps=1),
    "MAML, 5 steps": lambda: learners.MAML(headed(), inner_steps=5),
    "Proto-MAML, 1 step": lambda: learners.MAML(embedding(), inner_steps=1),
    "ANIL, 5 steps": lambda: learners.MAML(headed(), inner_steps=5, adapt_only="head"),
    "Meta-SGD, 1 step": lambda: learners.MAML(
        headed(), inner_steps=1, rule=LearnedRates
    ),
    "Reptile, 50 steps": lambda: learners.Reptile(headed(), eval_steps=50),
    "LinearProbe, 100 steps": lambda: learners.LinearProbe(embedding()),
    "FineTune, 50 steps": lambda: learners.FineTune(embedding(), eval_steps=50),
    "NearestNeighbour": learners.NearestNeighbour,
}


def main(argv: list[str]) -> None:
    """Measures each learner and prints a row of a Markdown table."""
    logging.set_verbosity(logging.WARNING)
    print("| learner | adapt, 1-shot | adapt, 5-shot | answer 5 | state |")
    print("|---|---|---|---|---|")
    for name, make in LEARNERS.items():
        if len(argv) > 1 and name.split(",")[0] not in argv[1:]:
            continue
        with tempfile.TemporaryDirectory() as folder:
            print(f"| {name} | {measured(make(), folder)} |", flush=True)


def measured(learner: Any, folder: str) -> str:
    """The cells of a learner's row."""
    fields = {} if getattr(learner, "net", None) else {"example_shape": SHAPE}
    path = tfmeta.export.save(tfmeta.MetaModel(learner), folder, **fields)
    served = tf.saved_model.load(str(path))
    adapt, predict = served.signatures["adapt"], served.signatures["predict"]
    cells = []
    for shot in (5, 1):
        support = {
            "support_x": pictures(5 * shot),
            "support_y": tf.repeat(tf.range(5), shot),
        }
        cells.append(f"{milliseconds(lambda s=support: adapt(**s)):.1f} ms")
        state = adapt(**support)
    queries = pictures(5)
    answer = milliseconds(lambda: predict(query_x=queries, **state))
    size = sum(value.numpy().nbytes for value in state.values())
    return " | ".join([*reversed(cells), f"{answer:.1f} ms", f"{size / 1e3:,.1f} kB"])


def pictures(count: int) -> tf.Tensor:
    """Random pictures."""
    draws = np.random.default_rng(0)
    return tf.constant(draws.random((count, *SHAPE), "float32"))


def milliseconds(call: Callable[[], Any]) -> float:
    """The median time of a call."""
    for _ in range(WARM):
        call()
    times = []
    for _ in range(CALLS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times)


if __name__ == "__main__":
    app.run(main)
