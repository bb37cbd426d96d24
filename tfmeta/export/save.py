"""Learners as SavedModels that adapt where they are served."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tfmeta.core import Labels, Options, Targets, Values
from tfmeta.core.class_names import class_texts
from tfmeta.core.episode import NO_EXAMPLES, Nest
from tfmeta.data.prepare.preparation import Preparation, as_preparation
from tfmeta.export.answer import Answer
from tfmeta.export.checks import check_labels, check_mode, check_steps
from tfmeta.export.example import Shape, raw_inputs, target_spec
from tfmeta.export.facts import Facts
from tfmeta.export.fields import picture_fields, plain_fields
from tfmeta.export.guards import Flag, Guard, Raise
from tfmeta.export.known import Known, Names, Numbers
from tfmeta.export.prepared import Prepare
from tfmeta.export.readme import write_readme
from tfmeta.export.saved_model import write_saved_model
from tfmeta.export.signatures import (
    BOTH,
    DEFAULT,
    PREDICT,
    Adaptive,
    Stages,
    fixed,
    module_of,
)
from tfmeta.export.verbs import Verbs, variables_of
from tfmeta.export.version_folder import VersionFolder
from tfmeta.learners import Learner, as_learner

IMAGES, NAMES = "_images", "_names"  # What names of signatures end in.
_ON_BAD_INPUT: dict[str, type[Guard]] = {"raise": Raise, "flag": Flag}


def save(
    model: Any,
    path: str | os.PathLike[str],
    *,
    images: bool = False,
    names: bool = False,
    temperature: float | None = None,
    reject_below: float | None = None,
    refuse_outside: bool = False,
    on_bad_input: str = "raise",
    allow_transductive: bool = False,
    steps: int | None = None,
    example_shape: Shape | None = None,
) -> pathlib.Path:
    """Writes a SavedModel that learns new tasks without the code of tfmeta.

    Its signatures are `adapt`, `predict` and `adapt_and_predict`, which is also
    `serving_default`, and `extend` if the learner extends. `adapt` takes a support set
    and returns the adapted state as named tensors; `predict` takes queries and that
    state and returns answers; `extend` takes that state and further support examples
    and returns a state. The numbers of examples and queries are free in each request,
    and so is the way unless the net has a head. If an example is a nest, its keys name
    the inputs, such as `support_x_NAME` and `query_x_NAME`; if an example is one text,
    they are `support_text` and `query_text`. The answers are `probabilities` and
    `labels`; a learner of values answers with `values`.

    Inputs are raw examples, which the graph prepares as the model does. Floats are sent
    as float32; pictures too, scaled as in training to 0..1. Whole numbers are sent as
    int32, texts as strings in UTF-8. The graph refuses impossible inputs with a
    sentence. A README.md in the folder shows a request, and the answer that the saved
    model gave.

    Of a learner that does not adapt, such as `Supervised`, the SavedModel only
    predicts; see `save_classifier`.

    Args:
        model: A `MetaModel` or a `Learner`.
        path: The folder to write. "exported/3" is version 3 of "exported"; "exported"
            is the next free version of it.
        images: Whether to add signatures that take pictures as files (JPEG, PNG, BMP,
            GIF), which the graph decodes and resizes as the source does. Their names
            end in `_images`, such as `adapt_and_predict_images`, and their inputs are
            the strings `support_images` and `query_images`.
        names: Whether to add signatures that take `support_names`, the names of
            classes as strings, in place of `support_y`. Their signatures' names end in
            `_names` (after `_images` where both are asked for). The classes are the
            distinct names in sorted order; the adapted state holds them as `classes`,
            and answers have `names` and `classes` beside the probabilities, whose
            column i belongs to class i. `extend_names` puts new classes last.
        temperature: The number that logits are divided by before they become
            probabilities; None to leave them. `tfmeta.evaluation.fit_temperature`
            finds it. It changes no label. In Python, `MetaModel.adapt(...).predict`
            does not divide.
        reject_below: A query is answered if its largest class probability is at least
            this number; every other query gets the label -1 and the name "". None
            answers all queries.
        refuse_outside: Whether a request is refused if it has prepared values far
            outside those of meta-training; see `Preparation.outside`.
        on_bad_input: "raise" refuses a request with a sentence. "flag" is for runtimes
            that cannot raise: each signature has an output `valid`, int32 1 or 0. Where
            it is 0, the labels are -1, the probabilities 0 and the values NaN.
        allow_transductive: Whether normalisation "task" may be served, where a query's
            answer depends on the other queries of its request.
        steps: The number of inner steps; None for the learner's own number outside
            training.
        example_shape: The shape of one example, or a dict of shapes for a learner
            without a net; None for the net's input shape.

    Returns:
        The version folder.

    Raises:
        ValueError: If the model cannot be served in this way, or the folder cannot be
            written.

    Example:
        >>> import tempfile
        >>> from tfmeta.learners import NearestNeighbour
        >>> folder = save(
        ...     NearestNeighbour(), tempfile.mkdtemp(), example_shape=(2,), names=True
        ... )
        >>> served = tf.saved_model.load(str(folder)).signatures
        >>> answer = served["adapt_and_predict_names"](
        ...     support_x=tf.constant([[0.0, 0.0], [1.0, 1.0]]),
        ...     support_names=tf.constant(["wren", "owl"]),
        ...     query_x=tf.constant([[0.9, 0.8]]),
        ... )
        >>> answer["names"].numpy().tolist()
        [b'owl']
    """
    learner = as_learner(model)
    check_mode(learner, allow_transductive)
    check_steps(learner, steps)
    if not learner.adapts:
        options = dict(temperature=temperature, reject_below=reject_below)
        return _save_unadapted(
            model, path, on_bad_input, refuse_outside, example_shape, **options
        )
    targets = learner.targets_for()
    check_labels(learner, targets, names)
    guard = _guard(on_bad_input)
    preparation = as_preparation(getattr(model, "prepare", None), learner.inputs)
    answer = Answer(targets, temperature, reject_below)
    prepare = Prepare(preparation, refuse_outside=refuse_outside)
    raw = raw_inputs(learner, preparation, example_shape)
    verbs = Verbs(learner, Options(steps=steps))
    signatures: dict[str, Any] = {}
    for inputs, (support, query) in _fields(raw, preparation, images).items():
        stages = Stages(query, prepare, verbs, answer, guard)
        for classes, known in _known(learner, targets, names).items():
            for verb, graph in Adaptive(stages, support, known).signatures().items():
                signatures[verb + inputs + classes] = graph
    signatures[DEFAULT] = signatures[BOTH]
    used = learner.default_steps if steps is None else steps
    facts = Facts.of(learner, answer, prepare, steps=used, on_bad_input=on_bad_input)
    return _write(path, signatures, variables_of(learner), preparation, facts)


def _save_unadapted(
    model: Any,
    path: str | os.PathLike[str],
    on_bad_input: str,
    refuse_outside: bool,
    example_shape: Shape | None,
    **options: Any,
) -> pathlib.Path:
    """Writes a classifier that has learned its classes without a support set."""
    learner: Any = as_learner(model)
    if _guard(on_bad_input) is not Raise:
        raise ValueError(
            f"on_bad_input must be 'raise' for {type(learner).__name__}, which does "
            f"not adapt. Received: {on_bad_input!r}. Leave out on_bad_input."
        )
    adapted = learner.adapt(NO_EXAMPLES, Options())
    prepare = getattr(model, "prepare", None)
    options |= {"refuse_outside": refuse_outside, "example_shape": example_shape}
    return save_classifier(
        learner, adapted, learner.class_names, path, prepare=prepare, **options
    )


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
) -> pathlib.Path:
    """Writes a SavedModel of one adapted classifier; it only predicts.

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
) -> pathlib.Path:
    """Writes a SavedModel of one adapted regressor; it only predicts.

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

    Returns:
        The version folder.

    Raises:
        ValueError: If the regressor cannot be served in this way, or the folder cannot
            be written.
    """
    check_mode(learner, allow_transductive)
    return _save_adapted(
        learner,
        adapted,
        path,
        answer=Answer(Values()),
        weights=weights,
        prepare=prepare,
        refuse_outside=refuse_outside,
        example_shape=example_shape,
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
    names: list[str] | None = None,
) -> pathlib.Path:
    """Writes the signatures of one adapted task, whatever its targets are."""
    preparation = as_preparation(prepare, learner.inputs)
    prepared = Prepare(preparation, refuse_outside=refuse_outside)
    raw = raw_inputs(learner, preparation, example_shape)
    weights = variables_of(learner) if weights is None else weights
    verbs = Verbs(learner, Options(), weights)
    held = tf.nest.map_structure(lambda t: tf.Variable(t, trainable=False), adapted)
    images = preparation.pictures is not None
    signatures: dict[str, Any] = {}
    for inputs, (_, query) in _fields(raw, preparation, images).items():
        stages = Stages(query, prepared, verbs, answer, Raise)
        for verb, graph in fixed(stages, held, names).items():
            signatures[verb + inputs] = graph
    signatures[DEFAULT] = signatures[PREDICT]
    facts = Facts.of(learner, answer, prepared, names=names, adapted=True)
    variables = [*weights, *tf.nest.flatten(held)]
    return _write(path, signatures, variables, preparation, facts)


