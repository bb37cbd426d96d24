"""Sentences for those who call a `MetaModel` as they call any Keras model."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from learner_cases import FEATURES, MAX_WAY, plain

from tfmeta import MetaModel
from tfmeta.data import episodes, from_arrays
from tfmeta.learners import MAML, ProtoNet
from tfmeta.training import Stream, Trainer, pretrain

PICTURES, LABELS = np.zeros((8, *FEATURES), "float32"), np.repeat([0, 1], 4)
PAIRS = tf.data.Dataset.from_tensor_slices((PICTURES, LABELS)).batch(4)
DATA = from_arrays(
    np.random.default_rng(0).normal(size=(90, *FEATURES)).astype("float32"),
    np.repeat(np.arange(9), 10),
    split=(0.34, 0.33, 0.33),
)
SIZE = dict(way=3, shot=1, query=2, tasks=2)
ENDLESS = episodes(DATA.train, **SIZE)
BATCHES = episodes(DATA.train, **SIZE, count=4)
X, Y = next(iter(BATCHES))
SINGLE = tf.nest.map_structure(lambda t: t[0], (X, Y))
NO_EPISODES = "takes batches of episodes"
NO_TASKS = "begins with an axis of tasks"


def model(learner=None, *, compiled: bool = True) -> MetaModel:
    made = MetaModel(learner or ProtoNet(plain()), task_map="loop")
    if compiled:
        made.compile()
    return made


@pytest.mark.parametrize(
    ("verb", "given", "sentence"),
    [
        ("fit", (PICTURES, LABELS), rf"{NO_EPISODES}.*float32 \(8, .*from_arrays"),
        ("fit", (PAIRS,), rf"{NO_EPISODES}.*a dataset of \(float32 \(None, "),
        ("fit", (((PICTURES, LABELS) for _ in range(2)),), NO_EPISODES),
        ("fit", (DATA,), r"Received: Source.*episodes\(source.train, way="),
        ("fit", (DATA.train,), r"Received: Split.*episodes\(the part, way="),
        ("fit", (X,), "Give y"),
        ("fit", ({**X, "support_x": [[[1.0]]]}, Y), "support_x must be an array"),
        ("fit", SINGLE, NO_TASKS),
        ("fit", (BATCHES.unbatch(),), NO_TASKS),
        ("evaluate", (PICTURES, LABELS), NO_EPISODES),
        ("evaluate", (PAIRS,), NO_EPISODES),
        ("evaluate", SINGLE, NO_TASKS),
        ("evaluate", (X,), "Give y"),
        ("evaluate", (X, Y + 5), "of a class that its support set has"),
        ("predict", (PICTURES,), NO_EPISODES),
        ("predict", (PAIRS,), NO_EPISODES),
        ("predict", SINGLE[:1], NO_TASKS),
        ("predict", (DATA.test,), "Received: Split"),
        ("__call__", (PICTURES,), NO_EPISODES),
        ("__call__", SINGLE[:1], NO_TASKS),
        ("train_on_batch", (PICTURES, LABELS), NO_EPISODES),
        ("train_on_batch", SINGLE, NO_TASKS),
        ("test_on_batch", (PICTURES, LABELS), NO_EPISODES),
        ("predict_on_batch", (PICTURES,), NO_EPISODES),
        ("predict_on_batch", SINGLE[:1], NO_TASKS),
    ],
)
def test_what_is_no_batch_of_episodes_is_refused(verb, given, sentence) -> None:
    with pytest.raises(ValueError, match=sentence) as caught:
        getattr(model(), verb)(*given)
    assert "\n" not in str(caught.value)  # Keras adds nothing to the sentence.


def test_a_single_episode_of_values_is_refused() -> None:
    learner = MAML(plain(1), targets="values", first_order=True)
    x, y = tf.zeros((2, 5, *FEATURES)), tf.zeros((2, 5, 1))
    batch = {"support_x": x, "support_y": y, "query_x": x}, y
    made = model(learner)
    made.fit(*batch, verbose=0)
    assert made.predict(batch[0], verbose=0).shape == (2, 5, 1)
    with pytest.raises(ValueError, match=NO_TASKS):
        made.fit(*tf.nest.map_structure(lambda t: t[0], batch))


def test_what_the_sentences_advise_works() -> None:
    made = model()
    x, y = tf.nest.map_structure(lambda t: t[None], SINGLE)
    made.fit(x, y, verbose=0)
    made.fit(BATCHES.unbatch().batch(1), verbose=0)
    metric = keras.metrics.SparseCategoricalCrossentropy(from_logits=True, name="nats")
    made.compile(metrics=[metric, "sparse_categorical_accuracy"])
    scores = made.evaluate(BATCHES, verbose=0, return_dict=True)
    assert scores["nats"] == pytest.approx(scores["loss"], rel=1e-5)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ((PICTURES, LABELS), NO_EPISODES),
        (PAIRS, NO_EPISODES),
        (DATA.val, "Received: Split"),
        (SINGLE, NO_TASKS),
        (ENDLESS, "Give validation_steps"),
    ],
)
def test_validation_data_are_refused_before_training(data, sentence) -> None:
    made = model()
    with pytest.raises(ValueError, match=sentence):
        made.fit(BATCHES, validation_data=data, verbose=0)
    assert int(made.optimizer.iterations) == 0


def test_an_endless_dataset_needs_a_number_of_batches() -> None:
    for call, name in (
        (model().fit, "steps_per_epoch"),
        (model().evaluate, "steps"),
        (model().predict, "steps"),
    ):
        with pytest.raises(ValueError, match=f"Give {name}, or give .* a count"):
            call(ENDLESS, verbose=0)
    model().fit(ENDLESS, steps_per_epoch=1, verbose=0)


@pytest.mark.parametrize("verb", ["fit", "evaluate"])
def test_a_model_that_is_not_compiled_says_so(verb) -> None:
    with pytest.raises(ValueError, match=f"compiled before {verb}.*model.compile"):
        getattr(model(compiled=False), verb)(BATCHES)


@pytest.mark.parametrize(
    ("metric", "sentence"),
    [
        ("categorical_accuracy", "one-hot rows"),
        (keras.metrics.CategoricalAccuracy(name="a"), "one-hot rows"),
        (keras.metrics.TopKCategoricalAccuracy(k=2), "one-hot rows"),
        ("crossentropy", "must take logits"),
        (keras.metrics.SparseCategoricalCrossentropy(), "must take logits"),
    ],
)
def test_metrics_whose_numbers_would_be_wrong_are_refused(metric, sentence) -> None:
    with pytest.raises(ValueError, match=sentence):
        model(compiled=False).compile(metrics=[metric])
    MetaModel(MAML(plain(1), targets="values")).compile(metrics=["mae"])


def test_a_loss_is_refused_where_keras_takes_it() -> None:
    with pytest.raises(ValueError, match="takes no loss"):
        model(compiled=False).compile("adam", "sparse_categorical_crossentropy")


def test_a_monitor_that_is_never_reported_is_refused() -> None:
    watch = keras.callbacks.EarlyStopping(monitor="val_acc")
    with pytest.raises(ValueError, match="loss, gradient_norm, accuracy.*'val_acc'"):
        model().fit(BATCHES, validation_data=BATCHES, callbacks=[watch], verbose=0)
    watch = keras.callbacks.EarlyStopping(monitor="val_accuracy")
    model().fit(BATCHES, validation_data=BATCHES, callbacks=[watch], verbose=0)


def test_a_file_that_could_not_be_loaded_is_not_written(tmp_path) -> None:
    with pytest.raises(ValueError, match="ends in .keras"):
        model().save(tmp_path / "model.h5")
    with pytest.raises(ValueError, match=r"tfmeta.export.save\(model, path\)"):
        model().export(tmp_path / "saved")
    assert not list(tmp_path.iterdir())


def test_a_summary_shows_the_net() -> None:
    lines: list[str] = []
    model(ProtoNet(plain())).summary(expand_nested=True, print_fn=lines.append)
    text = "\n".join(lines)
    assert plain().name.split("_")[0] in text
    for layer in plain().layers:
        assert type(layer).__name__ in text
    shut: list[str] = []
    model(ProtoNet(plain())).summary(print_fn=shut.append)
    assert len("".join(shut)) < len(text)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (ProtoNet, "Received: the class ProtoNet"),
        (plain(), "Received: Functional"),
    ],
)
def test_a_meta_model_takes_a_learner(given, sentence) -> None:
    with pytest.raises(ValueError, match=f"MetaModel takes a learner.*{sentence}"):
        MetaModel(given)


def test_pretraining_takes_a_part() -> None:
    with pytest.raises(ValueError, match="Received: a whole Source"):
        pretrain(plain(), DATA, steps=1)


def test_a_model_and_its_learner_are_told_in_a_line() -> None:
    made = MetaModel(MAML(plain(MAX_WAY), inner_steps=3), task_map="loop")
    assert repr(made) == (
        "MetaModel(learner=MAML(net=mlp, inner_steps=3, "
        "rule=GradientDescent(learning_rate=0.4)), "
        "prepare=Preparation(ScalePictures), task_map='loop')"
    )


TRAIN = Stream(way=3, shot=1, query=2, tasks=2)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"source": DATA.train}, "source of a Trainer must be .*Received: Split"),
        ({"source": ENDLESS}, "source of a Trainer must be"),
        ({"model": ProtoNet(plain())}, "model of a Trainer.*Received: ProtoNet"),
        ({"model": model(compiled=False)}, "compiled before a Trainer takes it"),
        ({"run": "runs/mine"}, r"run of a Trainer.*RunFolder\(path\).*Received: str"),
        ({"train": {"way": 3}}, r"train of a Trainer.*Stream\(way=5"),
    ],
)
def test_a_trainer_names_what_is_of_another_kind(changes, sentence) -> None:
    given = dict(model=model(), source=DATA, run=None, train=TRAIN, validation=TRAIN)
    given |= changes
    with pytest.raises(ValueError, match=sentence):
        Trainer(**given, steps=1)
