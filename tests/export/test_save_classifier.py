"""One adapted classifier as a SavedModel."""

from __future__ import annotations

import os

import numpy as np
import pytest
import tensorflow as tf

from tfmeta import export, learners
from tfmeta.core import Examples, Options
from tfmeta.nets import conv4, fresh, mlp

X = np.random.default_rng(0).random((5, 3)).astype(np.float32)
Y = np.array([0, 1, 1, 2, 0], np.int32)
QUERY = np.random.default_rng(1).random((4, 3)).astype(np.float32)


def proto() -> learners.ProtoNet:
    return learners.ProtoNet(fresh(mlp(units=(5,), input_shape=(3,)), seed=0))


def adapted(learner):
    return learner.adapt(Examples(tf.constant(X), tf.constant(Y)), Options())


def serve(folder):
    """The signature; it keeps its model alive."""
    model = tf.saved_model.load(str(folder))

    def ask(x):
        return {
            name: value.numpy()
            for name, value in model.signatures["serving_default"](
                query_x=tf.constant(x)
            ).items()
        }

    return ask


@pytest.mark.parametrize(
    "learner",
    [
        proto(),
        # A head of more outputs than the task has classes.
        learners.MAML(
            fresh(mlp(outputs=6, units=(5,), input_shape=(3,)), seed=0), inner_steps=2
        ),
    ],
)
def test_it_answers_with_names(learner, tmp_path):
    state = adapted(learner)
    names = ["wren", b"owl", 3]
    folder = export.save_classifier(learner, state, names, tmp_path / "birds")
    assert folder == tmp_path / "birds" / "1"
    answer = serve(folder)(QUERY)
    wanted = tf.nn.softmax(
        learner.predict(state, tf.constant(QUERY), Options())
    ).numpy()[:, :3]
    np.testing.assert_allclose(answer["probabilities"], wanted, atol=1e-5)
    assert answer["labels"].dtype == np.int32
    np.testing.assert_array_equal(answer["labels"], wanted.argmax(-1))
    told = [[b"wren", b"owl", b"3"][i] for i in wanted.argmax(-1)]
    assert answer["names"].tolist() == told


def test_it_only_predicts_and_refuses_nan(tmp_path):
    learner = proto()
    folder = export.save_classifier(learner, adapted(learner), "abc", tmp_path / "2")
    assert folder == tmp_path / "2"
    ask = serve(folder)
    assert set(tf.saved_model.load(str(folder)).signatures) == {
        "predict",
        "serving_default",
    }
    assert ask(QUERY[:0])["names"].shape == (0,)
    with pytest.raises(tf.errors.InvalidArgumentError, match="query_x has a value"):
        ask(QUERY * np.nan)
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert "* Classes: a, b, c." in text


def test_adapted_weights_are_saved_and_the_others_are_not(tmp_path):
    net = mlp(outputs=3, units=(5,), input_shape=(3,))
    learner = learners.MAML(net)
    state = adapted(learner)
    folder = export.save_classifier(learner, state, "abc", tmp_path)
    saved = tf.train.list_variables(str(folder / "variables" / "variables"))
    # One entry more is the graph of objects.
    assert len(saved) == len(tf.nest.flatten(state)) + 1


def test_transductive_normalisation_needs_the_flag(tmp_path):
    net = conv4(filters=2, strided=True, input_shape=(1, 3, 1))
    learner = learners.ProtoNet(net, normalisation="task")
    x = tf.constant(X[..., None][:, None])
    state = learner.adapt(Examples(x, tf.constant(Y)), Options())
    with pytest.raises(ValueError, match="allow_transductive=True"):
        export.save_classifier(learner, state, "abc", tmp_path / "a")
    assert not os.listdir(tmp_path)
    export.save_classifier(
        learner, state, "abc", tmp_path / "a", allow_transductive=True
    )


def test_no_classes_are_refused(tmp_path):
    learner = proto()
    with pytest.raises(ValueError, match="at least one class"):
        export.save_classifier(learner, adapted(learner), [], tmp_path / "a")
