"""Learners as SavedModels that adapt where they are served."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tfmeta.core import Labels, Values
from tfmeta.core.episode import Nest
from tfmeta.export.example import Shape
from tfmeta.export.readme import Facts, write_readme
from tfmeta.export.saved_model import write_saved_model
from tfmeta.export.signatures import adaptive, fixed, module_of, variables_of
from tfmeta.export.version_folder import VersionFolder
from tfmeta.learners import Learner, as_learner


def save(
    model: Any,
    path: str | os.PathLike[str],
    *,
    allow_transductive: bool = False,
    steps: int | None = None,
    example_shape: Shape | None = None,
) -> pathlib.Path:
    """Writes a SavedModel that learns new tasks without the code of tfmeta.

    Its signatures are `adapt`, `predict` and `adapt_and_predict`, which is also
    `serving_default`. `adapt` takes a support set and returns the adapted state as
    named tensors; `predict` takes queries and that state and returns answers. The
    numbers of examples and queries are free in each request, and so is the way unless
    the net has a head. If the net takes a nest, its keys name the inputs, such as
    `support_x_NAME` and `query_x_NAME`. The answers are `probabilities` and `labels`;
    a learner of values answers with `values`. Float inputs are float32, scaled as in
    training: images to 0..1. The graph refuses impossible inputs with a sentence. A
    README.md in the folder shows a request, and the answer that the saved model gave.

    Args:
        model: A `MetaModel` or a `Learner`.
        path: The folder to write. "exported/3" is version 3 of "exported"; "exported"
            is the next free version of it.
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
        >>> folder = save(NearestNeighbour(), tempfile.mkdtemp(), example_shape=(2,))
        >>> served = tf.saved_model.load(str(folder)).signatures["serving_default"]
        >>> answer = served(
        ...     support_x=tf.constant([[0.0, 0.0], [1.0, 1.0]]),
        ...     support_y=tf.constant([0, 1]),
        ...     query_x=tf.constant([[0.9, 0.8]]),
        ... )
        >>> answer["labels"].numpy().tolist()
        [1]
    """
    learner = as_learner(model)
    _check_mode(learner, allow_transductive)
    _check_steps(learner, steps)
    targets = learner.targets_for()
    if learner.max_way == 1 and isinstance(targets, Labels):
        raise ValueError(
            "The net's head has a single output, which cannot tell classes apart. "
            "Give its net a head of as many outputs as classes, or none; or, if it "
            'learns values, give the learner targets="values".'
        )
    used = learner.default_steps if steps is None else steps
    signatures = adaptive(learner, targets, steps, example_shape)
    folder = VersionFolder(path)
    module = module_of(variables_of(learner), signatures.values())
    return _write(module, signatures, folder, Facts.of(learner, targets, used))


def save_classifier(
    learner: Learner,
    adapted: Nest,
    classes: Sequence[Any],
    path: str | os.PathLike[str],
    *,
    weights: Sequence[tf.Variable] | None = None,
    reject_below: float | None = None,
    allow_transductive: bool = False,
    example_shape: Shape | None = None,
) -> pathlib.Path:
    """Writes a SavedModel of one adapted classifier; it only predicts.

    Its signature `predict`, which is also `serving_default`, takes `query_x` and
    gives `probabilities` `(queries, classes)`, `labels` `(queries,)` int32 and
    `names` `(queries,)`, the most probable class's name as a string.

    Args:
        learner: The learner that adapted.
        adapted: What its `adapt` returned.
        classes: The classes' names or numbers, in the order of the labels.
        path: The folder to write. "birds/3" is version 3 of "birds"; "birds" is the
            next free version of it.
        weights: The weights that `adapted` belongs to, one for each of the learner's
            variables; None for the variables' own.
        reject_below: A query is answered if its largest class probability is at least
            this number; every other query gets the label -1 and the name "". None
            answers all queries.
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
    _check_mode(learner, allow_transductive)
    names = [c.decode() if isinstance(c, bytes) else str(c) for c in classes]
    if not names:
        raise ValueError("A classifier needs at least one class. Received: none.")
    if reject_below is not None and not 0 <= reject_below <= 1:
        raise ValueError(
            "reject_below must be a probability, in 0..1, or None. Received: "
            f"{reject_below}."
        )
    targets = Labels()
    signatures, held = fixed(
        learner,
        adapted,
        targets,
        weights=weights,
        example_shape=example_shape,
        names=names,
        reject_below=reject_below,
    )
    folder = VersionFolder(path)
    module = module_of(held, signatures.values())
    facts = Facts.of(learner, targets, None, names, reject_below)
    return _write(module, signatures, folder, facts)


def save_regressor(
    learner: Learner,
    adapted: Nest,
    path: str | os.PathLike[str],
    *,
    weights: Sequence[tf.Variable] | None = None,
    allow_transductive: bool = False,
    example_shape: Shape | None = None,
) -> pathlib.Path:
    """Writes a SavedModel of one adapted regressor; it only predicts.

    Its signature `predict`, which is also `serving_default`, takes `query_x` and
    gives `values` `(queries, ...)`.

    Args:
        learner: The learner that adapted.
        adapted: What its `adapt` returned.
        path: The folder to write. "power/3" is version 3 of "power"; "power" is the
            next free version of it.
        weights: The weights that `adapted` belongs to, one for each of the learner's
            variables; None for the variables' own.
        allow_transductive: As in `save`.
        example_shape: As in `save`.

    Returns:
        The version folder.

    Raises:
        ValueError: If the regressor cannot be served in this way, or the folder cannot
            be written.
    """
    _check_mode(learner, allow_transductive)
    targets = Values()
    signatures, held = fixed(
        learner, adapted, targets, weights=weights, example_shape=example_shape
    )
    folder = VersionFolder(path)
    module = module_of(held, signatures.values())
    facts = Facts.of(learner, targets, None, adapted=True)
    return _write(module, signatures, folder, facts)


def _write(
    module: tf.Module, signatures: dict[str, Any], folder: VersionFolder, facts: Facts
) -> pathlib.Path:
    with folder.writing() as partial:
        write_saved_model(module, signatures, partial)
        write_readme(partial, signatures, facts, folder.served_name)
    return folder.path


def _check_mode(learner: Learner, allow_transductive: bool) -> None:
    if learner.mode == "task" and not allow_transductive:
        raise ValueError(
            'normalisation="task" makes a served answer depend on the other queries '
            'of its request. Train with normalisation="support", or pass '
            "allow_transductive=True if that is wanted."
        )


def _check_steps(learner: Learner, steps: int | None) -> None:
    if steps is None:
        return
    if learner.default_steps is None:
        raise ValueError(
            f"{type(learner).__name__} takes no inner steps. Leave `steps` out. "
            f"Received: {steps}."
        )
    if steps < 0:
        raise ValueError(f"steps must be at least 0. Received: {steps}.")
