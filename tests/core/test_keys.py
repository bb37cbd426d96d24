"""Random keys: what they depend on, and that none is met twice."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import tensorflow as tf

from tfmeta.core import keys


def test_the_hash_is_the_same_in_every_process() -> None:
    # Golden: int.from_bytes(blake2b(b"episodes/0", digest_size=8).digest(), "little",
    # signed=True), computed by Python's hashlib alone.
    code = (
        "import hashlib; print(int.from_bytes(hashlib.blake2b(b'episodes/0', "
        "digest_size=8).digest(), 'little', signed=True))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert keys.stable_hash("episodes/0") == int(done.stdout)


def test_a_key_is_the_hash_of_purpose_and_seed_and_the_number() -> None:
    one = keys.key(5, "dropout", 2**40)
    assert one.numpy().tolist() == [keys.stable_hash("dropout/5"), 2**40]
    many = keys.key(5, "dropout", tf.constant([2**40, 1], tf.int64))
    np.testing.assert_array_equal(many[0], one)
    assert many.shape == (2, 2)


def test_neighbours_share_nothing() -> None:
    """Seed 1's number i is not seed 0's number i + 1, in any purpose."""
    drawn = {
        tuple(keys.key(seed, purpose, number).numpy().tolist())
        for seed in range(5)
        for purpose in ("task", "episodes/train", "augment/support")
        for number in range(50)
    }
    assert len(drawn) == 5 * 3 * 50
    folded = {
        int(keys.fold(tf.constant(seed, tf.int64), purpose, number))
        for seed in range(5)
        for purpose in ("layer", "inner step")
        for number in range(20)
    }
    assert len(folded) == 5 * 2 * 20
    integers = {keys.integer(s, p, n) for s in range(9) for p in "ab" for n in range(9)}
    assert len(integers) == 9 * 2 * 9
    assert all(0 <= n < 2**31 - 1 for n in integers)


def test_a_fold_is_a_function_of_its_arguments() -> None:
    seed = tf.constant(7, tf.int64)
    graph = tf.function(lambda s, n: keys.fold(s, "layer", n), autograph=False)
    compiled = tf.function(graph, jit_compile=True)
    expected = int(keys.fold(seed, "layer", 3))
    assert int(graph(seed, tf.constant(3))) == expected
    assert int(compiled(seed, tf.constant(3))) == expected
    assert keys.fold(None, "layer", 3) is None
