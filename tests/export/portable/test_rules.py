"""Each rule against the kernel of TensorFlow whose place it takes, in float64.

TensorFlow's kernels are the reference: they were compared with central differences and
NumPy where the layers that use them are tested.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import (
    convert_variables_to_constants_v2,
)

from tfmeta.export.portable import FOR_LITERT, FOR_ONNX, Unportable, rewritten

RULES = {"litert": FOR_LITERT, "onnx": FOR_ONNX}
raw = tf.raw_ops


def concrete(function: Callable[..., Any], specs: list[tf.TensorSpec]) -> Any:
    """A concrete function of inputs a, b, ... and of outputs by number."""
    names = "abcdef"[: len(specs)]

    def named(**sent: Any) -> dict[str, Any]:
        made = function(*(sent[name] for name in names))
        made = made if isinstance(made, list | tuple) else [made]
        return {f"out{i}": t for i, t in enumerate(made)}

    specs = [
        tf.TensorSpec(s.shape, s.dtype, n) for s, n in zip(specs, names, strict=True)
    ]
    inputs = {spec.name: spec for spec in specs}
    return tf.function(named, autograph=False).get_concrete_function(**inputs)


def random(seed: int, *shape: int, whole: bool = False, scale: float = 1.0) -> Any:
    draws = np.random.default_rng(seed)
    values = draws.normal(size=shape) * scale
    # Whole numbers, so that windows have several largest entries.
    return np.round(values) if whole else values


def free(*arrays: np.ndarray) -> list[tf.TensorSpec]:
    """Specs whose first axis is free."""
    return [tf.TensorSpec([None, *a.shape[1:]], a.dtype) for a in arrays]


SEEN: set[str] = set()  # The types of operations that some test has had replaced.


RAN: list[str] = []  # The tests of this file that this process has run.


@pytest.fixture(autouse=True)
def noted(request) -> None:
    RAN.append(request.node.name)


def frozen(function: Any) -> Any:
    """What rules are applied to."""
    return convert_variables_to_constants_v2(function, lower_control_flow=False)


def types_of(function: Any) -> set[str]:
    """The types of operations of a graph, those of its loops and branches included."""
    graph = function.graph.as_graph_def()
    nodes = (graph.node, *(f.node_def for f in graph.library.function))
    return {node.op for each in nodes for node in each}


def check(
    rules, function, arrays, *, gone=(), tolerance=1e-12, reference=None, absent=False
) -> None:
    """Compares a function, rewritten, with itself or with a reference."""
    old = concrete(function, free(*arrays))
    new = rewritten(old, rules)
    before, left = types_of(frozen(old)), types_of(new)
    assert not left & set(gone), left
    assert before & set(gone) or not gone or absent, before
    SEEN.update(before & set(gone))
    sent = {n: tf.constant(a) for n, a in zip("abcdef", arrays, strict=False)}
    by = old if reference is None else concrete(reference, free(*arrays))
    wanted, found = by(**sent), new(**sent)
    assert wanted.keys() == found.keys()
    for name, value in wanted.items():
        assert value.dtype == found[name].dtype
        np.testing.assert_allclose(
            found[name], value, rtol=tolerance, atol=tolerance, err_msg=name
        )


X, DY = random(0, 4, 3, whole=False), random(1, 4, 3)
OF_ONE = {
    "ReluGrad": lambda dy, x: raw.ReluGrad(gradients=dy, features=x),
    "Relu6Grad": lambda dy, x: raw.Relu6Grad(gradients=dy, features=9 * x),
    "LeakyReluGrad": lambda dy, x: raw.LeakyReluGrad(
        gradients=dy, features=x, alpha=0.3
    ),
    "EluGrad": lambda dy, x: raw.EluGrad(gradients=dy, outputs=tf.nn.elu(x)),
    "SeluGrad": lambda dy, x: raw.SeluGrad(gradients=dy, outputs=tf.nn.selu(x)),
    "SoftplusGrad": lambda dy, x: raw.SoftplusGrad(gradients=dy, features=x),
    "SoftsignGrad": lambda dy, x: raw.SoftsignGrad(gradients=dy, features=x),
    "TanhGrad": lambda dy, x: raw.TanhGrad(y=tf.tanh(x), dy=dy),
    "SigmoidGrad": lambda dy, x: raw.SigmoidGrad(y=tf.sigmoid(x), dy=dy),
    "RsqrtGrad": lambda dy, x: raw.RsqrtGrad(y=tf.math.rsqrt(x * x + 1), dy=dy),
    "SqrtGrad": lambda dy, x: raw.SqrtGrad(y=tf.sqrt(x * x + 1), dy=dy),
    "ReciprocalGrad": lambda dy, x: raw.ReciprocalGrad(y=1 / x, dy=dy),
    "InvGrad": lambda dy, x: raw.InvGrad(y=1 / x, dy=dy),
}


@pytest.mark.parametrize("form", RULES)
@pytest.mark.parametrize("kernel", OF_ONE)
def test_activations(kernel, form) -> None:
    check(RULES[form], OF_ONE[kernel], [DY, X], gone=[kernel])


@pytest.mark.parametrize("form", RULES)
def test_a_relu_has_no_gradient_at_zero(form) -> None:
    zeros = np.zeros((2, 2))
    for kernel in ("ReluGrad", "Relu6Grad", "LeakyReluGrad", "EluGrad"):
        check(RULES[form], OF_ONE[kernel], [np.ones((2, 2)), zeros], gone=[kernel])


@pytest.mark.parametrize("logits", [X, 1000 * X])
def test_losses(logits) -> None:
    labels = np.int32([0, 2, 1, 1])
    truth = np.abs(random(2, 4, 3))

    def sparse(x, y):
        made = raw.SparseSoftmaxCrossEntropyWithLogits(features=x, labels=y)
        return made.loss, made.backprop

    def dense(x, y):
        made = raw.SoftmaxCrossEntropyWithLogits(features=x, labels=y)
        return made.loss, made.backprop

    gone = ["SparseSoftmaxCrossEntropyWithLogits", "SoftmaxCrossEntropyWithLogits"]
    check(FOR_ONNX, sparse, [logits, labels], gone=gone)
    truth /= truth.sum(1, keepdims=True)
    check(FOR_ONNX, dense, [logits, truth], gone=gone)


@pytest.mark.parametrize("form", RULES)
@pytest.mark.parametrize("training", [True, False])
def test_fused_batch_norm_and_its_gradient(training, form) -> None:
    x, dy = (random(s, 3, 4, 5, 2).astype("float32") for s in (3, 4))
    scale, offset = np.float32([1.5, 0.5]), np.float32([0.1, -0.2])
    mean, variance = np.float32([0.3, -0.1]), np.float32([1.2, 0.8])

    def both(x, dy):
        made = raw.FusedBatchNormV3(
            x=x,
            scale=scale,
            offset=offset,
            mean=[] if training else mean,
            variance=[] if training else variance,
            is_training=training,
        )
        back = raw.FusedBatchNormGradV3(
            y_backprop=dy,
            x=x,
            scale=scale,
            reserve_space_1=made.reserve_space_1 if training else mean,
            reserve_space_2=made.reserve_space_2 if training else variance,
            reserve_space_3=made.reserve_space_3,
            is_training=training,
        )
        of_batch = made.batch_mean, made.batch_variance
        return made.y, *of_batch, *back[:3]

    # ONNX normalises by a mean and a variance that it is given.
    gone = ["FusedBatchNormV3", "FusedBatchNormGradV3"][form == "onnx" :]
    check(RULES[form], both, [x, dy], gone=gone, tolerance=1e-5)
    graph = rewritten(concrete(both, free(x, dy)), RULES[form]).graph
    left = [op for op in graph.get_operations() if op.type == "FusedBatchNormV3"]
    assert not any(op.get_attr("is_training") for op in left)


# (height, width), kernel, strides, dilations, padding.
CONVOLUTIONS = [
    ((6, 7), (3, 3), (1, 1), (1, 1), "SAME"),
    ((6, 7), (3, 3), (2, 2), (1, 1), "SAME"),
    ((7, 6), (3, 2), (2, 3), (1, 1), "SAME"),
    ((6, 7), (3, 3), (1, 1), (1, 1), "VALID"),
    ((8, 8), (3, 3), (2, 2), (1, 1), "VALID"),
    ((5, 8), (1, 1), (2, 2), (1, 1), "VALID"),
    ((5, 8), (1, 1), (2, 2), (1, 1), "SAME"),
    ((8, 9), (3, 3), (1, 1), (2, 2), "SAME"),
    ((8, 9), (3, 2), (1, 1), (2, 3), "VALID"),
    ((2, 2), (3, 3), (2, 2), (1, 1), "SAME"),
    ((1, 1), (3, 3), (1, 1), (1, 1), "SAME"),
]


def gradients_of(function: Callable[[Any, Any], Any], kernel: np.ndarray) -> Any:
    """A function of pictures and a seed, to the gradients by both arguments."""

    def gradients(x, seed):
        weights = tf.constant(kernel) * tf.reduce_sum(seed)
        with tf.GradientTape() as tape:
            tape.watch([x, weights])
            y = function(x, weights)
        # A gradient that differs from place to place.
        dy = tf.sin(tf.cast(tf.range(tf.size(y)), y.dtype))
        return tape.gradient(y, [x, weights], tf.reshape(dy, tf.shape(y)))

    return gradients


def spread(w: Any, dilations: tuple[int, int]) -> Any:
    """A filter with zeros between its entries: TensorFlow's CPU kernels for gradients
    know no dilations.
    """
    for axis, step in enumerate(dilations):
        rows = tf.unstack(w, axis=axis)
        zeros = [tf.zeros_like(rows[0])] * (step - 1)
        parts = [rows[0], *(t for row in rows[1:] for t in (*zeros, row))]
        w = tf.stack(parts, axis)
    return w


@pytest.mark.parametrize("form", RULES)
@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_convolutions(form, case) -> None:
    size, kernel, strides, dilations, padding = case
    x, weights = random(5, 3, *size, 2), random(6, *kernel, 2, 4)
    function = gradients_of(
        lambda x, w: tf.nn.conv2d(x, w, strides, padding, dilations=dilations), weights
    )
    reference = gradients_of(
        lambda x, w: tf.nn.conv2d(x, spread(w, dilations), strides, padding), weights
    )
    gone = ["Conv2DBackpropFilter"]
    if max(dilations) > 1:
        gone.append("Conv2DBackpropInput")
    check(RULES[form], function, [x, np.ones(1)], gone=gone, reference=reference)


@pytest.mark.parametrize("form", RULES)
@pytest.mark.parametrize("pads", ["SAME", "VALID", [[0, 0], [1, 2], [0, 1], [0, 0]]])
@pytest.mark.parametrize("strides", [(2, 2), (1, 3), (1, 1)])
def test_strided_convolutions_of_computed_weights(strides, pads, form) -> None:
    x, weights = random(5, 3, 6, 7, 2), random(6, 3, 2, 2, 4)

    def function(x, seed):
        return tf.nn.conv2d(x, weights * tf.reduce_sum(seed), strides, pads)

    gone = ["Conv2D"] if max(strides) > 1 else []
    check(RULES[form], function, [x, np.ones(1)], gone=gone)
    plain = concrete(lambda x: tf.nn.conv2d(x, weights, strides, pads), free(x))
    constant = rewritten(plain, RULES[form])
    assert "Conv2D" in types_of(constant)


@pytest.mark.parametrize("form", RULES)
def test_convolutions_with_their_own_padding(form) -> None:
    x, weights = random(5, 3, 6, 7, 2), random(6, 3, 3, 2, 4)
    pads = [[0, 0], [1, 2], [0, 1], [0, 0]]
    function = gradients_of(lambda x, w: tf.nn.conv2d(x, w, (2, 1), pads), weights)
    gone = ["Conv2DBackpropFilter", "Conv2DBackpropInput"]
    check(RULES[form], function, [x, np.ones(1)], gone=gone)


@pytest.mark.parametrize("each", [1, 2])
@pytest.mark.parametrize("case", [c for c in CONVOLUTIONS if {*c[2], *c[3]} < {1, 2}])
def test_depthwise_convolutions(case, each) -> None:
    """TensorFlow writes dilated ones as other operations."""
    size, kernel, strides, _, padding = case
    x, weights = random(5, 3, *size, 3), random(6, *kernel, 3, each)

    function = gradients_of(
        lambda x, w: tf.nn.depthwise_conv2d(x, w, (1, *strides, 1), padding), weights
    )
    gone = [f"DepthwiseConv2dNativeBackprop{part}" for part in ("Filter", "Input")]
    check(FOR_ONNX, function, [x, np.ones(1)], gone=gone)


# (height, width), window, strides, padding.
POOLS = [
    ((6, 6), (2, 2), (2, 2), "VALID"),
    ((7, 5), (2, 2), (2, 2), "VALID"),
    ((7, 5), (2, 2), (2, 2), "SAME"),
    ((7, 6), (3, 3), (2, 2), "SAME"),
    ((6, 7), (3, 2), (1, 2), "VALID"),
    ((5, 5), (3, 3), (1, 1), "SAME"),
    ((6, 6), (2, 2), (3, 3), "SAME"),
    ((1, 2), (5, 5), (1, 1), "SAME"),
]


@pytest.mark.parametrize("pool", [tf.nn.max_pool2d, tf.nn.avg_pool2d])
@pytest.mark.parametrize("case", POOLS)
def test_pools(case, pool) -> None:
    size, window, strides, padding = case
    x = random(7, 3, *size, 2, whole=True)
    function = gradients_of(
        lambda x, w: pool(x * w, window, strides, padding), np.ones(())
    )
    gone = ["MaxPoolGrad", "AvgPoolGrad"]
    check(FOR_LITERT, function, [x, np.ones(1)], gone=gone)


SLICES = {
    "from the front": lambda x: x[1:3],
    "from the back": lambda x: x[-2:],
    "all": lambda x: x[:],
    "an inner axis": lambda x: x[:, 1:4],
    "steps": lambda x: x[:, 1:5:2],
    "steps to the end": lambda x: x[:, ::3],
    "one": lambda x: x[:, 2],
    "the last": lambda x: x[:, -1],
    "the first row": lambda x: x[0],
    "the last row": lambda x: x[-1],
    "a new axis": lambda x: x[:, tf.newaxis, 2:],
    "the end": lambda x: x[..., 1],
    "all of it": lambda x: x[1:2, ..., tf.newaxis, ::2],
    "none of it": lambda x: x[:, 4:2],
}


@pytest.mark.parametrize("how", SLICES)
def test_slices(how) -> None:
    x = random(8, 4, 6, 3)
    function = gradients_of(lambda x, w: SLICES[how](x) * w, np.ones(()))
    check(FOR_ONNX, function, [x, np.ones(1)], gone=["StridedSliceGrad"])


BROADCASTS = {
    "a bias": lambda x: (x, tf.reduce_sum(x, [0, 1])),
    "a row": lambda x: (x, tf.reduce_sum(x, 0, keepdims=True)),
    "a column": lambda x: (x, tf.reduce_sum(x, 2, keepdims=True)),
    "a number": lambda x: (x, tf.reduce_sum(x)),
    "alike": lambda x: (x, 2 * x),
    "both": lambda x: (
        tf.reduce_sum(x, 1, keepdims=True),
        tf.reduce_sum(x, 2, keepdims=True),
    ),
    "ones": lambda x: (tf.reduce_sum(x, 1, keepdims=True), x[:, :1]),
}


@pytest.mark.parametrize("how", BROADCASTS)
def test_broadcasts(how) -> None:
    def product(x, w):
        left, right = BROADCASTS[how](x)
        return left * right * w

    x = random(9, 4, 6, 3)
    function = gradients_of(product, np.ones(()))
    options = {"gone": ["BroadcastGradientArgs", "DynamicStitch"], "tolerance": 1e-11}
    # TensorFlow folds the bookkeeping of some of these itself.
    check(FOR_LITERT, function, [x, np.ones(1)], absent=True, **options)


def test_means_and_sums_of_several_tensors() -> None:
    def function(x, w):
        means = tf.reduce_mean(x, [0, 2], keepdims=True) * w
        joined = tf.concat([x, 2 * x[:, :2], x * w], 1)
        return tf.reduce_sum(tf.add_n([means + x, x, x * x]), 0) * tf.reduce_mean(
            joined, [0, 1]
        )

    x = random(10, 4, 6, 3)
    gone = ["DynamicStitch", "ConcatOffset", "AddN", "ShapeN"]
    check(
        FOR_LITERT,
        gradients_of(function, np.ones(())),
        [x, np.ones(1)],
        gone=gone,
        tolerance=1e-10,
    )


@pytest.mark.parametrize("form", RULES)
def test_a_shape_with_one_unknown_length_is_constant(form) -> None:
    x = random(24, 4, 6, 3)

    def flat(x):
        return tf.reshape(x, [tf.shape(x)[0], 18])

    def merged(x):
        sizes = tf.concat([[3], tf.shape(x)[:1], [6]], 0)
        return tf.reshape(x, sizes), tf.reshape(x, [-1])

    def dynamic(x):
        rows = tf.shape(x)[0]
        return tf.reshape(x, [rows // 2, 2 * 6 * 3]), tf.reshape(x, [rows // 2, 2, -1])

    for function in (flat, merged, dynamic):
        check(RULES[form], function, [x])
    SEEN.add("Reshape")
    graph = rewritten(concrete(flat, free(x)), RULES[form]).graph
    (op,) = (op for op in graph.get_operations() if op.type == "Reshape")
    assert tf.get_static_value(op.inputs[1]).tolist() == [-1, 18]


@pytest.mark.parametrize("side", ["left", "right"])
def test_places_in_sorted_rows(side) -> None:
    rows = np.sort(np.round(random(14, 3, 6)), 1)
    values = np.round(random(15, 3, 4))
    check(
        FOR_LITERT,
        lambda rows, values: tf.searchsorted(rows, values, side=side),
        [rows, values],
        gone=["LowerBound", "UpperBound"],
    )


def test_error_functions() -> None:
    x = np.linspace(-5, 5, 101)[:, None]
    check(FOR_ONNX, tf.math.erfc, [x], gone=["Erfc"])
    for function in (tf.math.erf, tf.math.erfc):
        check(FOR_LITERT, function, [x], gone=["Erf", "Erfc"], tolerance=2e-7)


def test_is_finite() -> None:
    x = np.array([[1.0, np.inf], [-np.inf, np.nan]])
    check(FOR_LITERT, tf.math.is_finite, [x], gone=["IsFinite"])


def test_biases_and_marks() -> None:
    def function(x, w):
        y = tf.nn.bias_add(x, tf.ones([3], x.dtype) * w)
        (y,) = raw.IdentityN(input=[y])
        return tf.stop_gradient(y) * y

    x = random(11, 4, 6, 3)
    gone = ["BiasAdd", "BiasAddGrad", "IdentityN", "StopGradient"]
    check(FOR_ONNX, gradients_of(function, np.ones(())), [x, np.ones(1)], gone=gone)


def test_truth_values_are_split_in_slices_for_litert() -> None:
    x = random(16, 4, 6, 3)

    def function(x):
        return tf.split(x > 0, 3, 1), tf.split(x, 3, -1)

    check(FOR_LITERT, lambda x: function(x)[0], [x], gone=["Split"])
    check(FOR_LITERT, lambda x: function(x)[1], [x], gone=["StridedSlice"], absent=True)


def test_a_product_of_two_computed_matrices_is_a_batch_of_one_for_litert() -> None:
    """LiteRT's converter forgets a ReLU after a plain one."""
    a, b = random(12, 4, 6), random(13, 4, 3)

    def computed(a, b):
        return tf.nn.relu(tf.matmul(a, b, transpose_a=True))

    def constant(a, b):
        return tf.matmul(b, tf.ones([3, 2], b.dtype)) + a[:, :2]

    check(FOR_LITERT, computed, [a, b], gone=["MatMul"])
    check(FOR_LITERT, constant, [a, b], gone=["BatchMatMulV2"], absent=True)


