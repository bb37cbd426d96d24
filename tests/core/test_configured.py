"""Configs that follow from constructors."""

from __future__ import annotations

import keras
import pytest

from tfmeta import Labels
from tfmeta.core.configured import Configured
from tfmeta.core.renamed import refuse_renamed


@keras.saving.register_keras_serializable("tfmeta_tests")
class Parent(Configured, keras.layers.Layer):
    def __init__(self, size, *, part=None, mode="a", **kwargs):
        super().__init__(**kwargs)
        self.size, self.part, self.mode = size, part, mode


@keras.saving.register_keras_serializable("tfmeta_tests")
class Child(Parent):
    def __init__(self, size, *, more=1, **kwargs):
        super().__init__(size, **kwargs)
        self.more = more


def test_a_config_has_what_the_constructor_asks_for() -> None:
    config = Parent(3, part=Labels(), name="p").get_config()
    assert (config["size"], config["mode"], config["name"]) == (3, "a", "p")
    again = Parent.from_config(config)
    assert again.part == Labels() and again.size == 3


def test_what_was_handed_to_the_base_class_is_kept() -> None:
    child = Child(3, more=2, mode="b", part=Parent(1), dtype="float64")
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(child)
    )
    assert (again.more, again.mode, again.part.size) == (2, "b", 1)
    assert again.dtype == "float64"
    assert "mode" not in Child(3).get_config()


def test_lists_of_layers_are_kept() -> None:
    again = Parent.from_config(Parent(3, part=[Parent(1), Parent(2)]).get_config())
    assert [part.size for part in again.part] == [1, 2]


def test_an_old_name_is_told_the_new_one() -> None:
    refuse_renamed("FineTune", {"name": 1}, {"train_steps": "eval_steps"})
    with pytest.raises(
        ValueError, match="no argument 'train_steps' any more: use eval"
    ):
        refuse_renamed("FineTune", {"train_steps": 1}, {"train_steps": "eval_steps"})


def test_a_repr_has_the_arguments_that_are_not_the_defaults() -> None:
    net = keras.layers.Dense(3, name="net")
    assert repr(Parent(3)) == "Parent(size=3)"
    assert repr(Parent(3, mode="b", part=net)) == "Parent(size=3, part=net, mode='b')"
    child = Child(3, more=2, mode="b", part=[Parent(1), Labels()])
    wanted = "Child(size=3, more=2)"  # What a base class is handed is left out.
    assert repr(child) == wanted
