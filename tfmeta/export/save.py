"""Learners as exports that adapt where they are served."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from tfmeta.core import Options, Targets
from tfmeta.core.episode import NO_EXAMPLES, Nest
from tfmeta.data.part import Part
from tfmeta.data.prepare.preparation import as_preparation
from tfmeta.export.adapted import save_classifier
from tfmeta.export.answer import Answer
from tfmeta.export.checks import check_labels, check_mode, check_precision, check_steps
from tfmeta.export.example import Shape, raw_inputs, target_spec
from tfmeta.export.facts import Facts
from tfmeta.export.fields import fields_of
from tfmeta.export.formats.by_name import DEFAULT_FORMAT, format_of
from tfmeta.export.formats.writing import guard_of, on_bad_input_of, written
from tfmeta.export.known import Known, Names, Numbers
from tfmeta.export.prepared import Prepare
from tfmeta.export.signatures import BOTH, DEFAULT, Adaptive, Stages
from tfmeta.export.verbs import Verbs, variables_of
from tfmeta.learners import Learner, as_learner

NAMES = "_names"  # What the names of signatures that take names of classes end in.


def save(
    model: Any,
    path: str | os.PathLike[str],
    *,
    images: bool = False,
    names: bool = False,
    format: str = DEFAULT_FORMAT,
    precision: str | None = None,
    selftest: Part | None = None,
    temperature: float | None = None,
    reject_below: float | None = None,
    refuse_outside: bool = False,
    on_bad_input: str | None = None,
    allow_transductive: bool = False,
    steps: int | None = None,
    example_shape: Shape | None = None,
) -> pathlib.Path:
    """Writes a learner that learns new tasks without the code of tfmeta.

    Its signatures are `adapt`, `predict` and `adapt_and_predict`, in a SavedModel also
    under the name `serving_default`; and `extend` if the learner can add examples
    later, but for the format "web". `adapt` takes a support set and returns the adapted
    state as named tensors; `predict` takes queries and that state and returns answers;
    `extend` takes that state and further support examples and returns a state. The
    numbers of examples and queries are free in each request, and so is the number of
    classes unless the net has a head, a last layer of fixed size. If an example is a
    nest, such as a dict, its keys name the inputs, such as `support_x_NAME` and
    `query_x_NAME`; if an example is one text, they are `support_text` and `query_text`.
    The answers are `probabilities` and `labels`; a learner of values answers with
    `values`.

    Inputs are raw examples, which the graph prepares as the model does. Floats are sent
    as float32; pictures too, scaled as in training to 0..1. Whole numbers are sent as
    int32, texts as strings in UTF-8. A SavedModel refuses impossible inputs with a
    sentence, the other formats by an output `valid`. A README.md in the folder shows a
    request, and the answer that the export gave.

    Of a learner that does not adapt, such as `Supervised`, the export only predicts;
    see `save_classifier`.

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
        format: "savedmodel"; "litert", one file for phones and other devices,
            model.tflite; "onnx", a file for each signature; or "web", a page that
            learns what its visitor draws. The latter three take numbers alone: neither
            files of pictures, nor names, nor texts. Where an output of an ONNX file
            would have an input's name, it has "new_" before it.
        precision: For the formats "litert", "onnx" and "web". "int8" keeps large
            weights in a quarter of the space, for learners that adapt without inner
            steps; None for "float32".
        selftest: For the format "web", the part of a source, such as `source.test`,
            from which 100 episodes go into the page, for `window.tfmeta.selftest()`.
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
            that cannot raise: answers have an output `valid`, int32 1 or 0, and an
            adapted state has `state_valid`. Where it is 0, the labels are -1, the
            probabilities 0 and the values NaN. None for "raise" in a SavedModel, and
            "flag" in the other formats, which cannot raise.
        allow_transductive: Whether normalisation "task" may be served, where a query's
            answer depends on the other queries of its request.
        steps: The number of inner steps; None for the learner's own number outside
            training.
        example_shape: The shape of one example, or a dict of shapes for a learner
            without a net; None for the net's input shape.

    Returns:
        The version folder.

    Raises:
        ValueError: If the model cannot be served in this way, if the format has no form
            for an operation of the net, or if the folder cannot be written.

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
    form = format_of(format, selftest=selftest, precision=precision)
    said = on_bad_input_of(on_bad_input, form)
    _check(learner, allow_transductive, steps, precision)
    told: dict[str, Any] = dict(temperature=temperature, reject_below=reject_below)
    if not learner.adapts:
        told |= {"refuse_outside": refuse_outside, "example_shape": example_shape}
        told |= {"format": format, "precision": precision}
        return _save_unadapted(model, path, on_bad_input, **told)
    targets = learner.targets_for()
    preparation = as_preparation(getattr(model, "prepare", None), learner.inputs)
    raw = raw_inputs(learner, preparation, example_shape)
    answer = Answer(targets, **told)
    prepare = Prepare(preparation, refuse_outside=refuse_outside)
    verbs = Verbs(learner, Options(steps=steps))
    signatures = _signatures(
        Stages(None, prepare, verbs, answer, guard_of(said)),
        fields_of(raw, preparation, images),
        _known(learner, targets, names),
    )
    used = learner.default_steps if steps is None else steps
    facts = Facts.of(learner, answer, prepare, steps=used, on_bad_input=said)
    return written(path, signatures, variables_of(learner), preparation, facts, form)


def _check(
    learner: Learner, transductive: bool, steps: int | None, precision: str | None
) -> None:
    check_mode(learner, transductive)
    check_steps(learner, steps)
    check_precision(learner, precision)


def _signatures(
    stages: Stages,
    fields: Mapping[str, tuple[Nest, Nest]],
    known: Mapping[str, Known],
) -> dict[str, Any]:
    """The graphs by name, for each way to send examples and what is known of them."""
    found: dict[str, Any] = {}
    for inputs, (support, query) in fields.items():
        here = dataclasses.replace(stages, query=query)
        for classes, each in known.items():
            for verb, graph in Adaptive(here, support, each).signatures().items():
                found[verb + inputs + classes] = graph
    return {**found, DEFAULT: found[BOTH]}


def _save_unadapted(
    model: Any,
    path: str | os.PathLike[str],
    on_bad_input: str | None,
    **options: Any,
) -> pathlib.Path:
    """Writes a classifier that has learned its classes without a support set."""
    learner: Any = as_learner(model)
    if on_bad_input == "flag" and format_of(options["format"]).raises:
        raise ValueError(
            f"on_bad_input must be 'raise' for {type(learner).__name__}, which does "
            "not adapt. Received: 'flag'. Leave out on_bad_input."
        )
    adapted = learner.adapt(NO_EXAMPLES, Options())
    options["prepare"] = getattr(model, "prepare", None)
    return save_classifier(learner, adapted, learner.class_names, path, **options)


def _known(learner: Learner, targets: Targets, names: bool) -> dict[str, Known]:
    """How `y` is sent, by the end of a signature's name."""
    check_labels(learner, targets, names)
    most = learner.max_way
    spec = target_spec(learner, targets, "support_y")
    found: dict[str, Known] = {"": Numbers(spec, most, targets)}
    if names:
        found[NAMES] = Names(tf.TensorSpec([None], tf.string, "support_names"), most)
    return found
