"""Which flags a command line has, after the parts that it names."""

from __future__ import annotations

import pathlib
import sys
import types

import keras
import pytest
from absl import flags

from tfmeta.apps.flags import parts as module
from tfmeta.apps.flags.kinds import DATASET, LEARNER, NET
from tfmeta.apps.flags.parts import Parts, recorded_arguments
from tfmeta.learners import MAML, MatchingNet, ProtoNet


@pytest.fixture
def values(monkeypatch) -> flags.FlagValues:
    """Flags of their own, so that a test leaves none behind."""
    values = flags.FlagValues()
    monkeypatch.setattr(module, "FLAGS", values)
    monkeypatch.setattr(module.flags, "DEFINE_string", _into(values))
    flags.DEFINE_integer("steps", 2000, "The app's own.", flag_values=values)
    return values


def _into(values: flags.FlagValues):
    define = flags.DEFINE_string

    def into(name, default, help_text):
        return define(name, default, help_text, values)

    return into


@pytest.fixture
def mine(monkeypatch) -> None:
    """A module of a user's own."""

    class Own(ProtoNet):
        """A learner.

        Args:
            net: A net.
            steps: As the app's.
            filters: As conv4's.
            sharpness: Its own.
        """

        def __init__(self, net, steps: int, *, filters: int = 1, sharpness=1.0):
            super().__init__(net)
            self.told = steps, filters, sharpness

    def not_a_net(input_shape):
        return 3

    def unsaid(net, function, number: int):
        return ProtoNet(net)

    def rooted(net, root: pathlib.Path):
        return Own(net, root)

    found = types.ModuleType("mine_for_a_test")
    found.Own, found.not_a_net, found.unsaid, found.three = Own, not_a_net, unsaid, 3
    found.rooted = rooted
    monkeypatch.setitem(sys.modules, "mine_for_a_test", found)


def parsed(values: flags.FlagValues, *argv: str) -> Parts:
    parts = Parts("dataset", "learner", "net", "rule", "augment")
    parts.define_names()
    parts.define(argv)
    values(["app", *argv])
    return parts


def embedding() -> keras.Model:
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])


def test_the_named_parts_have_flags(values) -> None:
    parts = parsed(values, "--learner=maml", "--net", "mlp", "--inner_lr=0.5")
    assert "units" in values and "filters" not in values and "distance" not in values
    assert parts.said("learner") == {"inner_lr": 0.5} and parts.said("net") == {}
    assert parts.given() == {"inner_lr"}
    net = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    learner = parts.make("learner", net=net, way=3, outputs=3)
    assert isinstance(learner, MAML) and learner.inner_lr == 0.5


def test_a_later_name_on_the_command_line_counts(values) -> None:
    parts = parsed(values, "--learner=maml", "--learner=matchingnet", "--reads=2")
    made = parts.make("learner", net=embedding(), seed=7)
    assert isinstance(made, MatchingNet) and (made.reads, made.seed) == (2, 7)


def test_a_seed_of_the_data_has_a_flag_of_its_own(values) -> None:
    parts = parsed(values, "--data_seed=4")
    assert parts.said("dataset") == {"seed": 4}
    assert recorded_arguments(DATASET, {"dataset": "glyphs", "data_seed": 4}) == {
        "seed": 4
    }


def test_a_recorded_none_is_an_argument_unless_it_stands_for_nothing(mine) -> None:
    written = {"learner": "mine_for_a_test:Own", "steps": None, "sharpness": None}
    assert recorded_arguments(LEARNER, written) == {"sharpness": None}


def test_a_name_that_is_taken_gets_the_kind_before_it(values, mine) -> None:
    parts = parsed(
        values,
        "--learner=mine_for_a_test:Own",
        "--net=conv4",
        *("--learner.steps=3", "--net.filters=8", "--sharpness=2"),
    )
    assert values["steps"].value == 2000 and "filters" not in values
    assert parts.said("net") == {"filters": 8}
    assert parts.make("learner", net=embedding()).told == (3, 1, 2.0)
    assert parts.refusal("filters") == (
        "--filters is of more than one part here: write --learner.filters or "
        "--net.filters."
    )
    written = {"learner": "mine_for_a_test:Own", "steps": 9, "learner.steps": 3}
    assert recorded_arguments(LEARNER, written) == {"steps": 3}


def test_a_path_is_given_as_a_path(values, mine) -> None:
    parts = parsed(values, "--learner=mine_for_a_test:rooted", "--root=a/b")
    made = parts.make("learner", net=embedding())
    assert made.told[0] == pathlib.Path("a/b")


def test_the_data_choose_one_of_several_nets(values) -> None:
    parts = parsed(values, "--filters=8")
    assert parts.name("net") is None
    parts.settle("net", "conv4")
    assert parts.said("net") == {"filters": 8}
    assert parts.unused > {"units", "activation"} and "filters" not in parts.unused
    with pytest.raises(ValueError, match="--filters is of conv4; --net=mlp has no"):
        parts.settle("net", "mlp")


REFUSALS = {
    "inner_steps": "--inner_steps is of maml, reptile; --learner=protonet has no such",
    "nofirst_order": "--nofirst_order is of maml; --learner=protonet",
    "block_size": "--block_size is of resnet12: name that one by --net.",
    "turn": "--turn is of small_moves: name that one by --augment.",
    "net.filters": "--net.filters is called --filters here: no other part has that",
    "noinner_steps": None,
    "whatever": None,
}


@pytest.mark.parametrize("flag", REFUSALS)
def test_a_flag_of_another_part_is_refused_by_its_owners(values, flag: str) -> None:
    refusal = parsed(values).refusal(flag)
    expected = REFUSALS[flag]
    assert refusal is None if expected is None else refusal.startswith(expected)


def test_names_of_nothing_are_refused(values, mine) -> None:
    with pytest.raises(ValueError, match="There is no learner 'mamml'.*maml.*protonet"):
        LEARNER.constructor("mamml")
    with pytest.raises(ValueError, match="must name a class or a function.*int"):
        LEARNER.constructor("mine_for_a_test:three")
    with pytest.raises(ValueError, match="must make a Model. Received: int"):
        NET.make("mine_for_a_test:not_a_net", {"input_shape": (3,)}, {})
    with pytest.raises(ValueError, match="needs function, number. Arguments that are"):
        LEARNER.make("mine_for_a_test:unsaid", {"net": embedding()}, {})
    with pytest.raises(ValueError, match="needs steps. Give --steps"):
        LEARNER.make("mine_for_a_test:Own", {"net": embedding()}, {})


def test_help_has_a_group_for_each_part(values) -> None:
    parts = parsed(values, "--learner=maml")
    groups = dict(parts.groups())
    assert "--learner=maml" in groups and "--learner=reptile" not in groups
    every = {k: [f.name for f in v] for k, v in parts.groups(every=True)}
    assert "inner_batch" in every["--learner=reptile"]
    assert every["--net=resnet12"][0] == "filters"
    adam = ["learning_rate", "beta_1", "beta_2", "epsilon", "carried"]
    assert every["--rule=adam"] == adam
