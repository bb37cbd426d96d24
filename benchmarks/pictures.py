"""How fast and in how much memory episodes of a folder of pictures are drawn.

`python benchmarks/episodes.py --files=20000` runs it. JPEGs of 84x84 are written into a
temporary folder; always the same ones. Episodes of 5 classes with 5 support and 15
query pictures each are drawn from them, in batches of 4. A bare `tf.data` loop, which
reads, decodes and resizes as many pictures, is timed in turn with them, and training
from the disk in turn with training from memory, 20-way 5-shot: what else the machine
does hits both. The memory is that of a process of its own at its peak, above what
importing TensorFlow takes.
"""

from __future__ import annotations

import multiprocessing
import os
import pathlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

import tfmeta
from tfmeta.core import one_thread_a_task

SIZE, EACH = 84, 100  # Pixels of a side; pictures of a class.
SHAPE = {"way": 5, "shot": 5, "query": 15, "tasks": 4}
BATCHES = 6  # In a round.
PICTURES = SHAPE["tasks"] * SHAPE["way"] * (SHAPE["shot"] + SHAPE["query"])


def measured(files: int, rounds: int) -> Iterator[str]:
    """Measures each in a process of its own; yields a line each."""
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        write(pathlib.Path(folder), files)
        jobs = [(drawing, "disk"), (memory, "disk"), (memory, "memory"), (training, "")]
        for measure, store in jobs:
            with spawn.Pool(1) as alone:
                yield alone.apply(measure, (folder, store, rounds))


def write(folder: pathlib.Path, files: int) -> None:
    """Writes JPEGs with the texture of photographs: noise of all frequencies."""
    draws = np.random.default_rng(0)
    ground = sum(
        np.kron(draws.normal(size=(840 // n, 840 // n, 3)), np.ones((n, n, 1))) * n
        for n in (1, 2, 4, 12, 28)
    )
    ground = np.clip(128 + 2 * ground, 0, 255).astype(np.uint8)
    for number in range(files):
        top, left = draws.integers(0, 840 - SIZE, 2)
        cut = ground[top : top + SIZE, left : left + SIZE]
        path = folder / f"class{number // EACH:05}" / f"{number:06}.jpg"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(tf.io.encode_jpeg(cut, quality=90).numpy())


def bare(folder: str) -> Iterator[Any]:
    """Batches of as many pictures from a plain tf.data loop, without end."""

    def read(path: tf.Tensor) -> tf.Tensor:
        picture = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
        picture = tf.image.resize(picture, (SIZE, SIZE), method="area")
        return tf.cast(tf.round(picture), tf.uint8)

    paths = sorted(str(path) for path in pathlib.Path(folder).glob("*/*"))
    shuffled = np.random.default_rng(0).permutation(paths)
    files = tf.data.Dataset.from_tensor_slices(shuffled).repeat()
    files = files.map(read, num_parallel_calls=tf.data.AUTOTUNE)
    return iter(files.batch(PICTURES).prefetch(2))


def drawing(folder: str, store: str, rounds: int) -> str:
    """Episodes a second from the disk, against the bare loop."""
    source = tfmeta.data.from_folder(folder, store=store)
    streams = {"store": iter(tfmeta.data.episodes(source.train, **SHAPE))}
    streams["bare"] = bare(folder)
    speeds = {
        name: BATCHES * PICTURES / seconds
        for name, seconds in in_turn(
            {n: lambda s=stream: next(s) for n, stream in streams.items()}, rounds
        ).items()
    }
    return (
        f"from the disk {speeds['store']:,.0f} pictures/s, "
        f"{speeds['store'] * SHAPE['tasks'] / PICTURES:.1f} episodes/s; a bare tf.data "
        f"loop {speeds['bare']:,.0f} pictures/s "
        f"({100 * speeds['store'] / speeds['bare']:.0f} %)"
    )


def in_turn(jobs: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """The median seconds of a round of each job; the jobs take turns."""
    found: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(rounds + 1):
        for name, job in jobs.items():
            for _ in range(2):  # What was prefetched while the other was timed.
                job()
            start = time.perf_counter()
            for _ in range(BATCHES):
                job()
            found[name].append(time.perf_counter() - start)
    return {name: statistics.median(each[1:]) for name, each in found.items()}


def memory(folder: str, store: str, rounds: int) -> str:
    """The peak of memory while episodes are drawn from all three parts."""
    before, start = peak(), time.perf_counter()
    source = tfmeta.data.from_folder(folder, store=store)
    seconds, pixels = time.perf_counter() - start, source.train.store.nbytes / 1e6
    for part in (source.train, source.val, source.test):
        for _ in tfmeta.data.episodes(part, count=40, **SHAPE):
            pass
    return (
        f"{store}: at most {peak() - before:,} MB above importing TensorFlow, for "
        f"{pixels:,.0f} MB of pixels; loaded in {seconds:.1f} s"
    )


def training(folder: str, _: str, rounds: int) -> str:
    """Steps of ProtoNet, 20-way 5-shot, with pictures from the disk and from memory."""
    one_thread_a_task()
    steps = {}
    for store in ("disk", "memory"):
        source = tfmeta.data.from_folder(folder, store=store)
        net = tfmeta.nets.conv4(input_shape=(SIZE, SIZE, 3))
        learner = tfmeta.learners.ProtoNet(net)
        model = tfmeta.MetaModel(learner, task_map="loop", prepare=source.prepare)
        model.compile("adam")
        stream = iter(
            tfmeta.data.episodes(source.train, way=20, shot=5, query=15, tasks=2)
        )
        step = tf.function(model.step, autograph=False)
        steps[store] = lambda step=step, stream=stream: step(next(stream))
    seconds = in_turn(steps, min(rounds, 3))
    speeds = {n: BATCHES * 2 * 20 * 20 / each for n, each in seconds.items()}
    return (
        f"training 20-way 5-shot: {speeds['disk']:,.0f} pictures/s from the disk, "
        f"{speeds['memory']:,.0f} from memory "
        f"({100 * speeds['disk'] / speeds['memory']:.0f} %)"
    )


def peak() -> int:
    """The most memory that this process had so far, in MB."""
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024 // 10**6
    raise OSError("/proc/self/status has no line VmHWM.")
