"""Checks of what a trainer is given, before it does any work."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfmeta.core.problems import kind_of
from tfmeta.data import Part, Source
from tfmeta.data.prepare.fits import check_fits, ready
from tfmeta.nets import rebuild_problem
from tfmeta.training.meta_model import MetaModel
from tfmeta.training.pretrain import ExampleStream, PretrainModel
from tfmeta.training.run.run_folder import RunFolder
from tfmeta.training.step.arguments import check_compiled
from tfmeta.training.stream import Stream

VALIDATION_SEED = 0


def check_at_least_one(**values: int) -> None:
    """Refuses numbers below 1.

    Args:
        **values: The numbers by name.

    Raises:
        ValueError: If one is below 1.
    """
    for name, value in values.items():
        if value < 1:
            raise ValueError(f"{name} must be at least 1. Received: {value}.")


def check_fit(
    model: MetaModel | PretrainModel,
    source: Source,
    train: Stream | ExampleStream,
    validation: Stream | ExampleStream,
    seed: int,
    *,
    run: RunFolder | None,
    augment: Any = None,
) -> None:
    """Refuses a model that a run folder cannot keep, or that the data do not fit.

    Args:
        model: The model to train.
        source: The data.
        train: The size of the training episodes, or of the batches of examples.
        validation: The size of the validation episodes.
        seed: The seed of the training episodes.
        run: The run folder that keeps the model, or None.
        augment: What changes the training images, or None.

    Raises:
        ValueError: If an argument is of another kind, if the model is not compiled or
            cannot be kept, if the episodes cannot be drawn or served, or if the
            preparation does not make what the learner's net takes.
    """
    _check_kinds(
        model=model, source=source, train=train, validation=validation, run=run
    )
    check_compiled(model, "a Trainer takes it")
    learner, options = model.learner, {"prepare": model.prepare}
    _check_streams(learner, train=train, validation=validation)
    train.check(source.train, learner, seed=seed, **options)
    _check_inputs(model, source.train, train, augment)
    try:
        validation.check(source.val, learner, seed=VALIDATION_SEED, **options)
        validation.asked()
    except ValueError as error:
        raise ValueError(f"The validation cannot be drawn: {error}") from error
    for layer in (learner, model.prepare) if run is not None else ():
        problem = rebuild_problem(layer)
        if problem is not None:
            raise ValueError(
                "A run folder keeps the config of a learner and of its preparation. "
                f"{problem}"
            )


_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "model": ((MetaModel, PretrainModel), "a MetaModel, such as MetaModel(learner)"),
    "source": ((Source,), "a whole source, such as tfmeta.data.load('glyphs')"),
    "train": (
        (Stream, ExampleStream),
        "the size of episodes: Stream(way=5, shot=1, query=15, tasks=16)",
    ),
    "validation": (
        (Stream, ExampleStream),
        "the size of episodes: Stream(way=5, shot=1, query=15, tasks=200)",
    ),
    "run": ((RunFolder, type(None)), "a run folder: RunFolder(path), or None"),
}


def _check_kinds(**given: Any) -> None:
    for name, value in given.items():
        kinds, wanted = _KINDS[name]
        if not isinstance(value, kinds):
            raise ValueError(
                f"{name} of a Trainer must be {wanted}. Received: {kind_of(value)}."
            )


def _check_streams(learner: Any, **streams: Stream | ExampleStream) -> None:
    """Refuses episodes for a learner that does not adapt, and examples to adapt by."""
    for name, stream in streams.items():
        episodes = isinstance(stream, Stream)
        if episodes and not learner.adapts:
            raise ValueError(
                f"{name} of {type(learner).__name__}, which does not adapt, must be an "
                f"ExampleStream, such as ExampleStream(64). Received: {stream}."
            )
        if name == "validation" and not episodes and learner.adapts:
            raise ValueError(
                f"validation of {type(learner).__name__} must be the size of episodes, "
                f"as Stream(way=5, shot=1, query=15, tasks=200). Received: {stream}."
            )


def _check_inputs(
    model: MetaModel | PretrainModel,
    part: Part,
    train: Stream | ExampleStream,
    augment: Any,
) -> None:
    """Prepares the shapes and dtypes of examples, which also builds the layer."""
    x, axes = train.episodes(part, seed=0, augment=augment).element_spec[0], 1
    if isinstance(train, Stream):
        x, axes = x["support_x"], 2
    raw = tf.nest.map_structure(
        lambda spec: tf.TensorSpec((None, *spec.shape[axes:]), spec.dtype), x
    )

    def traced(specs: Any) -> Any:
        graph = tf.function(model.prepare, autograph=False)
        return graph.get_concrete_function(specs).structured_outputs

    prepared = ready(model.prepare, raw, "x", traced)
    check_fits(model.prepare, raw, prepared, model.learner.inputs)
