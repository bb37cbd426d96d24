"""An audit of operations: the check must say of each what central differences say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from tfmeta.layers import inexact_parts

MAPS, ROWS = (6, 6, 3), (6,)
POINTS = np.array([[0.3, 1.2], [2.1, 3.3]])


@pytest.fixture(autouse=True)
def _float64() -> Iterator[None]:
    before = keras.config.dtype_policy(), keras.config.floatx()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    keras.utils.set_random_seed(5)
    yield
    keras.config.set_dtype_policy(before[0])
    keras.config.set_floatx(before[1])


def _resized(interpolation: str, **options: Any) -> Callable:
    def resize(x):
        x = ops.cast(x, "float32")
        return ops.image.resize(x, (9, 7), interpolation=interpolation, **options)

    return resize


def _kernel(x):
    return ops.reshape(x[:1, :3, :3, :1], (3, 3, 1, 1))


def _attended(x):
    x = ops.reshape(x, (-1, 6, 6, 3))
    return ops.dot_product_attention(x, x, x)


def _symmetric(x):
    square = ops.matmul(x, ops.transpose(x)) + 3.0 * ops.eye(5)
    return ops.expand_dims(square, 0)


def _raw(function: Callable) -> Callable:
    """A function of TensorFlow as a layer."""
    return lambda x: layers.Lambda(lambda t: function(tf.cast(t, tf.float32)))(x)


RIGHT: dict[str, tuple[Callable, tuple[int, ...]]] = {
    **{
        name: (getattr(ops, name), ROWS)
        for name in (
            "relu relu6 sigmoid softplus silu squareplus log_sigmoid leaky_relu "
            "hard_sigmoid hard_silu elu selu gelu celu glu tanh tanh_shrink "
            "soft_shrink sparse_plus softmax log_softmax sparsemax exp expm1 sin "
            "arctan arcsinh erf square std var mean logsumexp prod norm cumsum sort"
        ).split()
    },
    "mish": (lambda x: layers.Activation("mish")(x), ROWS),
    "gelu_exact": (lambda x: ops.gelu(x, approximate=False), ROWS),
    "var_axis": (lambda x: ops.var(x, axis=0), ROWS),
    "norm_axis": (lambda x: ops.norm(x, axis=-1, keepdims=True), ROWS),
    "normalize": (lambda x: ops.normalize(x, axis=-1), ROWS),
    "normalize_3": (lambda x: ops.normalize(x, axis=-1, order=3), ROWS),
    "rms_normalization": (lambda x: ops.rms_normalization(x, axis=-1), ROWS),
    "batch_normalization": (
        lambda x: ops.batch_normalization(
            x, ops.mean(x, axis=0), ops.var(x, axis=0), axis=-1
        ),
        ROWS,
    ),
    "einsum": (lambda x: ops.einsum("ij,kj->ik", x, x), ROWS),
    "top_k": (lambda x: ops.top_k(x, 3)[0], ROWS),
    "max": (lambda x: ops.max(x, axis=0), ROWS),
    "quantile": (lambda x: ops.quantile(x, 0.3, axis=-1), ROWS),
    "take": (lambda x: ops.take(x, [0, 2, 2], axis=1), ROWS),
    "svd": (lambda x: ops.svd(x, full_matrices=False)[1], ROWS),
    "qr": (lambda x: ops.qr(_symmetric(x))[1], ROWS),
    "cholesky": (lambda x: ops.cholesky(_symmetric(x)), ROWS),
    "inv": (lambda x: ops.inv(_symmetric(x)), ROWS),
    "attention": (_attended, MAPS),
    "max_pool": (lambda x: ops.max_pool(x, 2), MAPS),
    "average_pool": (lambda x: ops.average_pool(x, 3, 1, "same"), MAPS),
    "conv": (lambda x: ops.conv(x[..., :1], _kernel(x)), MAPS),
    "depthwise_conv": (lambda x: ops.depthwise_conv(x[..., :1], _kernel(x)), MAPS),
    "conv_transpose": (lambda x: layers.Conv2DTranspose(2, 3, strides=2)(x), MAPS),
    "map_coordinates": (
        lambda x: ops.image.map_coordinates(x[0, :, :, 0], POINTS, order=1),
        MAPS,
    ),
    "up_sampling": (lambda x: layers.UpSampling2D(2)(x), MAPS),
    "lstm": (lambda x: layers.LSTM(4)(x[:, 0]), MAPS),
    "gru": (lambda x: layers.GRU(4)(x[:, 0]), MAPS),
    "multi_head": (lambda x: layers.MultiHeadAttention(2, 3)(x[:, 0], x[:, 0]), MAPS),
}

WRONG: dict[str, tuple[Callable, tuple[int, ...], str]] = {
    "moments": (lambda x: ops.moments(x, axes=[0])[1], ROWS, "moments"),
    "layer_normalization": (ops.layer_normalization, ROWS, "moments"),
    "group": (lambda x: layers.GroupNormalization(1)(x), MAPS, "stock normalisation"),
    "softsign": (ops.softsign, ROWS, "softsign"),
    "nearest": (_resized("nearest"), MAPS, "nearest resizing"),
    "bilinear": (_resized("bilinear"), MAPS, "bilinear resizing"),
    "cropped": (
        _resized("bilinear", crop_to_aspect_ratio=True),
        MAPS,
        "bilinear resizing",
    ),
    "bicubic": (_resized("bicubic"), MAPS, "bicubic resizing"),
    "antialiased": (
        _resized("bilinear", antialias=True),
        MAPS,
        "antialiased or Lanczos resizing",
    ),
    "lanczos3": (_resized("lanczos3"), MAPS, "antialiased or Lanczos resizing"),
    "lanczos5": (_resized("lanczos5"), MAPS, "antialiased or Lanczos resizing"),
    "lrn": (
        _raw(tf.nn.local_response_normalization),
        MAPS,
        "local response normalisation",
    ),
    "crop_and_resize": (
        _raw(
            lambda x: tf.image.crop_and_resize(x, [[0.1, 0.1, 0.8, 0.9]], [0], (4, 4))
        ),
        MAPS,
        "crop_and_resize",
    ),
    "argmax": (
        _raw(lambda x: tf.nn.max_pool_with_argmax(x, 2, 2, "SAME")[0]),
        MAPS,
        "max-pooling with argmax",
    ),
    "fractional": (
        _raw(lambda x: tf.nn.fractional_max_pool(x, 1.5, seed=1)[0]),
        MAPS,
        "fractional pooling",
    ),
    "dilation": (
        _raw(
            lambda x: tf.nn.dilation2d(
                x, tf.zeros((2, 2, 3)), [1] * 4, "SAME", "NHWC", [1] * 4
            )
        ),
        MAPS,
        "morphological dilation",
    ),
    "labels": (
        lambda x: ops.categorical_crossentropy(x, x * x, from_logits=True),
        ROWS,
        "cross-entropy whose labels are computed by the net",
    ),
}


def _net(operation: Callable, shape: tuple[int, ...]) -> keras.Model:
    inputs = keras.Input(batch_shape=(5, *shape))
    x = layers.Dense(shape[-1], use_bias=False, name="first")(inputs)
    return keras.Model(inputs, operation(x))


def _error(net: keras.Model) -> float:
    """Relative error of the first kernel's second derivative in one direction."""
    draws = np.random.default_rng(0)
    x, kernel = draws.normal(size=net.input_shape), net.trainable_variables[0]
    others = [tf.convert_to_tensor(v) for v in net.trainable_variables[1:]]
    state = [tf.convert_to_tensor(v) for v in net.non_trainable_variables]
    start, move = (tf.constant(draws.normal(size=kernel.shape)) for _ in range(2))
    weights = [None]

    def gradient(value: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(value)
            z, _ = net.stateless_call([value, *others], state, x, training=True)
            z = tf.cast(z, tf.float64)
            if weights[0] is None:
                weights[0] = draws.normal(size=z.shape)
            loss = tf.reduce_sum(weights[0] * tf.sin(1.3 * z))
        return tape.gradient(loss, value)

    @tf.function(autograph=False)
    def along(value: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(value)
            first = gradient(value)
            moved = tf.reduce_sum(first * move)
        second = tape.gradient(moved, value, unconnected_gradients="zero")
        return first, second

    step = 1e-6 if net(x).dtype == tf.float64 else 1e-2
    ahead, behind = (along(start + h * move)[0] for h in (step, -step))
    measured = (ahead - behind) / (2 * step)
    return float(tf.norm(along(start)[1] - measured) / tf.norm(measured))


@pytest.mark.parametrize("name", RIGHT)
def test_right_operations_are_let_pass(name: str) -> None:
    net = _net(*RIGHT[name])
    assert inexact_parts(net) == []
    assert _error(net) < 1e-6


@pytest.mark.parametrize("name", WRONG)
def test_wrong_operations_are_found(name: str) -> None:
    # Where this fails, TensorFlow has mended the operation and the check can go.
    operation, shape, kind = WRONG[name]
    net = _net(operation, shape)
    assert {part.operation for part in inexact_parts(net)} == {kind}
    try:
        assert _error(net) > 1e-3
    except (LookupError, tf.errors.OpError, ValueError) as error:
        assert "No gradient defined" in str(error) or "no entry" in str(error)
