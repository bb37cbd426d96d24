"""The speed of one meta-training step, beside a peer and beside the machine's limit.

    python benchmarks/meta_step.py --peer=peer_torch.py --peer_python=/torch/bin/python

Recipes: A = MAML's Omniglot 5-way 1-shot (32 tasks, strided Conv4-64, 1 step, query =
shots); B = 5-way 5-shot, 16 tasks, strided, 5 steps, 15 queries; C = max-pool Conv4-64,
5-way 1-shot, 16 tasks, 1 step, 15 queries; P = ProtoNet, 20-way 5-shot 5-query,
max-pool, one episode a step. MAML is exact second order with batch statistics, Adam
outside; inputs are random. Ours and the peer run turn by turn, each in a process of its
own, and the median over rounds counts. The limit is what the recipe's multiplications
would take at the rate of a large float32 matrix product on the same machine, measured
in the same run: at second order a support image costs about nine forward passes a step,
a query three.

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

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from absl import app, flags

FLAGS = flags.FLAGS
flags.DEFINE_list("recipes", ["A", "B", "C", "P"], "Which recipes.")
flags.DEFINE_string("peer", None, "The peer's program; left out: only ours runs.")
flags.DEFINE_string("peer_python", sys.executable, "The Python that runs the peer.")
flags.DEFINE_integer("rounds", 3, "How often each is run.", lower_bound=1)
flags.DEFINE_integer("repeats", 10, "Steps timed in a round.", lower_bound=1)
flags.DEFINE_string("task_map", None, "One way through the tasks; left out: each.")
flags.DEFINE_string("one", None, "Used inside: run one recipe here and print JSON.")

GEMM = "gemm"
RECIPES = {
    "A": dict(tasks=32, way=5, shot=1, query=1, steps=1, strided=True),
    "B": dict(tasks=16, way=5, shot=5, query=15, steps=5, strided=True),
    "C": dict(tasks=16, way=5, shot=1, query=15, steps=1, strided=False),
    "P": dict(tasks=1, way=20, shot=5, query=5, steps=0, strided=False),
}


def main(_) -> None:
    """Runs the rounds and prints a table in Markdown."""
    if FLAGS.one == GEMM:
        print(json.dumps({"gflops": gemm_gflops()}))
        return
    if FLAGS.one:
        print(json.dumps(measure(FLAGS.one, FLAGS.task_map)))
        return
    gflops = last_line([sys.executable, __file__, f"--one={GEMM}"])["gflops"]
    print(
        "| recipe | who | tasks/s | ms a step | peak GB | times peer loop | of limit |"
    )
    print("|---|---|---|---|---|---|---|")
    for recipe in FLAGS.recipes:
        runs = {name: [] for name in contenders(recipe)}
        for _ in range(FLAGS.rounds):
            for name, command in contenders(recipe).items():
                runs[name].append(last_line(command))
        report(recipe, runs, gflops)


def contenders(recipe: str) -> dict[str, list[str]]:
    """The commands that run a recipe, by the name they go by in the table."""
    maps = [FLAGS.task_map] if FLAGS.task_map else ["loop", "compiled"]
    repeats = f"--repeats={FLAGS.repeats}"
    commands = {
        f"tfmeta {name}": [
            *(sys.executable, __file__, f"--one={recipe}", f"--task_map={name}"),
            repeats,
        ]
        for name in (maps if recipe != "P" else ["loop"])
    }
    if FLAGS.peer:
        for variant in ["loop", "vmap"] if recipe != "P" else ["loop"]:
            commands[f"peer {variant}"] = [
                *(FLAGS.peer_python, FLAGS.peer, "--recipe", recipe),
                *("--variant", variant, "--repeats", str(FLAGS.repeats)),
            ]
    return commands


def last_line(command: list[str]) -> dict:
    """Runs a command and reads its last line."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def report(recipe: str, runs: dict[str, list[dict]], gflops: float) -> None:
    """Prints a row for each contender."""

    def median(name: str, key: str) -> float:
        return statistics.median(run[key] for run in runs[name])

    ours = next(iter(runs))
    limit = gflops / median(ours, "gflop_per_task")
    for name in runs:
        speed = median(name, "tasks_per_s")
        ratio = speed / median("peer loop", "tasks_per_s") if FLAGS.peer else 0
        memory = f"{median(name, 'peak_rss_gb'):.2f}"
        if name.startswith("tfmeta"):
            memory += f" (+{median(name, 'above_import_gb'):.2f})"
        print(
            f"| {recipe} | {name} | {speed:.1f} | {median(name, 'ms_per_step'):.1f} | "
            f"{memory} | {ratio:.2f} | {100 * speed / limit:.0f} % |",
            flush=True,
        )
    print(f"| {recipe} | limit at {gflops:.0f} GFLOP/s | {limit:.1f} | | | | 100 % |")


def measure(recipe: str, task_map: str) -> dict:
    """Times a recipe in this process."""
    import keras
    import numpy as np
    import tensorflow as tf

    import tfmeta
    from tfmeta.core import one_thread_a_task

    imported = peak_gb()
    r = RECIPES[recipe]
    if r["tasks"] > 1:
        one_thread_a_task()
    way, steps = r["way"], r["steps"]
    if recipe == "P":
        learner = tfmeta.learners.ProtoNet(tfmeta.nets.conv4())
    else:
        learner = tfmeta.learners.MAML(
            tfmeta.nets.conv4(way=way, strided=r["strided"]),
            inner_steps=steps,
            inner_lr=0.4 / steps,
            normalisation="task",
        )
    model = tfmeta.MetaModel(learner, task_map=task_map)
    model.compile(keras.optimizers.Adam(1e-3))
    draws = np.random.default_rng(0)

    def examples(per_class):
        x = draws.random((r["tasks"], way * per_class, 28, 28, 1), np.float32)
        y = np.tile(np.repeat(np.arange(way, dtype=np.int32), per_class), (len(x), 1))
        return tf.constant(x), tf.constant(y)

    (support_x, support_y), (query_x, query_y) = (
        examples(r["shot"]),
        examples(r["query"]),
    )
    inputs = {"support_x": support_x, "support_y": support_y, "query_x": query_x}
    step = tf.function(model.meta_step, autograph=False)
    seconds = []
    for _ in range(FLAGS.repeats + 2):
        start = time.perf_counter()
        step((inputs, query_y))["loss"].numpy()
        seconds.append(time.perf_counter() - start)
    median = statistics.median(seconds[2:])
    peak = peak_gb()
    passes = way * (9 * steps * r["shot"] + 3 * r["query"])
    if recipe == "P":
        passes = 3 * way * (r["shot"] + r["query"])
    return {
        "recipe": recipe,
        "task_map": task_map,
        "tasks_per_s": r["tasks"] / median,
        "ms_per_step": 1e3 * median,
        "peak_rss_gb": peak,
        "above_import_gb": peak - imported,
        "gflop_per_task": passes * forward_flops(learner.net) / 1e9,
    }


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
        if hasattr(layer, "kernel"):
            positions = np.prod(layer.output.shape[1:-1], dtype=int)
            total += 2 * int(positions) * int(np.prod(layer.kernel.shape))
    return total


if __name__ == "__main__":
    app.run(main)
