"""Transpositions of pictures in ONNX graphs: few are left, and answers stay."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tfmeta.export import formats
from tfmeta.export.formats.onnx import converted
from tfmeta.export.portable import FOR_ONNX, rewritten

onnx = pytest.importorskip("onnx", reason="needs the extra 'device'")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra 'device'")
DRAWS = np.random.default_rng(0)
FIRST, SECOND = (DRAWS.normal(size=(3, 3, n, 4)).astype("float32") for n in (1, 4))
MATRIX = DRAWS.normal(size=(4, 4)).astype("float32")
ROW = DRAWS.normal(size=4).astype("float32")


def normed(y: Any) -> Any:
    centred = y - tf.reduce_mean(y, (0, 1, 2))
    variance = tf.reduce_mean(tf.square(centred), (0, 1, 2))
    return centred * tf.math.rsqrt(variance + 0.001)


# What lies between two convolutions.
BETWEEN: dict[str, Callable[[Any], Any]] = {
    "a square": tf.square,
    "a normalisation": normed,
    "a quotient": lambda y: y / (1 + y * tf.reduce_mean(y, (0, 1, 2))),
    "a gradient": lambda y: normed(y) * tf.cast(y > 0, y.dtype),
    "a choice": lambda y: tf.where(tf.less(y, ROW), y, y * ROW),
    "a square and a product of matrices": lambda y: tf.square(y) @ MATRIX,
    "a sign": lambda y: tf.sign(y) + tf.cast(tf.logical_not(y >= 0), y.dtype),
}


def between(how: str, size: int) -> Any:
    """A graph of two convolutions with something between them."""

    def function(*, x):
        y = BETWEEN[how](tf.nn.conv2d(x, FIRST, 1, "SAME"))
        return {"out": tf.nn.conv2d(y, SECOND, 1, "SAME")}

    spec = tf.TensorSpec([None, size, size, 1], tf.float32, "x")
    return tf.function(function).get_concrete_function(x=spec)


def moves_of(file: bytes) -> int:
    nodes = onnx.load_from_string(file).graph.node
    return sum(node.op_type == "Transpose" for node in nodes)


@pytest.mark.parametrize("size", [1, 2, 5])
@pytest.mark.parametrize("how", BETWEEN)
def test_they_pass_between_convolutions(how, size) -> None:
    function = between(how, size)
    file = converted(rewritten(function, FOR_ONNX))
    x = DRAWS.normal(size=(3, size, size, 1)).astype("float32")
    (found,) = onnxruntime.InferenceSession(file).run(None, {"x": x})
    wanted = function(x=tf.constant(x))["out"].numpy()
    np.testing.assert_allclose(
        found, wanted, rtol=1e-3, atol=1e-4 * np.abs(wanted).max()
    )


@pytest.mark.parametrize("how", [how for how in BETWEEN if "square" not in how])
def test_fewer_are_left_than_by_the_converter(how, monkeypatch) -> None:
    graph = rewritten(between(how, 5), FOR_ONNX)
    mine = moves_of(converted(graph))
    assert mine == 1  # That of the output.
    monkeypatch.setattr(formats.onnx, "moved_further", contextlib.nullcontext)
    assert mine < moves_of(converted(graph))
