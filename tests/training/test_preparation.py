"""Raw inputs are prepared alike wherever a model takes them."""

from __future__ import annotations

import json
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf
from preparation_cases import (
    SHAPE,
    Affine,
    AsDict,
    embedding,
    normal,
    pixels,
    protonet,
    source,
)

from tfmeta import MetaModel
from tfmeta.data import Split, episodes
from tfmeta.data.prepare.preparation import Preparation
from tfmeta.learners import MAML, FineTune, ProtoNet
from tfmeta.nets import conv4, fresh
from tfmeta.training import PretrainModel, pretrain

SIZE = dict(way=4, shot=1, query=3, tasks=3)


def stream(x=None, **options) -> tf.data.Dataset:
    return episodes(source(x=x).train, **{**SIZE, **options})


def fitted(data, steps=4, learner=None, **options) -> MetaModel:
    model = MetaModel(learner or protonet(), **{"task_map": "loop", **options})
    model.compile(keras.optimizers.Adam(0.01))
    model.fit(data, steps_per_epoch=steps, verbose=0)
    return model


def weights(model) -> list[np.ndarray]:
    return [np.asarray(v) for v in model.learner.variables]


def assert_same(a, b) -> None:
    for one, other in zip(a, b, strict=True):
        np.testing.assert_array_equal(one, other)


def conv_maml() -> MAML:
    net = fresh(conv4(way=4, filters=4, strided=True, input_shape=SHAPE), seed=0)
    return MAML(net, inner_steps=2, inner_lr=0.1)


@pytest.mark.parametrize("make", [conv_maml, protonet])
def test_predict_and_adapt_answer_alike_on_raw_pictures(make) -> None:
    model = fitted(stream(), learner=make())
    x, y = next(iter(stream(seed=7, tasks=8)))
    batches = tf.nn.softmax(model.predict(x, verbose=0)).numpy()
    for task in range(8):
        adapted = model.adapt(x["support_x"][task].numpy(), x["support_y"][task])
        alone = adapted.predict(x["query_x"][task].numpy())
        np.testing.assert_allclose(alone, batches[task], atol=1e-5)
        np.testing.assert_array_equal(alone.argmax(-1), batches[task].argmax(-1))


def test_ones_own_dataset_of_raw_pictures_trains_the_same_weights() -> None:
    batches = [tf.nest.map_structure(np.asarray, b) for b in stream().take(4)]

    def own():
        yield from batches

    spec = tf.nest.map_structure(tf.type_spec_from_value, next(iter(stream())))
    data = tf.data.Dataset.from_generator(own, output_signature=spec)
    assert_same(weights(fitted(data)), weights(fitted(stream())))


def test_floats_in_0_to_1_count_as_scaled_to_the_bit() -> None:
    scaled = pixels(80).astype(np.float32) / np.float32(255)
    assert_same(weights(fitted(stream(scaled))), weights(fitted(stream())))


@pytest.mark.parametrize("task_map", ["loop", "compiled"])
def test_a_preparation_of_ones_own_is_applied_before_the_tasks(task_map) -> None:
    """uint8 by Rescaling is training on the floats it makes."""
    rescaled = pixels(80).astype(np.float32) * np.float32(0.01)
    layer = keras.layers.Rescaling(0.01)
    own = fitted(stream(), prepare=layer, task_map=task_map)
    plain = fitted(stream(rescaled), task_map=task_map)
    for a, b in zip(weights(own), weights(plain), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_strings_are_prepared_outside_of_compiled_tasks() -> None:
    """A string operation cannot run inside a compiled task."""
    words = np.array([f"w{i // 4}" for i in range(80)])[:, None]
    lookup = keras.layers.StringLookup(
        vocabulary=sorted(set(words.ravel())), output_mode="one_hot"
    )
    model = MetaModel(ProtoNet(embedding((21,))), prepare=lookup, task_map="compiled")
    model.compile("adam")
    names = [f"class{i}" for i in range(20)]
    part = Split("train", words, np.repeat(np.arange(20), 4), names)
    model.fit(episodes(part, **SIZE), steps_per_epoch=2, verbose=0)
    adapted = model.adapt([["w1"], ["w2"]], ["a", "b"])
    assert adapted.classify([["w2"], ["w1"], ["w2"]]).tolist() == ["b", "a", "b"]


def test_a_preparation_is_not_trained() -> None:
    layer = Affine(0.02)
    model = fitted(stream(), prepare=layer)
    assert float(layer.scale.value) == np.float32(0.02)
    assert not layer.trainable_variables
    ids = {id(v) for v in model.trained} | {id(v) for v in model.trainable_variables}
    assert not ids & {id(v) for v in layer.variables}
    assert len(model.trainable_variables) == len(model.learner.trainable_variables)


@pytest.mark.parametrize("make", [normal, lambda: Affine(0.02), lambda: None])
def test_a_keras_file_keeps_the_preparation_with_its_weights(make, tmp_path) -> None:
    model = fitted(stream(), prepare=make())
    x, _ = next(iter(stream(seed=7)))
    if isinstance(model.prepare.layer, Affine):
        model.prepare.layer.moved.assign([0.3])
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(again.prepare, Preparation)
    assert type(again.prepare.layer) is type(model.prepare.layer)
    assert_same([model.predict(x, verbose=0)], [again.predict(x, verbose=0)])
    again.fit(stream(), steps_per_epoch=1, verbose=0)


def test_an_older_keras_file_gets_the_default(tmp_path) -> None:
    model = fitted(stream())
    model.save(tmp_path / "new.keras")
    with (
        zipfile.ZipFile(tmp_path / "new.keras") as new,
        zipfile.ZipFile(tmp_path / "old.keras", "w") as old,
    ):
        for name in new.namelist():
            content = new.read(name)
            if name == "config.json":
                config = json.loads(content)
                del config["config"]["prepare"]
                content = json.dumps(config).encode()
            old.writestr(name, content)
    again = keras.models.load_model(tmp_path / "old.keras")
    x, _ = next(iter(stream(seed=7)))
    assert_same([model.predict(x, verbose=0)], [again.predict(x, verbose=0)])


class Cut(keras.layers.Layer):
    """Another shape."""

    def call(self, x):
        return tf.cast(x[:, 1:], tf.float32)


def words_net() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((5,), dtype="int32"),
            keras.layers.Embedding(10, 4),
            keras.layers.GlobalAveragePooling1D(),
        ]
    )


