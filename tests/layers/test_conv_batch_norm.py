"""The fused convolution and normalisation beside the two layers in turn, in float64."""

from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.layers import BatchNorm, ConvBatchNorm, adaptable, check_exact
from tfmeta.layers.patches import patches

# The inputs' shape, the kernel's size, the strides and the padding.
CASES = {
    "pooled": ((3, 7, 6, 1), 3, 1, "same"),
    "strided": ((3, 8, 8, 1), 3, 2, "same"),
    "strided, odd": ((2, 9, 5, 3), 3, 2, "same"),
    "oblong": ((2, 11, 8, 2), (2, 3), (3, 1), "same"),
    "valid": ((2, 9, 7, 2), (3, 2), (3, 2), "valid"),
    "one pixel": ((2, 5, 6, 3), 1, 1, "same"),
    "stride beyond the kernel": ((2, 8, 7, 2), 1, 3, "valid"),
}


@pytest.fixture(autouse=True)
def _float64() -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_dtype_policy(before)


class _InTurn(keras.layers.Layer):
    """The two layers one after the other."""

    def __init__(self, conv, norm):
        super().__init__()
        self.conv, self.norm = conv, norm

    def build(self, input_shape):
        self.conv.build(input_shape)
        self.norm.build(self.conv.compute_output_shape(input_shape))

    def call(self, inputs, training=False):
        return self.norm(self.conv(inputs), training=training)


def _layers(shape, size, strides, padding, make=(ConvBatchNorm, _InTurn), **norm):
    """A layer of each kind, with the same drawn weights and empty averages."""
    made = []
    for kind in make:
        conv = keras.layers.Conv2D(
            4, size, strides=strides, padding=padding, use_bias=False
        )
        made.append(kind(conv, BatchNorm(**norm)))
        made[-1].build(shape)
        draws = np.random.default_rng(1)
        for variable in made[-1].trainable_variables:
            variable.assign(draws.normal(size=variable.shape))
    return made


def _inputs(shape: tuple[int, ...]) -> tf.Tensor:
    return tf.constant(np.random.default_rng(2).normal(0.5, 1.0, shape))


