"""Which nets can be made again from their config, and the reason if not."""

from __future__ import annotations

import json
import re
import warnings

import keras
import numpy as np
import pytest
from keras import layers

from tfmeta.inner import Adam
from tfmeta.json_files import to_json
from tfmeta.learners import MAML, FromScratch
from tfmeta.nets import conv4, mlp, rebuild_problem
from tfmeta.serving.checkpoint import save_checkpoint
from tfmeta.serving.stored_learner import stored_learner


class Unregistered(layers.Layer):
    def call(self, x):
        return 2.0 * x


@keras.saving.register_keras_serializable("tfmeta_tests_rebuild")
class Forgets(layers.Layer):
    """Its config lacks the number of its units."""

    def __init__(self, units: int = 3, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], self.units))

    def call(self, x):
        return x @ self.kernel

    def get_config(self):
        return layers.Layer.get_config(self)


@keras.saving.register_keras_serializable("tfmeta_tests_rebuild")
class Registered(Forgets):
    def get_config(self):
        return {**super().get_config(), "units": self.units}


class Model(keras.Model):
    """A model with an argument and without a config."""

    def __init__(self, units: int):
        super().__init__(name="own")
        self.dense = layers.Dense(units)

    def call(self, x):
        return self.dense(x)


def net(*middle: layers.Layer) -> keras.Model:
    return keras.Sequential([keras.Input((3,)), *middle, layers.Dense(2)], name="net")


def model() -> keras.Model:
    made = Model(2)
    made(np.ones((2, 3), "float32"))
    return made


WRONG = {
    "lambda": (
        lambda: net(layers.Lambda(lambda x: 2.0 * x, name="twice")),
        r"'twice' \(Lambda\) cannot be made again \(.*Python lambda\)",
    ),
    "in_a_net": (
        lambda: net(net(Unregistered(name="inside"))),
        r"'inside' \(Unregistered\) cannot be made again \(.*Unregistered",
    ),
    "activation": (
        lambda: net(layers.Dense(3, activation=lambda x: 2.0 * x, name="dense")),
        r"'dense' \(Dense\) cannot be made again",
    ),
    "model": (model, r"'own' \(Model\) cannot be made again"),
    "weights": (
        lambda: keras.Sequential([keras.Input((3,)), Forgets(5)], name="net"),
        r"'net' \(Sequential\) is made again with other weights, of shapes \(3, 3\) "
        r"in place of \(3, 5\)",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_the_layer_at_fault_is_named(name: str) -> None:
    make, text = WRONG[name]
    wrong = make()
    problem = rebuild_problem(wrong)
    assert problem is not None
    assert re.match(f"{text}.*register_keras_serializable", problem)
    with pytest.raises(ValueError, match=text):
        FromScratch(wrong)


@pytest.mark.parametrize("name", WRONG)
def test_what_is_refused_is_not_rebuilt_from_a_run(name: str, tmp_path) -> None:
    """A learner of such a net comes back with an error, or not at all."""
    learner = MAML(WRONG[name][0](), head="net", first_order=True)
    assert rebuild_problem(learner) is not None
    errors = (NotImplementedError, TypeError, ValueError)
    with pytest.raises(errors), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _by_a_run(learner, tmp_path)


RIGHT = {
    "conv4": lambda: conv4(way=3, filters=2),
    "mlp": lambda: mlp(outputs=2),
    "registered": lambda: net(Registered(5)),
    "dropout": lambda: net(layers.Dropout(0.5)),
    "module_function": lambda: net(layers.Lambda(keras.ops.tanh)),
    "learner": lambda: MAML(
        net(Registered(5)), rule=Adam(learning_rate=0.1), adapt_only="dense"
    ),
}


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_let_pass_is_rebuilt_from_a_run(name: str, tmp_path) -> None:
    keras.backend.clear_session()
    made = RIGHT[name]()
    assert rebuild_problem(made) is None
    learner = made if name == "learner" else MAML(made, head="net")
    again = _by_a_run(learner, tmp_path)
    x = np.ones((2, *learner.net.input_shape[1:]), "float32")
    np.testing.assert_array_equal(again.net(x), learner.net(x))


def _by_a_run(learner, folder):
    """What a run folder keeps of a learner, and the learner made from that."""
    config = to_json(keras.saving.serialize_keras_object(learner))
    save_checkpoint(folder / "last.npz", {"learner": learner.variables}, {})
    return stored_learner(json.loads(config), folder / "last.npz")
