"""Evaluation prepares raw examples: as the model says, or the part."""

from __future__ import annotations

import io
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from preparation_cases import SHAPE, Affine, AsDict, pixels, protonet, split

from tfmeta import MetaModel
from tfmeta.data import Split, episodes
from tfmeta.data.prepare.preparation import Preparation
from tfmeta.evaluation import evaluate, query_logits
from tfmeta.evaluation.pictures.episode_picture import episode_picture
from tfmeta.evaluation.prepared import preparation_of
from tfmeta.learners import NearestNeighbour

SIZE = dict(way=4, shot=1, query=2, episodes=5)


def by_hand(learner, prepare) -> np.ndarray:
    """The logits of the episodes, prepared before the learner sees them."""
    options = {**SIZE, "tasks": 5, "count": SIZE["episodes"], "seed": 1}
    del options["episodes"]
    x, _ = next(iter(episodes(split(), **options)))
    ready = {n: prepare(x[n].numpy()) for n in ("support_x", "query_x")}
    return learner.answer({**x, **ready}).numpy().reshape(-1, 4)


def test_a_model_brings_its_own_preparation() -> None:
    learner = protonet()
    model = MetaModel(learner, prepare=keras.layers.Rescaling(0.1))
    found = query_logits(model, split(), **SIZE).logits
    expected = by_hand(learner, lambda x: x.astype(np.float32) * np.float32(0.1))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_a_bare_learner_gets_that_of_the_part() -> None:
    learner = protonet()
    expected = by_hand(learner, lambda x: x.astype(np.float32) / np.float32(255))
    found = query_logits(learner, split(), **SIZE).logits
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    same = evaluate(MetaModel(learner), split(), **SIZE)
    np.testing.assert_array_equal(
        evaluate(learner, split(), **SIZE).scores, same.scores
    )


def test_raw_pictures_are_scored_for_a_learner_without_a_net() -> None:
    found = query_logits(NearestNeighbour(), split(), **SIZE).logits
    scaled = split().x.astype(np.float32) / np.float32(255)
    floats = Split("test", scaled, split().y, split().class_names)
    np.testing.assert_allclose(
        found, query_logits(NearestNeighbour(), floats, **SIZE).logits, rtol=1e-5
    )


def test_a_preparation_that_does_not_fit_is_refused() -> None:
    model = MetaModel(protonet(), prepare=AsDict())
    with pytest.raises(ValueError, match="inputs do not fit the net. It takes support"):
        evaluate(model, split(), **SIZE)


def test_whose_preparation_it_is() -> None:
    own = Preparation(Affine())
    assert preparation_of(MetaModel(protonet(), prepare=own), split()) is own
    part = split()
    assert preparation_of(protonet(), part) is part.prepare


def test_a_picture_shows_raw_pixels_and_prepared_answers(monkeypatch) -> None:
    shown = []
    monkeypatch.setattr(
        sys.modules[episode_picture.__module__],
        "_show",
        lambda axis, image, *rest: shown.append((image, rest)),
    )
    model = MetaModel(protonet(), prepare=keras.layers.Rescaling(0.1))
    episode_picture(model, split(), io.BytesIO(), way=4, shot=1, query=2)
    assert len(shown) == 4 * 3
    raw = {image.tobytes() for image in pixels(20, seed=1)}
    assert all(i.dtype == np.uint8 and i.tobytes() in raw for i, _ in shown)
    assert shown[0][0].shape == SHAPE
    # The first query's answer and probability.
    logits = by_hand(model.learner, lambda x: x.astype(np.float32) * np.float32(0.1))
    sure = f"{tf.nn.softmax(logits).numpy()[0].max():.2f}"
    assert shown[1][1][0] == f"{logits[0].argmax() + 1}: {sure}"