def _close(ours, expected, tolerance: float) -> None:
    scale = max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(ours, expected, rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize("case", CASES)
def test_patches_are_what_the_convolution_sees(case: str) -> None:
    """Position for position, from a padded copy."""
    shape, size, strides, padding = CASES[case]
    (rows, columns), (down, right) = (
        (n, n) if isinstance(n, int) else n for n in (size, strides)
    )
    x = _inputs(shape).numpy()
    found, (high, wide) = patches(
        tf.constant(x), (rows, columns), (down, right), padding
    )
    if padding == "same":
        assert (high, wide) == (-(-shape[1] // down), -(-shape[2] // right))
        lack = (down * (high - 1) + rows - shape[1], right * (wide - 1) + columns)
        lack = max(lack[0], 0), max(lack[1] - shape[2], 0)
        sides = [(n // 2, n - n // 2) for n in lack]
        x = np.pad(x, [(0, 0), *sides, (0, 0)])
    expected = [
        x[n, down * i : down * i + rows, right * j : right * j + columns].ravel()
        for n in range(shape[0])
        for i in range(high)
        for j in range(wide)
    ]
    np.testing.assert_array_equal(found, np.transpose(expected))


@pytest.mark.parametrize("options", [{}, {"scale": False}, {"center": False}], ids=str)
@pytest.mark.parametrize("case", CASES)
def test_values_and_moving_statistics(case: str, options: dict) -> None:
    fused, in_turn = _layers(*CASES[case], **options)
    x = _inputs(CASES[case][0])
    for training in (False, True, True, False):
        _close(fused(x, training=training), in_turn(x, training=training), 2e-14)
        for ours, expected in zip(
            fused.norm.non_trainable_variables,
            in_turn.norm.non_trainable_variables,
            strict=True,
        ):
            _close(ours.numpy(), expected.numpy(), 4e-16)
        x = 2 * x - 0.3


def _derivatives(layer, x: tf.Tensor, *, training: bool) -> list[tf.Tensor]:
    """Three derivatives in directions, by all weights and the inputs.

    Where `training` is False, the averages are those of one pass before.
    """
    draws = np.random.default_rng(3)
    points = [tf.convert_to_tensor(v.value) for v in layer.trainable_variables] + [x]
    moves = [[tf.constant(draws.normal(size=p.shape)) for p in points] for _ in "ab"]
    empty = [tf.zeros_like(v.value) for v in layer.non_trainable_variables]

    def value() -> tf.Tensor:
        *weights, inputs = points
        y, after = layer.stateless_call(weights, empty, inputs, training=True)
        if not training:
            y, _ = layer.stateless_call(weights, after, inputs**2, training=False)
        return tf.reduce_sum(tf.sin(y) * y)

    def along(inner, move):
        with tf.GradientTape() as tape:
            tape.watch(points)
            result = inner()
        grads = tape.gradient(result, points)
        found.append(grads)
        pairs = zip(grads, move, strict=True)
        return tf.add_n([tf.reduce_sum(g * m) for g, m in pairs])

    found: list = []
    along(lambda: along(lambda: along(value, moves[0]), moves[1]), moves[0])
    return [g for grads in found for g in grads]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("case", CASES)
def test_derivatives_to_third_order(case: str, training: bool) -> None:
    fused, in_turn = _layers(*CASES[case])
    x = _inputs(CASES[case][0])
    pairs = zip(
        tf.function(_derivatives)(fused, x, training=training),
        tf.function(_derivatives)(in_turn, x, training=training),
        strict=True,
    )
    for place, (ours, expected) in enumerate(pairs):
        _close(ours, expected, 2e-14 * 10 ** (place // 4))


def test_a_convolution_by_hand() -> None:
    """The kernel (1, -1) on rows 0 1 3: differences 1 and 2, mean 1.5, variance 1/4."""
    conv = keras.layers.Conv2D(1, (1, 2), use_bias=False)
    layer = ConvBatchNorm(conv, BatchNorm(epsilon=0.75, momentum=0.5))
    x = tf.constant([0.0, 1.0, 3.0], shape=(1, 1, 3, 1))
    layer.build(x.shape)
    conv.kernel.assign([[[[-1.0]], [[1.0]]]])
    layer.norm.gamma.assign([2.0])
    layer.norm.beta.assign([10.0])
    assert layer(x, training=True)[0, 0, :, 0].numpy().tolist() == [9.0, 11.0]
    assert layer.norm.moving_mean.numpy() == 0.75
    assert layer.norm.moving_variance.numpy() == 0.125


def _matrix_products(layer, shape) -> int:
    spec = tf.TensorSpec((None, *shape[1:]), "float64")
    graph = tf.function(lambda x: layer(x, training=True)).get_concrete_function(spec)
    return [op.type for op in graph.graph.get_operations()].count("MatMul")


def test_few_channels_are_computed_as_one() -> None:
    for case in CASES.values():
        (layer,) = _layers(*case, make=[ConvBatchNorm])
        assert _matrix_products(layer, case[0]) > 0


@pytest.mark.parametrize(
    ("conv", "norm", "channels"),
    [
        ({}, {}, 4),
        ({"use_bias": True}, {}, 1),
        ({"activation": "tanh"}, {}, 1),
        ({"activity_regularizer": "l2"}, {}, 1),
        ({"groups": 2}, {}, 2),
        ({"dilation_rate": 2}, {}, 1),
        ({}, {"axis": 1}, 1),
    ],
)
def test_all_else_runs_through_the_two_layers(conv, norm, channels: int) -> None:
    conv = keras.layers.Conv2D(4, 3, **{"use_bias": False, **conv})
    layer = ConvBatchNorm(conv, BatchNorm(**norm))
    shape = (2, 7, 7, channels)
    layer.build(shape)
    assert _matrix_products(layer, shape) == 0
    x = _inputs(shape)
    expected = BatchNorm(**norm)(layer.conv(x), training=True)
    np.testing.assert_array_equal(layer(x, training=True), expected)


def test_unknown_sizes_run_through_the_two_layers() -> None:
    inputs = keras.Input((None, None, 1), dtype="float64")
    (layer,) = _layers((None, None, None, 1), 3, 1, "same", make=[ConvBatchNorm])
    net = keras.Model(inputs, layer(inputs))
    (fused,) = _layers((2, 5, 7, 1), 3, 1, "same", make=[ConvBatchNorm])
    x = _inputs((2, 5, 7, 1))
    _close(net(x, training=True), fused(x, training=True), 2e-14)


@pytest.mark.parametrize("frozen", ["norm", "both"])
def test_frozen_uses_its_averages(frozen: str) -> None:
    fused, _ = _layers(*CASES["pooled"])
    x = _inputs(CASES["pooled"][0])
    fused(x, training=True)
    (fused if frozen == "both" else fused.norm).trainable = False
    assert len(fused.trainable_variables) == (0 if frozen == "both" else 1)
    np.testing.assert_array_equal(fused(3 * x, training=True), fused(3 * x))


def test_constant_images_are_no_division_by_zero() -> None:
    fused, in_turn = _layers((2, 6, 6, 1), 3, 1, "valid")
    x = tf.fill((2, 6, 6, 1), tf.constant(1e4, tf.float64))
    assert np.isfinite(fused(x, training=True)).all()
    assert (fused.norm.moving_variance.numpy() >= 0).all()


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_keeps_statistics_in_float32(dtype: str) -> None:
    x = tf.cast(_inputs((4, 9, 9, 1)), tf.float32)
    outputs = {}
    for policy in (dtype, "float32"):
        conv = keras.layers.Conv2D(4, 3, use_bias=False, dtype=policy)
        layer = ConvBatchNorm(conv, BatchNorm(dtype=policy), dtype=policy)
        layer.build(x.shape)
        draws = np.random.default_rng(1)
        conv.kernel.assign(draws.normal(size=conv.kernel.shape))
        outputs[policy] = layer(x, training=True)
        assert layer.norm.moving_variance.dtype == "float32"
    assert outputs[dtype].dtype == keras.DTypePolicy(dtype).compute_dtype
    half = tf.cast(outputs[dtype], tf.float32)
    atol = 0.01 if dtype == "mixed_float16" else 0.08
    np.testing.assert_allclose(half, outputs["float32"], atol=atol)


def test_half_precision_keeps_gradients_that_nearly_cancel() -> None:
    # A gradient that all outputs share moves no kernel: only what is left may count.
    draws = np.random.default_rng(4)
    x = draws.integers(0, 2, (8, 12, 12, 1)).astype("float64")
    dy = 1 + 0.3 * draws.normal(size=(8, 12, 12, 4))
    found = {}
    for policy in ("mixed_bfloat16", "float64"):
        conv = keras.layers.Conv2D(4, 3, use_bias=False, padding="same", dtype=policy)
        layer = ConvBatchNorm(conv, BatchNorm(dtype=policy), dtype=policy)
        layer.build(x.shape)
        conv.kernel.assign(np.random.default_rng(1).normal(size=conv.kernel.shape))
        with tf.GradientTape() as tape:
            y = tf.cast(layer(x, training=True), tf.float64)
            loss = tf.reduce_sum(y * dy)
        wanted = [conv.kernel.value, layer.norm.gamma.value]
        found[policy] = [tf.cast(g, tf.float64) for g in tape.gradient(loss, wanted)]
    for half, exact in zip(*found.values(), strict=True):
        largest = np.abs(exact).max()
        np.testing.assert_allclose(half, exact, rtol=0, atol=0.03 * largest)


def test_config_weights_and_copies(tmp_path) -> None:
    conv = keras.layers.Conv2D(4, 3, strides=2, use_bias=False, name="conv")
    layer = ConvBatchNorm(conv, BatchNorm(momentum=0.5, name="norm"), name="pair")
    net = keras.Sequential([keras.Input((7, 7, 2)), layer])
    x = _inputs((3, 7, 7, 2))
    net(x, training=True)
    net.save(tmp_path / "net.keras")
    loaded = keras.saving.load_model(tmp_path / "net.keras")
    again = loaded.layers[0]
    assert type(again) is ConvBatchNorm and again.norm.momentum == 0.5
    for copy in (loaded, adaptable(net)):
        np.testing.assert_array_equal(copy(x), net(x))
    check_exact(net)
    assert [v.name for v in net.weights] == [
        *("kernel", "gamma", "beta", "moving_mean", "moving_variance", "weight")
    ]


def test_other_layers_are_refused() -> None:
    words = "takes a keras.layers.Conv2D and a .*BatchNorm. Received: Dense and"
    with pytest.raises(ValueError, match=words):
        ConvBatchNorm(keras.layers.Dense(3), BatchNorm())
    with pytest.raises(ValueError, match="Received: Conv2D and BatchNormalization"):
        ConvBatchNorm(keras.layers.Conv2D(3, 3), keras.layers.BatchNormalization())