def loop(steps: int, body: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A function that repeats another, and keeps what it has been, for nobody."""

    def function(x: Any) -> Any:
        kept = tf.TensorArray(x.dtype, steps, element_shape=x.shape[1:])
        state = (tf.constant(0), x[0], kept)

        def step(i: Any, y: Any, kept: Any) -> Any:
            return i + 1, body(y), kept.write(i, y)

        return tf.while_loop(lambda i, *_: i < steps, step, state)[1]

    return function


def test_a_loop_keeps_only_what_is_asked_of_it() -> None:
    x = random(17, 4, 6)
    function = loop(5, lambda y: raw.TanhGrad(y=y, dy=tf.cos(y)))
    check(FOR_ONNX, function, [x], gone=["TanhGrad", "TensorListSetItem"])


def test_a_loop_and_a_branch_in_a_loop() -> None:
    def branched(y: Any) -> Any:
        inner = tf.while_loop(
            lambda i, _: i < 3,
            lambda i, z: (i + 1, raw.SigmoidGrad(y=z, dy=z + 1)),
            (tf.constant(0), y),
        )[1]
        return tf.cond(
            tf.reduce_sum(inner) > 0,
            lambda: raw.ReluGrad(gradients=inner, features=y),
            lambda: 2 * inner,
        )

    x = random(18, 4, 6)
    check(FOR_LITERT, loop(4, branched), [x], gone=["SigmoidGrad", "ReluGrad"])


def test_what_is_random_is_not_computed_once() -> None:
    old = concrete(
        lambda x: x[:1] + tf.random.normal([1, 3]), free(np.ones((2, 3), "f"))
    )
    new = rewritten(old, FOR_ONNX)
    x = tf.ones([2, 3])
    assert np.abs(new(a=x)["out0"] - new(a=x)["out0"]).min() > 0


def test_large_constants_are_not_made() -> None:
    def function(x):
        return x[:, :1] + tf.reduce_sum(tf.zeros([1000, 100], x.dtype) + x[0, 0], 0)

    new = rewritten(concrete(function, free(random(19, 2, 3))), FOR_ONNX)
    assert len(new.graph.as_graph_def().SerializeToString()) < 50_000


def test_what_calls_a_function_and_tables_are_refused() -> None:
    def switched(x):
        return tf.switch_case(tf.shape(x)[0], [lambda: x, lambda: 2 * x])

    table = tf.lookup.experimental.DenseHashTable(
        tf.int64, tf.int64, default_value=0, empty_key=-1, deleted_key=-2
    )
    for function, x, said in (
        (switched, random(20, 2, 3), "which calls a function"),
        (lambda x: table.lookup(x), np.int64([1, 2]), "such as a lookup table"),
    ):
        with pytest.raises(Unportable, match=said):
            rewritten(concrete(function, free(x)), FOR_ONNX)


def test_channels_before_pixels_are_refused() -> None:
    def function(x):
        return raw.BiasAdd(value=x, bias=tf.ones([6], x.dtype), data_format="NCHW")

    with pytest.raises(Unportable, match="channels before pixels"):
        rewritten(concrete(function, free(random(21, 2, 6, 4, 4))), FOR_ONNX)


def test_rows_are_chosen_by_a_vector() -> None:
    x = random(22, 4, 3)

    def function(x):
        return raw.Select(condition=x[:, 0] > 0, x=x, y=-2 * x)

    check(FOR_ONNX, function, [x], gone=["Select"])


def test_a_class_that_is_out_of_the_question_costs_nothing_elsewhere() -> None:
    x = np.array([[1.0, -np.inf, 2.0], [0.5, 3.0, -np.inf]])

    def function(x, y):
        made = raw.SparseSoftmaxCrossEntropyWithLogits(features=x, labels=y)
        return made.loss

    gone = ["SparseSoftmaxCrossEntropyWithLogits"]
    check(FOR_LITERT, function, [x, np.int32([0, 1])], gone=gone)


def test_every_rule_has_been_tested(request) -> None:
    """It is the last test of this file, so it knows what the others have replaced."""
    mine = [item for item in request.session.items if item.path == request.path]
    if request.config.option.keyword or len(RAN) < len(mine):
        return  # Some tests of this file were left out, or run in another process.
    # What tf.function writes only where it is called by others.
    others = {"IdentityN", "PlaceholderWithDefault", "PreventGradient", "StopGradient"}
    assert not {*FOR_LITERT, *FOR_ONNX} - SEEN - others