UNFIT = [
    (AsDict(), "makes x_x of|_x of uint8"),
    (Cut(), r"ScalePictures|preparation Cut makes .* \(examples, 5, 6, 1\)"),
]


@pytest.mark.parametrize(("layer", "words"), UNFIT)
def test_a_preparation_that_does_not_fit_is_refused_before_training(
    layer, words
) -> None:
    model = MetaModel(protonet(), prepare=layer)
    model.compile("adam")
    with pytest.raises(ValueError, match=f"do not fit the net. .*{words}"):
        model.fit(stream(), steps_per_epoch=1, verbose=0)
    with pytest.raises(ValueError, match="do not fit the net"):
        model.adapt(pixels(4), [0, 1, 2, 3])


def test_floats_for_a_net_of_whole_numbers_are_refused() -> None:
    tokens = np.random.default_rng(0).integers(0, 9, (80, 5))
    model = MetaModel(ProtoNet(words_net()), prepare=keras.layers.Rescaling(0.5))
    model.compile("adam")
    told = "do not fit the net. It takes support_x of int32 .*Rescaling makes .*float32"
    with pytest.raises(ValueError, match=told):
        model.fit(stream(tokens), steps_per_epoch=1, verbose=0)
    with pytest.raises(ValueError, match=told):
        model.adapt(tokens[:2], [0, 1])


def test_a_layer_that_fails_on_the_inputs_is_told_in_a_sentence() -> None:
    model = MetaModel(protonet(), prepare=keras.layers.Dense(3))
    model.prepare.layer.build((None, 7))
    model.compile("adam")
    with pytest.raises(ValueError, match="preparation Dense cannot take support_x: "):
        model.fit(stream(), steps_per_epoch=1, verbose=0)


def test_where_the_net_takes_whole_numbers_nothing_is_divided() -> None:
    grid = np.random.default_rng(0).integers(0, 9, (80, 5, 5, 1)).astype(np.uint8)
    net = keras.Sequential(
        [
            keras.Input((5, 5, 1), dtype="int32"),
            keras.layers.Flatten(),
            keras.layers.Embedding(10, 4),
            keras.layers.GlobalAveragePooling1D(),
        ]
    )
    for prepare in (None, source(x=grid).prepare):
        model = fitted(stream(grid), learner=ProtoNet(net), prepare=prepare)
        assert model.prepare(grid).dtype == tf.uint8
        model.adapt(grid[:2], [0, 1]).predict(grid[2:5])


def test_pretraining_prepares_too() -> None:
    part = source().train
    scaled = source(x=pixels(80).astype(np.float32) / np.float32(255)).train
    trained = []
    for data in (part, scaled):
        net = embedding()
        pretrain(net, data, steps=3, batch_size=8, verbose=0)
        trained.append([np.asarray(v) for v in net.variables])
    assert_same(*trained)
    model = PretrainModel(FineTune(embedding()), 10, prepare=Affine(0.02))
    x = pixels(8)
    logits = model.predict(x, verbose=0)
    inner = model.objective(model.learner.net(x.astype(np.float32) * 0.02))
    np.testing.assert_allclose(logits, inner, rtol=1e-5, atol=1e-5)
    with pytest.raises(ValueError, match="do not fit the net"):
        PretrainModel(FineTune(embedding()), 10, prepare=Cut()).check_batch(
            (x, np.zeros(8))
        )


def test_padded_tasks_are_prepared() -> None:
    options = dict(shot=(1, 3), query=1, unequal_shots=True)
    scaled = pixels(80).astype(np.float32) / np.float32(255)
    a, b = (fitted(stream(x, **options)) for x in (None, scaled))
    assert_same(weights(a), weights(b))


# bfloat16 rounds to 3 digits, and a batch of tasks may take another kernel than one.
@pytest.mark.parametrize(
    ("policy", "atol"), [("float64", 1e-5), ("mixed_bfloat16", 0.03)]
)
def test_under_another_policy_the_net_gets_its_own_dtype(policy, atol) -> None:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = fitted(stream(), steps=1)
        x, _ = next(iter(stream(seed=7)))
        batches = tf.nn.softmax(model.predict(x, verbose=0)).numpy()
        adapted = model.adapt(x["support_x"][0].numpy(), x["support_y"][0])
        alone = adapted.predict(x["query_x"][0].numpy())
        np.testing.assert_allclose(alone, batches[0], rtol=0, atol=atol)
    finally:
        keras.config.set_dtype_policy(before)