def _fields(
    raw: Nest, preparation: Preparation, images: bool
) -> dict[str, tuple[Nest, Nest]]:
    """The inputs of support sets and of queries, by the end of a signature's name."""
    found = {"": (plain_fields(raw, "support"), plain_fields(raw, "query"))}
    if images:
        form = preparation.pictures
        found[IMAGES] = (
            picture_fields(raw, "support", form),
            picture_fields(raw, "query", form),
        )
    return found


def _known(learner: Learner, targets: Targets, names: bool) -> dict[str, Known]:
    """How `y` is sent, by the end of a signature's name."""
    most = learner.max_way
    spec = target_spec(learner, targets, "support_y")
    found: dict[str, Known] = {"": Numbers(spec, most, targets)}
    if names:
        found[NAMES] = Names(tf.TensorSpec([None], tf.string, "support_names"), most)
    return found


def _write(
    path: str | os.PathLike[str],
    signatures: dict[str, Any],
    variables: Sequence[tf.Variable],
    preparation: Preparation,
    facts: Facts,
) -> pathlib.Path:
    folder = VersionFolder(path)
    module = module_of(variables, signatures.values(), preparation)
    with folder.writing() as partial:
        write_saved_model(module, signatures, partial)
        write_readme(partial, signatures, facts, folder.served_name)
    return folder.path


def _guard(on_bad_input: str) -> type[Guard]:
    if on_bad_input not in _ON_BAD_INPUT:
        raise ValueError(
            f"on_bad_input must be 'raise' or 'flag'. Received: {on_bad_input!r}."
        )
    return _ON_BAD_INPUT[on_bad_input]
