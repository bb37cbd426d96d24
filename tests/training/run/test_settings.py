"""What a run that goes on must have in common with its beginning."""

from __future__ import annotations

import json

import keras
import pytest
from learner_cases import plain
from trainer_cases import At, interrupt, trainer

from tfmeta.inner import Adam
from tfmeta.learners import MAML, ProtoNet
from tfmeta.training import RunFolder, Stream
from tfmeta.training.run.settings import settings_of


def test_settings_are_the_numbers_of_all_parts() -> None:
    found = settings_of(
        seed=3,
        learner=MAML(plain(5), rule=Adam(learning_rate=0.25), eval_steps=7),
        optimizer=keras.optimizers.SGD(0.1, momentum=0.5),
        train=Stream(5, (1, 3), 2, 4),
        augment=None,
    )
    wanted = {
        "seed": 3,
        "learner": "MAML",
        "learner.eval_steps": 7,
        "learner.rule": "Adam",
        "learner.rule.learning_rate": 0.25,
        "optimizer": "SGD",
        "optimizer.learning_rate": 0.1,
        "optimizer.momentum": 0.5,
        "train.way": 5,
        "train.shot[1]": 3,
        "augment": None,
    }
    assert wanted.items() <= found.items()
    assert not [name for name in found if name.endswith(".name")]


def test_a_net_is_known_by_its_layers_and_not_by_their_names() -> None:
    def told(activation: str = "tanh", units: int = 4, seed: int = 1) -> str:
        start = keras.initializers.GlorotUniform(seed)
        inputs = keras.Input((3,))
        hidden = keras.layers.Dense(units, activation, kernel_initializer=start)(inputs)
        net = keras.Model(inputs, keras.layers.Add()([hidden, hidden]))
        return settings_of(learner=ProtoNet(net))["learner.net"]

    assert told() == told() == told(seed=2)
    assert len({told(), told("relu"), told(units=5)}) == 3


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"seed": 2}, "seed: 1 before, 2 now"),
        ({"rate": 0.01}, r"optimizer.learning_rate: 0\.05 before, 0\.01 now"),
        ({"optimizer": keras.optimizers.SGD(0.05)}, "optimizer: 'Adam' before, 'SGD'"),
        ({"train": Stream(3, 2, 2, 2)}, "train.shot: 1 before, 2 now"),
        ({"validate_every": 3}, "validate_every: 4 before, 3 now"),
    ],
)
def test_a_run_does_not_go_on_with_others(begun, change, sentence) -> None:
    with pytest.raises(ValueError, match=sentence):
        trainer(begun, **change).run()


def test_steps_may_grow_and_checkpoints_come_more_often(begun) -> None:
    resumed = trainer(begun, steps=6, checkpoint_every=1)
    assert resumed.run()["step"] == 6


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    folder = tmp_path_factory.mktemp("begun")
    trainer(folder, callbacks=[At(3, interrupt)]).run()
    return folder


def test_what_an_older_run_did_not_say_was_in_effect(tmp_path) -> None:
    run = RunFolder(tmp_path)
    run.make()
    run.last.write_bytes(b"")
    settings = {"learner": "Reptile", "learner.rule": "Adam"}
    config = {"flags": {}, "task_map": "loop", "learner": {}, "settings": settings}
    run.config_file.write_text(json.dumps(config), encoding="utf-8")
    run.check_settings({**settings, "learner.rule.carried": False})
    with pytest.raises(ValueError, match=r"rule\.carried: False before, True now"):
        run.check_settings({**settings, "learner.rule.carried": True})
