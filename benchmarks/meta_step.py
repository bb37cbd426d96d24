"""The speed of one meta-training step, beside a peer and beside the machine's limit.

    python benchmarks/meta_step.py --peer=peer_torch.py --peer_python=/torch/bin/python
    python benchmarks/meta_step.py --against=../other --ways=loop,fit --rounds=5

Recipes: A = MAML's Omniglot 5-way 1-shot (32 tasks, strided Conv4-64, 1 step, query =
shots); B = 5-way 5-shot, 16 tasks, strided, 5 steps, 15 queries; C = max-pool Conv4-64,
5-way 1-shot, 16 tasks, 1 step, 15 queries; P = ProtoNet, 20-way 5-shot 5-query,
max-pool, one episode a step. MAML is exact second order with batch statistics, Adam
outside; inputs are random. The limit is what the recipe's multiplications would take
at the rate of a large float32 matrix product on the same machine, measured in the same
run: at second order a support image costs about nine forward passes a step, a query
three.

Ways: `loop` and `compiled` are the task maps, on the same batch again and again; `fit`
is `model.fit` on episodes that `tfmeta.data` draws, as README has it. All of them have
one thread an operation where a step has several tasks; `loop_all` and `fit_all` leave
all threads to every operation.

Everything runs turn by turn, each in a process of its own, and the median over rounds
counts. `--against` names a checkout of another version, which runs the same ways.

A peer is a program that takes --recipe, --variant and --repeats and prints a JSON line
with tasks_per_s and peak_rss_gb.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from itertools import pairwise
from typing import NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from absl import app, flags

FLAGS = flags.FLAGS
flags.DEFINE_list("recipes", ["A", "B", "C", "P"], "Which recipes.")
flags.DEFINE_string("peer", None, "The peer's program; left out: only ours runs.")
flags.DEFINE_string("peer_python", sys.executable, "The Python that runs the peer.")
flags.DEFINE_integer("rounds", 3, "How often each is run.", lower_bound=1)
flags.DEFINE_integer("repeats", 10, "Steps timed in a round.", lower_bound=1)
flags.DEFINE_list("ways", ["loop", "compiled", "loop_all", "fit", "fit_all"], "Ways.")
flags.DEFINE_string("against", None, "A checkout of another version, to run beside.")
flags.DEFINE_string("way", None, "Used inside: the way of --one.")
flags.DEFINE_string("one", None, "Used inside: run one recipe here and print JSON.")

GEMM = "gemm"
RECIPES = {
    "A": dict(tasks=32, way=5, shot=1, query=1, steps=1, strided=True),
    "B": dict(tasks=16, way=5, shot=5, query=15, steps=5, strided=True),
    "C": dict(tasks=16, way=5, shot=1, query=15, steps=1, strided=False),
    "P": dict(tasks=1, way=20, shot=5, query=5, steps=0, strided=False),
}


class Contender(NamedTuple):
    """A program that is timed.

    Attributes:
        command: Runs the program, which prints a JSON line.
        environment: The variables that differ from this process'.
        other: The name of the contender that its speed is compared with.
    """

    command: list[str]
    environment: dict[str, str] = {}
    other: str = ""


def main(_) -> None:
    """Runs the rounds and prints a table in Markdown."""
    if FLAGS.one == GEMM:
        print(json.dumps({"gflops": gemm_gflops()}))
        return
    if FLAGS.one:
        print(json.dumps(measure(FLAGS.one, FLAGS.way)))
        return
    gemm = Contender([sys.executable, __file__, f"--one={GEMM}"])
    gflops = last_line(gemm)["gflops"]
    print(
        "| recipe | who | tasks/s | ms a step | peak GB | times the other | of limit |"
    )
    print("|---|---|---|---|---|---|---|")
    for recipe in FLAGS.recipes:
        runs = {name: [] for name in contenders(recipe)}
        for _ in range(FLAGS.rounds):
            for name, contender in contenders(recipe).items():
                runs[name].append(last_line(contender))
        report(recipe, runs, gflops)


def contenders(recipe: str) -> dict[str, Contender]:
    """What runs a recipe, by the name it goes by in the table."""
    repeats = f"--repeats={FLAGS.repeats}"
    found = {}
    for way in FLAGS.ways:
        if recipe == "P" and way not in ("loop", "fit"):
            continue  # One task has nothing beside it.
        command = [sys.executable, __file__, f"--one={recipe}", f"--way={way}", repeats]
        if FLAGS.against:
            path = {"PYTHONPATH": os.path.abspath(FLAGS.against)}
            found[f"against {way}"] = Contender(command, path)
        other = f"against {way}" if FLAGS.against else "peer loop"
        found[f"tfmeta {way}"] = Contender(command, {}, other)
    if FLAGS.peer:
        for variant in ["loop", "vmap"] if recipe != "P" else ["loop"]:
            command = [
                *(FLAGS.peer_python, FLAGS.peer, "--recipe", recipe),
                *("--variant", variant, "--repeats", str(FLAGS.repeats)),
            ]
            found[f"peer {variant}"] = Contender(command)
    return found


def last_line(contender: Contender) -> dict:
    """Runs a command and reads its last line."""
    done = subprocess.run(
        contender.command,
        capture_output=True,
        text=True,
        env=os.environ | contender.environment,
    )
    if done.returncode:
        sys.exit(f"{' '.join(contender.command)} failed:\n{done.stderr}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def report(recipe: str, runs: dict[str, list[dict]], gflops: float) -> None:
    """Prints a row for each contender."""

    def median(name: str, key: str) -> float:
        return statistics.median(run[key] for run in runs[name])

    ours = next(name for name in runs if name.startswith("tfmeta"))
    limit = gflops / median(ours, "gflop_per_task")
    for name, contender in contenders(recipe).items():
        speed = median(name, "tasks_per_s")
        times = "-"
        if contender.other in runs:
            times = f"{speed / median(contender.other, 'tasks_per_s'):.2f}"
        memory = f"{median(name, 'peak_rss_gb'):.2f}"
        if "above_import_gb" in runs[name][0]:
            memory += f" (+{median(name, 'above_import_gb'):.2f})"
        print(
            f"| {recipe} | {name} | {speed:.1f} | {median(name, 'ms_per_step'):.1f} | "
            f"{memory} | {times} | {100 * speed / limit:.0f} % |",
            flush=True,
        )
    print(f"| {recipe} | limit at {gflops:.0f} GFLOP/s | {limit:.1f} | | | | 100 % |")


def measure(recipe: str, way: str) -> dict:
    """Times a recipe in this process."""
    import keras

    import tfmeta
    from tfmeta.core import one_thread_a_task

    imported = peak_gb()
    r = RECIPES[recipe]
    name, _, threads = way.partition("_")
    if r["tasks"] > 1 and not threads:
        one_thread_a_task()
    steps = r["steps"]
    if recipe == "P":
        learner = tfmeta.learners.ProtoNet(tfmeta.nets.conv4())
    else:
        learner = tfmeta.learners.MAML(
            tfmeta.nets.conv4(way=r["way"], strided=r["strided"]),
            inner_steps=steps,
            inner_lr=0.4 / steps,
            normalisation="task",
        )
    task_map = "compiled" if name == "compiled" else "loop"
    model = tfmeta.MetaModel(learner, task_map=task_map)
    model.compile(keras.optimizers.Adam(1e-3))
    times = fit_times(model, r) if name == "fit" else step_times(model, r)
    median = statistics.median(after - before for before, after in pairwise(times[2:]))
    peak = peak_gb()
    passes = r["way"] * (9 * steps * r["shot"] + 3 * r["query"])
    if recipe == "P":
        passes = 3 * r["way"] * (r["shot"] + r["query"])
    return {
        "recipe": recipe,
        "way": way,
        "version": tfmeta.__file__,
        "tasks_per_s": r["tasks"] / median,
        "ms_per_step": 1e3 * median,
        "peak_rss_gb": peak,
        "above_import_gb": peak - imported,
        "gflop_per_task": passes * forward_flops(learner.net) / 1e9,
    }


def step_times(model, r: dict) -> list[float]:
    """When each step on the same random batch ended."""
    import numpy as np
    import tensorflow as tf

    draws = np.random.default_rng(0)

    def examples(per_class):
        x = draws.random((r["tasks"], r["way"] * per_class, 28, 28, 1), np.float32)
        classes = np.repeat(np.arange(r["way"], dtype=np.int32), per_class)
        return tf.constant(x), tf.constant(np.tile(classes, (len(x), 1)))

    (support_x, support_y), (query_x, query_y) = (
        examples(r["shot"]),
        examples(r["query"]),
    )
    inputs = {"support_x": support_x, "support_y": support_y, "query_x": query_x}
    step = tf.function(model.meta_step, autograph=False)
    times = []
    for _ in range(FLAGS.repeats + 3):
        step((inputs, query_y))["loss"].numpy()
        times.append(time.perf_counter())
    return times


def fit_times(model, r: dict) -> list[float]:
    """When each step of `fit` on drawn episodes of random pictures ended."""
    import keras
    import numpy as np

    import tfmeta

    x = np.random.default_rng(0).integers(0, 256, (4000, 28, 28, 1), np.uint8)
    data = tfmeta.data.from_arrays(x, np.arange(len(x)) % 200)
    names = ("way", "shot", "query", "tasks")
    episodes = tfmeta.data.episodes(data.train, **{n: r[n] for n in names}, seed=0)
    times: list[float] = []
    note = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: times.append(time.perf_counter())
    )
    steps = FLAGS.repeats + 3
    model.fit(episodes, steps_per_epoch=steps, callbacks=[note], verbose=0)
    return times


def peak_gb() -> float:
    """This process's largest resident memory so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def gemm_gflops(size: int = 2048, repeats: int = 8) -> float:
    """The rate of a large float32 matrix product on all cores; the best of several."""
    import tensorflow as tf

    a = tf.random.stateless_normal((size, size), (0, 0))
    product = tf.function(lambda: tf.reduce_sum(tf.matmul(a, a)))
    product().numpy()
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        product().numpy()
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best / 1e9


def forward_flops(net) -> int:
    """Multiplications and additions of one example's forward pass."""
    import numpy as np

    total = 0
    for layer in net.layers:
        kernel = getattr(getattr(layer, "conv", layer), "kernel", None)
        if kernel is not None:
            positions = np.prod(layer.output.shape[1:-1], dtype=int)
            total += 2 * int(positions) * int(np.prod(kernel.shape))
    return total


if __name__ == "__main__":
    app.run(main)
