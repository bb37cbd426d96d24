"""Checks in the graph of a served model; each refuses a request with a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import tensorflow as tf

from tfmeta.core import Labels, Targets
from tfmeta.core.episode import Tensor

Check = tuple[Tensor, Tensor]


def checked(
    tensors: Mapping[str, Tensor], checks: Sequence[Check]
) -> dict[str, Tensor]:
    """Lets tensors through only where every check holds.

    Whatever is computed from the returned tensors waits for the checks, so they run
    even where a server asks for a single output. The error is the sentence of the first
    check that fails.

    Args:
        tensors: The tensors by name.
        checks: Pairs of a scalar bool, which must be true, and a scalar string, the
            sentence for when it is false.

    Returns:
        The tensors by name.
    """
    before: list[tf.Operation] = []
    for holds, sentence in checks:
        with tf.control_dependencies(before):
            before = [tf.debugging.Assert(holds, [sentence])]
    with tf.control_dependencies(before):
        return {name: tf.identity(t) for name, t in tensors.items()}


def shape_checks(inputs: Mapping[str, Tensor]) -> list[Check]:
    """Checks that tensors have the shapes that their signature declares.

    TensorFlow does not compare what a served signature is called with to the shapes
    that it declares.

    Args:
        inputs: The inputs by name, whose static shapes are the declared ones.

    Returns:
        The checks; none for an input of unknown rank.
    """
    return [_shape_check(n, x) for n, x in inputs.items() if x.shape.rank is not None]


def _shape_check(name: str, x: Tensor) -> Check:
    given = tf.shape(_of_unknown_shape(x))
    received = tf.strings.reduce_join(tf.strings.as_string(given), separator=", ")
    pattern = ", ".join(r"\d+" if n is None else str(n) for n in x.shape)
    wanted = ", ".join("any number" if n is None else str(n) for n in x.shape)
    sentence = tf.strings.join(
        [f"{name} must have the shape ({wanted}). Received: (", received, ")."]
    )
    return tf.strings.regex_full_match(received, pattern), sentence


def _of_unknown_shape(x: Tensor) -> Tensor:
    """The same tensor, of whose shape TensorFlow's optimisers know nothing.

    They would replace `tf.shape` by the declared shape where that has no free axis.
    """
    held = tf.raw_ops.OptionalFromValue(components=[x])
    (same,) = tf.raw_ops.OptionalGetValue(
        optional=held, output_types=[x.dtype], output_shapes=[tf.TensorShape(None)]
    )
    return same


def support_checks(
    x: Mapping[str, Tensor], y: Tensor, targets: Targets, max_way: int | None
) -> list[Check]:
    """The checks of a support set.

    Args:
        x: The inputs by name, `(examples, ...)` each.
        y: The labels or values, `(examples, ...)`.
        targets: The kind of `y`.
        max_way: The number of classes if the net's outputs are the logits; None if the
            learner serves any number of classes.

    Returns:
        The checks, in order.
    """
    given = [
        (
            tf.equal(tf.shape(each)[0], tf.shape(y)[0]),
            tf.strings.format(
                name + " has {} examples, but support_y has {} rows. Give one row "
                "of support_y for each example.",
                [tf.shape(each)[0], tf.shape(y)[0]],
            ),
        )
        for name, each in x.items()
    ]
    some = (
        tf.shape(y)[0] > 0,
        tf.constant("The support set is empty. Give at least one example."),
    )
    finite = [check for name, each in x.items() for check in finite_checks(name, each)]
    if isinstance(targets, Labels):
        return [*given, some, _label_check(y, max_way), *finite]
    return [*given, some, *finite_checks("support_y", y), *finite]


def _label_check(y: Tensor, max_way: int | None) -> Check:
    """Checks that labels are in range.

    If the learner serves any number of classes, a label must be below the number of
    examples. Labels 0, 1, ... with an example of each class always are. The bound keeps
    the memory that a request takes in proportion to the request.
    """
    given = tf.shape(y)[0]
    bound = given if max_way is None else tf.constant(max_way)
    worst = tf.where(tf.reduce_any(y < 0), tf.reduce_min(y), tf.reduce_max(y))
    if max_way is None:
        sentence = tf.strings.format(
            "support_y has the label {}, but with {} examples labels must be in 0..{}. "
            "Number the classes 0, 1, 2, ... and give an example of each.",
            [worst, given, given - 1],
        )
    else:
        sentence = tf.strings.format(
            "support_y has the label {}, but labels must be in "
            f"0..{max_way - 1}: this model serves at most {max_way} classes.",
            [worst],
        )
    return tf.reduce_all((y >= 0) & (y < bound)), sentence


def finite_checks(name: str, x: Tensor) -> list[Check]:
    """Checks that a float tensor holds no NaN and no infinity.

    Args:
        name: The name of the tensor in the sentence.
        x: A tensor of any shape.

    Returns:
        The checks; none for a tensor of another dtype than floats.
    """
    if not x.dtype.is_floating:
        return []
    sentence = (
        f"{name} has a value that is NaN or infinite. Give finite numbers, scaled as "
        "in training."
    )
    return [(tf.reduce_all(tf.math.is_finite(x)), tf.constant(sentence))]
