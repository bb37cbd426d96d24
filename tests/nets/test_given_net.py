"""What learners say of nets that are none, or that end in probabilities."""

from __future__ import annotations

import warnings

import keras
import pytest

from tfmeta import MetaModel
from tfmeta.learners import (
    MAML,
    FineTune,
    LinearProbe,
    MatchingNet,
    NearestNeighbour,
    ProtoNet,
    Reptile,
)
from tfmeta.nets import conv4, mlp
from tfmeta.nets.given_net import last_activation


def ending(*layers, features: int = 3) -> keras.Model:
    inputs = keras.Input((4,))
    x = keras.layers.Dense(features, name="last")(inputs)
    for layer in layers:
        x = layer(x)
    return keras.Model(inputs, x, name="net")


SOFTMAX = {
    "dense": lambda: keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(3, "softmax")]
    ),
    "layer": lambda: ending(keras.layers.Softmax()),
    "activation": lambda: ending(keras.layers.Activation("softmax")),
    "operation": lambda: ending(keras.ops.softmax),
    "nested": lambda: keras.Sequential(
        [keras.Input((4,)), ending(keras.layers.Softmax())]
    ),
    "cast": lambda: ending(
        keras.layers.Softmax(), keras.layers.Activation("linear", dtype="float32")
    ),
}


@pytest.mark.parametrize("name", SOFTMAX)
def test_a_softmax_at_the_end_is_found(name) -> None:
    net = SOFTMAX[name]()
    assert last_activation(net) == "softmax"
    with pytest.raises(ValueError, match="ends in softmax.*takes logits.*linear layer"):
        MAML(net, first_order=True)
    with pytest.raises(ValueError, match="ends in softmax.*ProtoNet needs an emb.*Cut"):
        ProtoNet(net)


def test_other_ends_are_told() -> None:
    assert last_activation(ending()) is None
    assert last_activation(ending(keras.ops.sigmoid)) == "sigmoid"
    assert last_activation(ending(keras.ops.log_softmax)) == "log_softmax"
    assert last_activation(ending(keras.layers.Activation("relu"))) == "relu"
    assert last_activation(ending(keras.layers.Softmax(), lambda x: x * 2)) is None


def test_probabilities_are_let_pass_where_they_are_no_logits() -> None:
    net = ending(keras.layers.Activation("sigmoid"))
    with pytest.raises(ValueError, match='in sigmoid.*targets="values".*head="pro'):
        MAML(net)
    with pytest.raises(ValueError, match='ends in sigmoid.*targets="values"') as caught:
        Reptile(net)
    assert "head=" not in str(caught.value)  # Reptile has no such argument.
    assert MAML(net, targets="values").max_way == 3
    assert MAML(net, head="prototypes").max_way is None
    assert ProtoNet(net).extends  # An embedding may be in 0..1.
    assert FineTune(net).max_way is None


@pytest.mark.parametrize("kind", [FineTune, LinearProbe, MatchingNet])
def test_a_classifier_is_no_embedding(kind) -> None:
    with pytest.raises(ValueError, match=f"as a classifier does, but {kind.__name__}"):
        kind(ending(keras.layers.Softmax()))


@pytest.mark.parametrize("kind", [ProtoNet, MatchingNet, LinearProbe])
def test_a_layer_with_the_name_of_a_head_is_warned_of(kind) -> None:
    with pytest.warns(UserWarning, match=f"ends in the layer 'head'.*{kind.__name__}"):
        kind(mlp(outputs=3, input_shape=(4,)))
    kind(mlp(input_shape=(4,)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kind(ending())  # A linear last layer may well embed.
        FineTune(mlp(outputs=3, input_shape=(4,)))  # It fine-tunes the net's own head.


@pytest.mark.parametrize(
    ("net", "sentence"),
    [
        (conv4, "Received: the function conv4. Call it"),
        (keras.Model, "Received: the class Model. Call it"),
        ("conv4", "Received: str. Build one"),
        (None, "Received: NoneType. Build one"),
        ([keras.layers.Dense(3)], "Received: list. Build one"),
        (NearestNeighbour(), "Received: NearestNeighbour. Give the net alone"),
        (MetaModel(NearestNeighbour()), "Received: MetaModel. Give the net alone"),
    ],
)
def test_what_is_no_net_is_refused(net, sentence) -> None:
    for kind in (MAML, ProtoNet):
        with pytest.raises(ValueError, match=f"{kind.__name__} takes a.*{sentence}"):
            kind(net)


def test_a_net_that_is_not_built_is_refused() -> None:
    with pytest.raises(ValueError, match="must be built before"):
        MAML(keras.Sequential([keras.layers.Dense(3)]))
