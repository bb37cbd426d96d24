"""A request takes memory in proportion to itself and to its answer."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

from tfmeta import export, learners
from tfmeta.nets import mlp

STATUS = pathlib.Path("/proc/self/status")
EXAMPLES, QUERIES, WAY = 1500, 100, 1500
# A tiny request, then one of 12 kB whose answer is 0.6 MB. The peak of resident memory
# is that of this process alone, which `ru_maxrss` is not.
_ASK = f"""
import sys
import numpy as np, tensorflow as tf

def peak():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

model = tf.saved_model.load(sys.argv[1])
ask = model.signatures["serving_default"]

def answer(labels, queries):
    draws = np.random.default_rng(0)
    x = lambda n: tf.constant(draws.random((n, 2)), tf.float32)
    y = tf.constant(labels, tf.int32)
    said = ask(support_x=x(len(labels)), support_y=y, query_x=x(queries))
    return said["probabilities"].numpy()

answer([0, 1], 1)
idle = peak()
each = np.arange({EXAMPLES}) % {WAY}
one = np.where(np.arange({EXAMPLES}), 0, {WAY - 1})
for labels in (each, one):
    found = answer(labels, {QUERIES})
    assert found.shape == ({QUERIES}, {WAY}), found.shape
    assert np.allclose(found.sum(-1), 1, atol=1e-4)
print((peak() - idle) / 1024)
"""


def embedding():
    return mlp(units=(8,), input_shape=(2,))


# One operation and one arena at a time: else the peak depends on which operations
# happen to run together, and on which thread asked for the memory.
_ALONE = {"TF_NUM_INTEROP_THREADS": "1", "MALLOC_ARENA_MAX": "1"}

# A learner, and the megabytes that it may take. In a step of MAML the logits of the
# support set alone have 1,500 x 1,500 numbers, which are 9 MB.
LEARNERS = {
    "nearest_neighbour": (learners.NearestNeighbour, 20),
    "matching_net": (lambda: learners.MatchingNet(embedding()), 20),
    "protonet": (lambda: learners.ProtoNet(embedding()), 20),
    "maml": (lambda: learners.MAML(embedding(), inner_steps=2), 40),
}


@pytest.mark.skipif(not STATUS.exists(), reason="needs Linux' record of memory")
@pytest.mark.parametrize("name", LEARNERS)
def test_many_labels_take_little(name, tmp_path):
    make, most = LEARNERS[name]
    shape = (2,) if name == "nearest_neighbour" else None
    folder = export.save(make(), tmp_path, example_shape=shape)
    done = subprocess.run(
        [sys.executable, "-c", _ASK, str(folder)],
        env={**os.environ, **_ALONE, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < most
