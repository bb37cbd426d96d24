"""How fast pictures are drawn from their files, and how much memory that takes.

    python benchmarks/stores.py
    python benchmarks/stores.py --files=60000

JPEGs of 84x84 are written into a temporary folder; always the same ones. Episodes of 5
classes, 5 support and 15 query pictures each, are drawn from them as
`tfmeta.data.episodes` draws them: 4 in a batch, two batches at once. A bare `tf.data`
loop, which reads, decodes and resizes as many pictures, is timed in turn with it; both
run in one process, so that what else the machine does hits both. The memory is that of
a process of its own, at its peak, above what importing TensorFlow takes.
"""

from __future__ import annotations

import multiprocessing
import os
import pathlib
import statistics
import tempfile
import time
from collections.abc import Iterator

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from absl import app, flags

from tfmeta.data.pictures.format import PictureFormat
from tfmeta.data.sampling.id_sampler import IdSampler
from tfmeta.data.stores.picture_files import PictureFiles, read_all

FLAGS = flags.FLAGS
flags.DEFINE_integer("files", 20_000, "The number of JPEGs.")
flags.DEFINE_integer("rounds", 5, "How often each is timed.")
flags.DEFINE_integer("batches", 6, "Batches in a round.")
FORM = PictureFormat(84, 84, 3)
EACH = 100  # Pictures of a class.
WAY, SHOT, QUERY, TASKS = 5, 5, 15, 4
PICTURES = TASKS * WAY * (SHOT + QUERY)  # In a batch.


def main(_) -> None:
    """Measures each in a process of its own and prints a line each."""
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        write(pathlib.Path(folder), FLAGS.files)
        for measure in (speeds, memory_of_drawing, memory_of_reading):
            with spawn.Pool(1) as alone:
                told = (folder, FLAGS.files, FLAGS.rounds, FLAGS.batches)
                print(alone.apply(measure, told), flush=True)


def write(folder: pathlib.Path, files: int) -> None:
    """Writes JPEGs with the texture of photographs: noise of all frequencies."""
    draws = np.random.default_rng(0)
    ground = sum(
        np.kron(draws.normal(size=(840 // n, 840 // n, 3)), np.ones((n, n, 1))) * n
        for n in (1, 2, 4, 12, 28)
    )
    ground = np.clip(128 + 2 * ground, 0, 255).astype(np.uint8)
    for number in range(files):
        top, left = draws.integers(0, 840 - 84, 2)
        cut = ground[top : top + 84, left : left + 84]
        encoded = tf.io.encode_jpeg(cut, quality=90)
        (folder / f"{number:06}.jpg").write_bytes(encoded.numpy())


def listed(folder: str) -> list[str]:
    return sorted(str(path) for path in pathlib.Path(folder).iterdir())


def drawn(paths: list[str]) -> Iterator:
    """Batches of episodes from the store, without end."""
    store = PictureFiles(paths, FORM)
    sampler = IdSampler(
        np.full(len(paths) // EACH, EACH),
        way=WAY,
        shot=SHOT,
        query=QUERY,
        name="train",
        seed=0,
    )

    def draw(numbers: tf.Tensor):
        ids, _ = sampler.draw(numbers)
        return store.take(ids[..., :SHOT]), store.take(ids[..., SHOT:])

    numbers = tf.data.Dataset.range(2**62).batch(TASKS, drop_remainder=True)
    return iter(numbers.map(draw, num_parallel_calls=2).prefetch(2))


def bare(paths: list[str]) -> Iterator:
    """Batches of as many pictures from a plain tf.data loop, without end."""

    def read(path: tf.Tensor) -> tf.Tensor:
        picture = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
        picture = tf.image.resize(picture, FORM.shape[:2], method="area")
        return tf.cast(tf.round(picture), tf.uint8)

    shuffled = np.random.default_rng(0).permutation(paths)
    files = tf.data.Dataset.from_tensor_slices(shuffled).repeat()
    files = files.map(read, num_parallel_calls=tf.data.AUTOTUNE)
    return iter(files.batch(PICTURES).prefetch(2))


def speeds(folder: str, files: int, rounds: int, batches: int) -> str:
    paths = listed(folder)
    streams = {"store": drawn(paths), "bare": bare(paths)}
    found: dict[str, list[float]] = {name: [] for name in streams}
    for _ in range(rounds + 1):
        for name, stream in streams.items():
            for _ in range(2):  # What was prefetched while the other was timed.
                next(stream)
            start = time.perf_counter()
            for _ in range(batches):
                next(stream)
            found[name].append(batches * PICTURES / (time.perf_counter() - start))
    store, plain = (statistics.median(each[1:]) for each in found.values())
    return (
        f"{files:,} files: {store:,.0f} pictures/s, {store * TASKS / PICTURES:.1f} "
        f"episodes/s from the store; {plain:,.0f} pictures/s by a bare tf.data loop "
        f"({100 * store / plain:.0f} %)"
    )


def memory_of_drawing(folder: str, files: int, rounds: int, batches: int) -> str:
    before = peak()
    stream = drawn(listed(folder))
    for _ in range(rounds * batches):
        next(stream)
    return f"{peak() - before:,} MB above importing TensorFlow: drawing from the files"


def memory_of_reading(folder: str, files: int, rounds: int, batches: int) -> str:
    before, start = peak(), time.perf_counter()
    pixels, _ = read_all(PictureFiles(listed(folder), FORM))
    seconds = time.perf_counter() - start
    return (
        f"{peak() - before:,} MB above importing TensorFlow: reading all into memory, "
        f"{pixels.nbytes / 1e6:,.0f} MB of pixels, {files / seconds:,.0f} pictures/s"
    )


def peak() -> int:
    """The most memory that this process had so far, in MB."""
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024 // 10**6
    raise OSError("/proc/self/status has no line VmHWM.")


if __name__ == "__main__":
    app.run(main)
