"""One adapted task, saved; it only predicts."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tfmeta.core import Labels, Options, Values
from tfmeta.core.class_names import class_texts
from tfmeta.core.episode import Nest
from tfmeta.data.prepare.preparation import as_preparation
from tfmeta.export.answer import Answer
from tfmeta.export.checks import check_mode, check_precision
from tfmeta.export.example import Shape, raw_inputs
from tfmeta.export.facts import Facts
from tfmeta.export.fields import fields_of
from tfmeta.export.formats.base import Format
from tfmeta.export.formats.by_name import DEFAULT_FORMAT, format_of
from tfmeta.export.formats.writing import guard_of, on_bad_input_of, written
from tfmeta.export.prepared import Prepare
from tfmeta.export.signatures import DEFAULT, PREDICT, Stages, fixed
from tfmeta.export.verbs import Verbs, variables_of
from tfmeta.learners import Learner


def save_classifier(
    learner: Learner,
    adapted: Nest,
    classes: Sequence[Any],
    path: str | os.PathLike[str],
    *,
    weights: Sequence[tf.Variable] | None = None,
    prepare: Any = None,
    temperature: float | None = None,
    reject_below: float | None = None,
    refuse_outside: bool = False,
    allow_transductive: bool = False,
    example_shape: Shape | None = None,
    format: str = DEFAULT_FORMAT,
    precision: str | None = None,
) -> pathlib.Path:
    """Writes one adapted classifier; it only predicts.

    Its signature `predict`, which is also `serving_default`, takes `query_x` and
    gives `probabilities` `(queries, classes)`, `labels` `(queries,)` int32 and
    `names` `(queries,)`, the most probable class's name as a string. If the preparation
    reads pictures, `predict_images` takes `query_images`, the files of pictures.

    Args:
        learner: The learner that adapted.
        adapted: What its `adapt` returned.
        classes: The classes' names or numbers, in the order of the labels.
        path: The folder to write. "birds/3" is version 3 of "birds"; "birds" is the
            next free version of it.
        weights: The weights that `adapted` belongs to, one for each of the learner's
            variables; None for the variables' own.
        prepare: How raw queries become what the learner takes: a `Preparation` or a
            Keras layer; None for the default, see `as_preparation`.
        temperature: As in `save`.
        reject_below: As in `save`; a rejected query gets the name "".
        refuse_outside: As in `save`.
        allow_transductive: As in `save`.
        example_shape: As in `save`.
        format: As in `save`; only a SavedModel gives names too. In the other formats,
            export.json lists them in the order of the labels.
        precision: As in `save`.

    Returns:
        The version folder.

    Raises:
        ValueError: If the classifier cannot be served in this way, or the folder cannot
            be written.

    Example:
        >>> import tempfile
        >>> from tfmeta.core import Examples, Options
        >>> from tfmeta.learners import NearestNeighbour
        >>> support = Examples(tf.constant([[0.0], [1.0]]), tf.constant([0, 1]))
        >>> learner = NearestNeighbour()
        >>> folder = save_classifier(
        ...     learner,
        ...     learner.adapt(support, Options()),
        ...     ["owl", "wren"],
        ...     tempfile.mkdtemp(),
        ...     example_shape=(1,),
        ... )
        >>> served = tf.saved_model.load(str(folder)).signatures["serving_default"]
        >>> served(query_x=tf.constant([[0.9]]))["names"].numpy().tolist()
        [b'wren']
    """
    check_mode(learner, allow_transductive)
    check_precision(None, precision)
    return _save_adapted(
        learner,
        adapted,
        path,
        answer=Answer(Labels(), temperature, reject_below),
        weights=weights,
        prepare=prepare,
        refuse_outside=refuse_outside,
        example_shape=example_shape,
        names=class_texts(classes),
        form=format_of(format, precision=precision),
    )


def save_regressor(
    learner: Learner,
    adapted: Nest,
    path: str | os.PathLike[str],
    *,
    weights: Sequence[tf.Variable] | None = None,
    prepare: Any = None,
    refuse_outside: bool = False,
    allow_transductive: bool = False,
    example_shape: Shape | None = None,
    format: str = DEFAULT_FORMAT,
    precision: str | None = None,
) -> pathlib.Path:
    """Writes one adapted regressor; it only predicts.

    Its signature `predict`, which is also `serving_default`, takes `query_x` and
    gives `values` `(queries, ...)`. If the preparation reads pictures, `predict_images`
    takes `query_images`, the files of pictures.

    Args:
        learner: The learner that adapted.
        adapted: What its `adapt` returned.
        path: The folder to write. "power/3" is version 3 of "power"; "power" is the
            next free version of it.
        weights: The weights that `adapted` belongs to, one for each of the learner's
            variables; None for the variables' own.
        prepare: As in `save_classifier`.
        refuse_outside: As in `save`.
        allow_transductive: As in `save`.
        example_shape: As in `save`.
        format: As in `save`.
        precision: As in `save`.

    Returns:
        The version folder.

    Raises:
        ValueError: If the regressor cannot be served in this way, or the folder cannot
            be written.
    """
    check_mode(learner, allow_transductive)
    check_precision(None, precision)
    return _save_adapted(
        learner,
        adapted,
        path,
        answer=Answer(Values()),
        weights=weights,
        prepare=prepare,
        refuse_outside=refuse_outside,
        example_shape=example_shape,
        form=format_of(format, precision=precision),
    )


def _save_adapted(
    learner: Learner,
    adapted: Nest,
    path: str | os.PathLike[str],
    *,
    answer: Answer,
    weights: Sequence[tf.Variable] | None,
    prepare: Any,
    refuse_outside: bool,
    example_shape: Shape | None,
    form: Format,
    names: list[str] | None = None,
) -> pathlib.Path:
    """Writes the signatures of one adapted task, whatever its targets are."""
    preparation = as_preparation(prepare, learner.inputs)
    prepared = Prepare(preparation, refuse_outside=refuse_outside)
    raw = raw_inputs(learner, preparation, example_shape)
    weights = variables_of(learner) if weights is None else weights
    verbs = Verbs(learner, Options(), weights)
    held = tf.nest.map_structure(lambda t: tf.Variable(t, trainable=False), adapted)
    said = on_bad_input_of(None, form)
    images = preparation.pictures is not None and form.strings
    told = names if form.strings else None
    signatures: dict[str, Any] = {}
    for inputs, (_, query) in fields_of(raw, preparation, images).items():
        stages = Stages(query, prepared, verbs, answer, guard_of(said))
        for verb, graph in fixed(stages, held, told).items():
            signatures[verb + inputs] = graph
    signatures[DEFAULT] = signatures[PREDICT]
    facts = Facts.of(
        learner, answer, prepared, names=names, adapted=True, on_bad_input=said
    )
    variables = [*weights, *tf.nest.flatten(held)]
    return written(path, signatures, variables, preparation, facts, form)
