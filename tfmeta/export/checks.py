"""What a served model refuses, inside its graph, with a sentence."""

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
    even where a server asks for a single output. The first check that fails speaks.

    Args:
        tensors: The tensors by name.
        checks: Pairs of a scalar bool and the sentence, a scalar string, to refuse
            with where it is false.

    Returns:
        The tensors by name.
    """
    before: list[tf.Operation] = []
    for holds, sentence in checks:
        with tf.control_dependencies(before):
            before = [tf.debugging.Assert(holds, [sentence])]
    with tf.control_dependencies(before):
        return {name: tf.identity(t) for name, t in tensors.items()}


def support_checks(
    x: Mapping[str, Tensor], y: Tensor, targets: Targets, max_way: int | None
) -> list[Check]:
    """What must hold of a support set.

    Args:
        x: The inputs by name, `(examples, ...)` each.
        y: `(examples, ...)`.
        targets: What `y` is.
        max_way: The number of classes of the head; None without one.

    Returns:
        The checks, in order.
    """
    given = [
        (
            tf.equal(tf.shape(each)[0], tf.shape(y)[0]),
            tf.strings.format(
                name + " has {} examples, but support_y has {} labels. Give one label "
                "for each example.",
                [tf.shape(each)[0], tf.shape(y)[0]],
            ),
        )
        for name, each in x.items()
    ]
    some = (
        tf.shape(y)[0] > 0,
        tf.constant("The support set is empty. Give at least one labelled example."),
    )
    finite = [check for name, each in x.items() for check in finite_checks(name, each)]
    if isinstance(targets, Labels):
        return [*given, some, _label_check(y, max_way), *finite]
    return [*given, some, *finite_checks("support_y", y), *finite]


def _label_check(y: Tensor, max_way: int | None) -> Check:
    """That labels are in range.

    A label of a learner without a head is bounded by the number of examples: with
    labels 0, 1, ... and an example for each class no label is higher, and what a
    request can make the server allocate stays in proportion to the request.
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
    """That a tensor holds no NaN and no infinity; nothing for other than floats.

    Args:
        name: What to call it.
        x: Any shape.

    Returns:
        The checks.
    """
    if not x.dtype.is_floating:
        return []
    sentence = (
        f"{name} has a value that is NaN or infinite. Give finite numbers, scaled as "
        "in training."
    )
    return [(tf.reduce_all(tf.math.is_finite(x)), tf.constant(sentence))]
