"""What the base class offers to learners of one's own."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta import Episode, Examples, Labels, MetaModel, Options, Values
from tfmeta.core import Batch
from tfmeta.layers import BatchNorm
from tfmeta.learners import MAML, Learner, NearestNeighbour, ProtoNet
from tfmeta.nets import fresh, mlp


def normed(name: str, size: int = 3) -> keras.Model:
    layers = [keras.Input((size,)), keras.layers.Dense(2), BatchNorm(momentum=0.5)]
    return keras.Sequential(layers, name=name)


@keras.saving.register_keras_serializable("tfmeta_tests")
class TwoBodies(Learner):
    """Embeds support and queries with nets of their own, and shifts by a descriptor."""

    def __init__(self, net, other, *, normalisation="running", **kwargs):
        super().__init__(net, normalisation=normalisation, **kwargs)
        self.other = other
        self.other_body = self.add_body(other)

    def adapt(self, support, options):
        z, state = self.body.support(support.x, options)
        _, other = self.other_body.support(support.x, options)
        means = tf.math.unsorted_segment_mean(z, support.y, 2)
        return means, {"deep": [other]}, state

    def predict(self, adapted, x, options):
        means, others, _ = adapted
        z = self.other_body.query(x, others["deep"][0], options)
        if options.task != ():
            z += options.task["shift"]
        return -tf.reduce_sum((z[:, None] - means[None]) ** 2, -1)


def tasks(seed: int = 0, count: int = 4):
    draws = np.random.default_rng(seed)
    y = np.tile(np.int32([0, 1, 0, 1]), (count, 1))
    x = draws.normal(size=(count, 4, 3)).astype("float32") + y[..., None]
    return {"support_x": x, "support_y": y, "query_x": x + 0.1}, y


def test_statistics_are_those_of_all_bodies_whatever_adapted_is() -> None:
    learner = TwoBodies(normed("a"), normed("b"))
    assert learner.statistics == [
        *learner.body.statistics,
        *learner.other_body.statistics,
    ]
    model = MetaModel(learner, task_map="loop")
    model.compile(keras.optimizers.SGD(0.0))
    x, y = tasks()
    model.meta_step((x, y))
    for net in (learner.net, learner.other):
        norm = net.layers[1]
        means = [net.layers[0](task).numpy().mean(0) for task in x["support_x"]]
        # Half of the old average, which was zero, and half of the tasks' mean.
        np.testing.assert_allclose(
            norm.moving_mean, 0.5 * np.mean(means, 0), rtol=1e-4, atol=1e-5
        )
        np.testing.assert_allclose(norm.weight, 0.5)


def test_a_learner_of_two_nets_is_saved_and_loaded() -> None:
    learner = TwoBodies(normed("a"), normed("b"), normalisation="support")
    again = TwoBodies.from_config(learner.get_config())
    assert again.mode == "support" and len(again.bodies) == 2
    assert len(again.trainable_variables) == len(learner.trainable_variables) == 8


def test_a_task_is_told_its_descriptor() -> None:
    learner = TwoBodies(normed("a"), normed("b"))
    x, y = tasks()
    shift = np.float32([[0.0, 0.0], [1.0, -1.0], [0.0, 2.0], [3.0, 3.0]])
    plain = learner.answer(x)
    told = learner.answer({**x, "task_x": {"shift": shift}})
    np.testing.assert_allclose(told[0], plain[0], rtol=1e-5)
    for i in range(1, 4):
        support = Examples(*(tf.constant(x[f"support_{n}"][i]) for n in "xy"))
        options = Options(task={"shift": tf.constant(shift[i])})
        adapted = learner.adapt(support, options)
        one = learner.predict(adapted, tf.constant(x["query_x"][i]), options)
        np.testing.assert_allclose(told[i], one, rtol=1e-4, atol=1e-4)
        assert np.abs(told[i] - plain[i]).max() > 0.1
    model = MetaModel(learner, task_map="loop")
    model.compile("sgd")
    losses, *_ = model.meta_gradients({**x, "task_x": {"shift": shift}}, y)
    assert len(set(np.round(losses.numpy(), 6).tolist())) == 4


@keras.saving.register_keras_serializable("tfmeta_tests")
class Counting(Learner):
    """Has statistics of its own, and writes the outer step into its answers."""

    def __init__(self, net, **kwargs):
        super().__init__(net, **kwargs)
        self.seen = self.add_weight(shape=(), initializer="zeros", trainable=False)

    @property
    def statistics(self):
        return [*super().statistics, self.seen]

    def new_statistics(self, adapted):
        return [*super().new_statistics(adapted), self.seen.value + adapted["count"]]

    def adapt(self, support, options):
        count = tf.cast(tf.shape(support.y)[0], tf.float32)
        return {"count": count}

    def predict(self, adapted, x, options):
        z, _ = self.body.support(x, options)
        if options.outer_step is not None:
            z += 0 * tf.cast(options.outer_step, z.dtype)
        return z


@pytest.mark.parametrize("mode", ["none", "support", "task"])
def test_a_learner_may_add_statistics_of_its_own(mode: str) -> None:
    net = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    if mode == "none":
        learner = Counting(net)
    else:
        learner = Counting(normed("a"), normalisation=mode)
    model = MetaModel(learner, task_map="loop")
    model.compile("sgd")
    for steps in (1, 2):
        model.meta_step(tasks())
        assert model.learner.seen.numpy() == 4.0 * steps  # The tasks' mean, not sum.


def test_outer_steps_are_told() -> None:
    told = []

    class Telling(ProtoNet):
        def predict(self, adapted, x, options):
            told.append(options.outer_step)
            return super().predict(adapted, x, options)

    model = MetaModel(Telling(mlp(input_shape=(3,))), task_map="loop")
    model.compile(keras.optimizers.SGD(0.1))
    model.meta_step(tasks())
    assert told[0] is not None
    model(tasks()[0])
    assert told[-1] is None


def test_targets_are_told_or_found() -> None:
    one, two = (MAML(mlp(outputs=n, input_shape=(3,))) for n in (1, 2))
    ints, floats = tf.constant([0, 1]), tf.constant([[0.5], [1.0]])
    assert one.targets is None and one.targets_for() == Values()
    assert two.targets_for() == Labels()
    assert one.targets_for(ints) == Labels() and two.targets_for(floats) == Values()
    told = MAML(mlp(outputs=1, input_shape=(3,)), targets="values")
    assert told.targets_for(ints) == Values()
    assert ProtoNet(mlp(input_shape=(3,))).targets == Labels()
    one.adapt(Examples(tf.ones((2, 3)), floats), Options())
    assert one.targets is None  # The verb sets nothing.
    with pytest.raises(ValueError, match="one of labels, values"):
        MAML(mlp(outputs=1), targets="classes")


@pytest.mark.parametrize(
    "last",
    [
        keras.layers.Activation("tanh"),
        keras.layers.Reshape((1, 1)),
        keras.layers.Rescaling(3.0),
    ],
)
def test_a_learner_of_values_answers_with_whatever_the_net_gives(last) -> None:
    net = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1), last])
    y = tf.reshape(tf.constant([0.5, 1.0]), (2, *net.output_shape[1:]))
    learner = MAML(net, targets="values")
    adapted = learner.adapt(Examples(tf.ones((2, 3)), y), Options())
    assert learner.predict(adapted, tf.ones((2, 3)), Options()).shape == y.shape
    again = MAML.from_config(learner.get_config())
    assert again.max_way == learner.max_way == 1
    with pytest.raises(ValueError, match='targets="values"'):
        MAML(keras.models.clone_model(net)).adapt(
            Examples(tf.ones((2, 3)), y), Options()
        )


@pytest.mark.parametrize("dtype", ["int64", "uint8", "int8", "bool"])
def test_labels_of_any_whole_type(dtype: str) -> None:
    model = MetaModel(MAML(mlp(outputs=2, input_shape=(3,))), task_map="loop")
    model.compile(keras.optimizers.SGD(0.1))
    x, y = tasks()
    expected, *_ = model.meta_gradients(x, y)
    x["support_y"] = x["support_y"].astype(dtype)
    losses, *_ = model.meta_gradients(x, y.astype(dtype))
    np.testing.assert_array_equal(losses, expected)
    np.testing.assert_array_equal(model(x), model({**x, "support_y": y}))


def test_whole_numbers_are_values_where_a_learner_was_told() -> None:
    learner = MAML(mlp(outputs=1, input_shape=(3,)), targets="values")
    y = tf.constant([[1], [3]])
    episode = Episode(Examples(tf.ones((2, 3)), y), Examples(tf.ones((2, 3)), y))
    loss, outputs = learner.loss(episode, Options(training=True))
    predictions = outputs["predictions"].numpy()
    np.testing.assert_allclose(loss, np.mean((predictions - [[1], [3]]) ** 2), 1e-5)


def test_verbs_of_the_old_shape_are_refused() -> None:
    class Old(Learner):
        def adapt(self, support, *, training=False, steps=None, seed=None):
            return support

    with pytest.raises(ValueError, match="Old.adapt must take `options`"):
        Old()


def test_what_a_learner_cannot_is_said() -> None:
    learner = MAML(mlp(outputs=2, input_shape=(3,)))
    support = Examples(tf.ones((2, 3)), tf.constant([0, 1]))
    assert not learner.extends
    with pytest.raises(ValueError, match="MAML learns all examples of a task together"):
        learner.extend(learner.adapt(support, Options()), support, Options())
    with pytest.raises(ValueError, match="takes no inner steps"):
        NearestNeighbour().trajectory(support, Options(steps=1))


def test_padding_is_cut_off_and_comes_back_as_zeros() -> None:
    learner = NearestNeighbour()
    x, _ = tasks()
    counts = {
        "support_count": np.int32([4, 3, 4, 2]),
        "query_count": np.int32([4, 2, 3, 1]),
    }
    ragged = learner.answer({**x, **counts})
    for i in range(4):
        s, q = counts["support_count"][i], counts["query_count"][i]
        one = {n: v[i : i + 1] for n, v in x.items()}
        one = {
            "support_x": one["support_x"][:, :s],
            "support_y": one["support_y"][:, :s],
            "query_x": one["query_x"][:, :q],
        }
        np.testing.assert_allclose(ragged[i, :q], learner.answer(one)[0], rtol=1e-5)
        assert not np.any(ragged[i, q:])
    assert Batch.read({**x, **counts}).counts is not None


@keras.saving.register_keras_serializable("tfmeta_tests")
class Gaussian(Values):
    """Values whose loss is the negative log-likelihood of a mean and a deviation."""

    def loss(self, predictions, y):
        deviation = tf.exp(predictions["log_deviation"])
        z = (predictions["mean"] - y) / deviation
        return tf.reduce_mean(0.5 * z**2 + predictions["log_deviation"])


def mean_and_deviation() -> keras.Model:
    inputs = keras.Input((3,))
    x = keras.layers.Dense(8, activation="tanh")(inputs)
    names = ("mean", "log_deviation")
    return keras.Model(inputs, {n: keras.layers.Dense(1, name=n)(x) for n in names})


def test_maml_of_a_net_that_gives_a_mean_and_a_deviation() -> None:
    net = fresh(mean_and_deviation(), seed=0)
    learner = MAML(net, targets=Gaussian(), inner_lr=0.01)
    draws = np.random.default_rng(0)
    x = draws.normal(size=(6, 8, 3)).astype("float32")
    y = (x @ draws.normal(size=(6, 3, 1))).astype("float32")
    batch = {"support_x": x[:, :4], "support_y": y[:, :4], "query_x": x[:, 4:]}
    model = MetaModel(learner, task_map="loop")
    model.compile(keras.optimizers.Adam(0.02))
    step = tf.function(model.meta_step, autograph=False)
    losses = [step((batch, y[:, 4:]))["task_losses"].numpy() for _ in range(60)]
    assert losses[-1].mean() < losses[0].mean() - 0.3
    predictions = model(batch)
    assert {n: p.shape for n, p in predictions.items()} == {
        "mean": (6, 4, 1),
        "log_deviation": (6, 4, 1),
    }
    again = MAML.from_config(learner.get_config())
    assert again.targets == Gaussian() and again.max_way == 1
