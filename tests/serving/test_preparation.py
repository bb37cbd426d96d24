"""An adapted task takes raw inputs, and warns of those unlike meta-training's."""

from __future__ import annotations

import warnings

import keras
import numpy as np
import pytest
from preparation_cases import Affine, embedding, pixels, protonet, source

from tfmeta import MetaModel
from tfmeta.data.prepare.preparation import Preparation
from tfmeta.learners import NearestNeighbour, ProtoNet
from tfmeta.serving import AdaptedClassifier, adapted_task
from tfmeta.serving.base import AT_ONCE

NAMES = ["a", "b", "c", "d"]
X = pixels(80)
SUPPORT, QUERIES = X[::4][:4], X[1:16:4]


def test_all_that_a_classifier_is_asked_is_prepared() -> None:
    layer = keras.layers.Rescaling(0.01)
    model = MetaModel(protonet(), prepare=layer)
    plain = MetaModel(protonet(), prepare=keras.layers.Identity())
    made = X.astype(np.float32) * np.float32(0.01)
    raw = model.adapt(SUPPORT, NAMES)
    floats = plain.adapt(made[::4][:4], NAMES)
    for each, x in ((raw, X), (floats, made)):
        each.add_class(x[17:19], "e")
    np.testing.assert_allclose(raw.predict(X), floats.predict(made), atol=1e-6)
    assert raw.classify(QUERIES).tolist() == floats.classify(made[1:16:4]).tolist()
    assert raw.evaluate(QUERIES, NAMES) == floats.evaluate(made[1:16:4], NAMES)


def test_a_learner_alone_has_the_default_preparation() -> None:
    scaled = X.astype(np.float32) / np.float32(255)
    for learner in (protonet(), NearestNeighbour()):
        one = AdaptedClassifier(learner, SUPPORT, NAMES).predict(X)
        other = AdaptedClassifier(learner, scaled[::4][:4], NAMES).predict(scaled)
        np.testing.assert_array_equal(one, other)


def test_many_examples_are_prepared_some_at_a_time() -> None:
    sizes = []

    class Watched(keras.layers.Layer):
        def call(self, x):
            sizes.append(len(x))
            return x / 255

    many = np.tile(X, (4, 1, 1, 1))
    task = AdaptedClassifier(protonet(), SUPPORT, NAMES, prepare=Watched())
    whole = task.predict(many)
    assert max(sizes) == AT_ONCE and sum(sizes) == 4 + len(many)
    np.testing.assert_allclose(whole[:80], whole[80:160], atol=1e-6)


def test_words_are_taken_where_the_preparation_takes_them() -> None:
    lookup = keras.layers.StringLookup(
        vocabulary=["owl", "wren"], output_mode="one_hot"
    )
    learner = ProtoNet(embedding((3,)))
    task = adapted_task(learner, [["owl"], ["wren"]], [0, 1], prepare=lookup)
    assert task.classify([["wren"], ["owl"]]).tolist() == [1, 0]
    with pytest.raises(ValueError, match="support_x must be an array of numbers"):
        adapted_task(learner, [["owl", "a", "b"]], [0])


def test_what_is_missing_may_be_filled_in() -> None:
    """NaN is refused only where the preparation leaves it."""

    class Filled(keras.layers.Layer):
        def call(self, x):
            return keras.ops.where(keras.ops.isnan(x), 0.0, x)

    x = np.float32([[1, np.nan, 0], [0, 1, 2]])
    learner = ProtoNet(embedding((3,)))
    filled = adapted_task(learner, x, [0, 1], prepare=Filled())
    plain = adapted_task(learner, np.nan_to_num(x), [0, 1])
    np.testing.assert_array_equal(filled.predict(x), plain.predict(np.nan_to_num(x)))
    with pytest.raises(ValueError, match="NaN or infinite"):
        adapted_task(learner, x, [0, 1])


def scaled_by_hand(x) -> np.ndarray:
    return x.astype(np.float32)


def test_inputs_far_outside_are_warned_of_once_for_each_model() -> None:
    model = MetaModel(protonet(), prepare=source().prepare)
    task = model.adapt(SUPPORT, NAMES)
    wrong = scaled_by_hand(SUPPORT)  # In 0..255, and floats count as scaled.
    told = r"support_x must be like .* 0\.\.1 when prepared. Received: 2\d\d. .*255"
    with pytest.warns(UserWarning, match=told):
        model.adapt(wrong, NAMES)
    task.predict(wrong)  # Warnings are errors in tests: no second one.
    model.adapt(wrong, NAMES)
    another = MetaModel(protonet(), prepare=model.prepare)
    task = another.adapt(SUPPORT, NAMES)
    with pytest.warns(UserWarning, match="^x must be like the inputs"):
        task.predict(wrong)


def test_nothing_else_warns() -> None:
    model = MetaModel(protonet(), prepare=source().prepare)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.adapt(SUPPORT, NAMES).predict(QUERIES)
        model.adapt(SUPPORT / 128, NAMES)  # Up to 2 lies within three times the range.
        MetaModel(protonet()).adapt(scaled_by_hand(SUPPORT), NAMES)
        batch = {
            "support_x": scaled_by_hand(SUPPORT)[None],
            "support_y": np.arange(4)[None],
            "query_x": scaled_by_hand(SUPPORT)[None],
        }
        model.predict(batch, verbose=0)


def test_a_table_is_told_of_its_own_range() -> None:
    prepare = Preparation(Affine(0.5), low=[0], high=[10])
    model = MetaModel(ProtoNet(embedding((3,))), prepare=prepare)
    with pytest.warns(
        UserWarning, match="in 0..10 when .*Received: 25. Give inputs in"
    ):
        model.adapt(np.float32([[1, 2, 3], [4, 5, 50]]), [0, 1])
