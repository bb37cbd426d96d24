"""Checks in the graph of a served model: what must hold, and the sentence if not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import tensorflow as tf

from tfmeta.core import Labels, Targets
from tfmeta.core.class_names import MAX_BYTES
from tfmeta.core.episode import Tensor
from tfmeta.learners import Learner


class Check(NamedTuple):
    """What must hold of a request.

    Attributes:
        holds: A scalar bool.
        sentence: Makes the sentence for when it is false, a scalar string. It is a
            function, because some runtimes have no strings.
    """

    holds: Tensor
    sentence: Callable[[], Tensor]


def said(text: str, *values: Tensor) -> Callable[[], Tensor]:
    """A sentence whose {} are filled with tensors."""
    return lambda: (
        tf.strings.format(text, list(values)) if values else tf.constant(text)
    )


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
    return Check(
        tf.strings.regex_full_match(received, pattern),
        lambda: tf.strings.join(
            [f"{name} must have the shape ({wanted}). Received: (", received, ")."]
        ),
    )


def _of_unknown_shape(x: Tensor) -> Tensor:
    """The same tensor, of whose shape TensorFlow's optimisers know nothing.

    They would replace `tf.shape` by the declared shape where that has no free axis.
    """
    held = tf.raw_ops.OptionalFromValue(components=[x])
    (same,) = tf.raw_ops.OptionalGetValue(
        optional=held, output_types=[x.dtype], output_shapes=[tf.TensorShape(None)]
    )
    return same


def row_checks(x: Mapping[str, Tensor], name: str, y: Tensor) -> list[Check]:
    """Checks that there are examples, and something known of each.

    Args:
        x: The inputs by name, `(examples, ...)` each.
        name: The name of `y`.
        y: The labels, names or values, `(examples, ...)`.

    Returns:
        The checks, in order.
    """
    rows = tf.shape(y)[0]
    given = [
        Check(
            tf.equal(tf.shape(each)[0], rows),
            said(
                f"{part} has {{}} examples, but {name} has {{}} rows. Give one row of "
                f"{name} for each example.",
                tf.shape(each)[0],
                rows,
            ),
        )
        for part, each in x.items()
    ]
    sentence = said("The support set is empty. Give at least one example.")
    return [*given, Check(rows > 0, sentence)]


def label_check(y: Tensor, max_way: int | None, known: Tensor | None) -> Check:
    """Checks that labels are in range.

    If the learner serves any number of classes, a label must be below the number of
    examples, plus the rows of the adapted state that they come to. Labels 0, 1, ...
    with an example of each class always are. The bound keeps the memory that a request
    takes in proportion to the request.

    Args:
        y: The labels, `(examples,)` int32.
        max_way: The number of classes if the net's outputs are the logits; None if the
            learner serves any number of classes.
        known: The rows of the adapted state that goes on, a scalar; None if the task is
            a new one.

    Returns:
        The check.
    """
    given = tf.shape(y)[0]
    worst = tf.where(tf.reduce_any(y < 0), tf.reduce_min(y), tf.reduce_max(y))
    if max_way is not None:
        bound: Tensor = tf.constant(max_way)
        sentence = said(
            "support_y has the label {}, but labels must be in "
            f"0..{max_way - 1}: this model serves at most {max_way} classes.",
            worst,
        )
    else:
        bound = given if known is None else given + known
        beside = "" if known is None else " and this adapted state"
        sentence = said(
            f"support_y has the label {{}}, but with {{}} examples{beside} labels must "
            "be in 0..{}. Number the classes 0, 1, 2, ... and give an example of each.",
            worst,
            given,
            bound - 1,
        )
    return Check(tf.reduce_all((y >= 0) & (y < bound)), sentence)


def name_checks(name: str, names: Tensor) -> list[Check]:
    """Checks that names of classes are neither empty nor too long.

    Args:
        name: The name of the tensor in the sentence.
        names: Strings, `(names,)`.

    Returns:
        The checks.
    """
    lengths = tf.strings.length(names)
    place = tf.argmin(tf.concat([lengths, [0]], 0))
    return [
        Check(
            tf.reduce_all(lengths > 0),
            said(f"{name} has an empty name, number {{}}. Name each class.", place),
        ),
        Check(
            tf.reduce_all(lengths <= MAX_BYTES),
            said(
                f"{name} has a name of {{}} bytes, but at most {MAX_BYTES} are "
                "allowed. Give shorter names.",
                tf.reduce_max(tf.concat([lengths, [0]], 0)),
            ),
        ),
    ]


def text_check(name: str, texts: Tensor) -> Check:
    """Checks that texts are not empty.

    Args:
        name: The name of the tensor in the sentence.
        texts: Strings, `(examples,)`.

    Returns:
        The check.
    """
    lengths = tf.strings.length(tf.strings.strip(texts))
    place = tf.argmin(tf.concat([lengths, [0]], 0))
    return Check(
        tf.reduce_all(lengths > 0),
        said(
            f"{name} has an empty text, number {{}}. Give a text in its place.", place
        ),
    )


def way_check(classes: Tensor, max_way: int | None) -> list[Check]:
    """Checks that there are not more classes than a net's head has outputs.

    Args:
        classes: The names of the classes, `(way,)`.
        max_way: The most classes; None for any number.

    Returns:
        The check, in a list; an empty list if any number is served.
    """
    if max_way is None:
        return []
    sentence = said(
        "There would be {} classes, but this model serves at most "
        f"{max_way} classes. Give fewer names.",
        tf.shape(classes)[0],
    )
    return [Check(tf.shape(classes)[0] <= max_way, sentence)]


def finite_checks(tensors: Mapping[str, Any]) -> list[Check]:
    """Checks that float tensors hold no NaN and no infinity.

    Args:
        tensors: Tensors of any shape by their names in the sentences.

    Returns:
        The checks; none for a tensor of another dtype than floats.
    """
    return _all_finite(
        tensors,
        "{} has a value that is NaN or infinite. Give finite numbers, scaled as in "
        "training.",
    )


def answer_checks(outputs: Mapping[str, Tensor]) -> list[Check]:
    """Checks that the numbers of an answer are finite.

    Args:
        outputs: The tensors of an answer by name.

    Returns:
        The checks; none for a tensor of another dtype than floats.
    """
    return _all_finite(
        outputs,
        "An answer holds a NaN or an infinite value in its {}. Check that the inputs "
        "are scaled as in training.",
    )


def _all_finite(tensors: Mapping[str, Any], sentence: str) -> list[Check]:
    """A check of each float tensor; its name goes into the sentence."""
    return [
        Check(tf.reduce_all(tf.math.is_finite(x)), said(sentence.format(name)))
        for name, x in tensors.items()
        if x.dtype.is_floating
    ]


def check_labels(learner: Learner, targets: Targets, names: bool) -> None:
    """Refuses labels of a net with one output, and names of values.

    Args:
        learner: The learner that is exported.
        targets: The kind of its `y`.
        names: Whether signatures that take names are asked for.

    Raises:
        ValueError: If the two do not go together.
    """
    labels = isinstance(targets, Labels)
    if learner.max_way == 1 and labels:
        raise ValueError(
            "The net's head has a single output, which cannot tell classes apart. "
            "Give its net a head of as many outputs as classes, or none; or, if it "
            'learns values, give the learner targets="values".'
        )
    if names and not labels:
        raise ValueError(
            "names=True is for the names of classes, but this model answers with "
            "values. Leave out names."
        )


def check_mode(learner: Learner, allow_transductive: bool) -> None:
    """Refuses answers that depend on other queries, unless they are wanted.

    Args:
        learner: The learner that is exported.
        allow_transductive: Whether they are wanted.

    Raises:
        ValueError: If they are not, and the learner gives such answers.
    """
    if learner.mode == "task" and not allow_transductive:
        raise ValueError(
            'normalisation="task" makes a served answer depend on the other queries '
            'of its request. Train with normalisation="support", or pass '
            "allow_transductive=True if that is wanted."
        )


def check_precision(learner: Learner | None, precision: str | None) -> None:
    """Refuses weights that cannot be kept so.

    Args:
        learner: The learner; None for an adapted task, which takes no steps.
        precision: "float32", "int8", or None for the former.

    Raises:
        ValueError: If there is no such way, or inner steps would change what was
            rounded.
    """
    if precision not in (None, "float32", "int8"):
        raise ValueError(
            f"precision must be 'float32' or 'int8'. Received: {precision!r}."
        )
    steps = None if learner is None else learner.default_steps
    if precision == "int8" and steps is not None:
        raise ValueError(
            f"precision must be 'float32' for {type(learner).__name__}, whose inner "
            "steps are smaller than what int8 rounds by. Received: 'int8'. Leave out "
            "precision."
        )


def check_steps(learner: Learner, steps: int | None) -> None:
    """Refuses a number of inner steps that the learner cannot take.

    Args:
        learner: The learner that is exported.
        steps: The number; None for the learner's own.

    Raises:
        ValueError: If it is below 0, or if the learner takes no steps.
    """
    if steps is None:
        return
    if learner.default_steps is None:
        raise ValueError(
            f"steps={steps} is for learners that take inner steps, but "
            f"{type(learner).__name__} takes none. Leave out steps."
        )
    if steps < 0:
        raise ValueError(f"steps must be at least 0. Received: {steps}.")
