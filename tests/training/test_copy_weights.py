"""Weights from one net to another, by name and shape."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tfmeta import MetaModel
from tfmeta.learners import ProtoNet
from tfmeta.nets import conv4, mlp
from tfmeta.training import copy_weights


def small(outputs: int | None, units=(3,), seed: int = 0) -> keras.Model:
    from tfmeta.nets import fresh

    return fresh(mlp(outputs=outputs, units=units, input_shape=(2,)), seed=seed)


def test_what_fits_is_copied_and_the_rest_stays() -> None:
    source, target = small(10), small(5, seed=1)
    head = target.get_layer("head").get_weights()
    report = copy_weights(source, target)
    assert report.copied == ("hidden1",)
    assert report.other_shape == {
        "head/kernel": ((3, 10), (3, 5)),
        "head/bias": ((10,), (5,)),
    }
    for name in ("kernel", "bias"):
        copied = getattr(target.get_layer("hidden1"), name)
        np.testing.assert_array_equal(
            copied, getattr(source.get_layer("hidden1"), name)
        )
    for now, before in zip(target.get_layer("head").get_weights(), head, strict=True):
        np.testing.assert_array_equal(now, before)


def test_the_report_says_what_is_in_one_net_alone() -> None:
    report = copy_weights(small(5, (3, 4)), small(None, (3,), seed=1))
    assert report.copied == ("hidden1",)
    assert report.left_out == ("hidden2", "head")
    assert report.new == ()
    assert repr(report) == (
        "CopiedWeights(1 of 1 layers copied; not in the target: hidden2, head)"
    )
    back = copy_weights(small(None, (3,)), small(5, (3, 4), seed=1))
    assert back.new == ("hidden2", "head") and not back.left_out


def test_a_layer_is_copied_whole_or_not_at_all() -> None:
    """The heads' biases fit, but belong to kernels that do not."""
    source, target = small(5, (2, 3)), small(5, (2, 4), seed=1)
    report = copy_weights(source, target)
    assert report.copied == ("hidden1",)
    assert set(report.other_shape) == {"hidden2/kernel", "hidden2/bias", "head/kernel"}
    source.get_layer("head").bias.assign([1.0] * 5)
    copy_weights(source, target)
    np.testing.assert_array_equal(target.get_layer("head").bias, [0.0] * 5)
    assert repr(report).startswith("CopiedWeights(1 of 3 layers copied; hidden2/kernel")


def test_a_share_is_the_mean_of_both() -> None:
    source, target = small(5), small(5, seed=1)
    pairs = list(zip(source.get_weights(), target.get_weights(), strict=True))
    copy_weights(source, target, share=0.25)
    for now, (a, b) in zip(target.get_weights(), pairs, strict=True):
        np.testing.assert_allclose(now, 0.25 * a + 0.75 * b, rtol=1e-6, atol=1e-7)


def test_moving_averages_are_copied_and_learners_are_looked_into() -> None:
    source, target = conv4(filters=2), conv4(filters=2, way=3)
    source.get_layer("block2_norm").moving_mean.assign([0.5, -1.0])
    report = copy_weights(MetaModel(ProtoNet(source)), target)
    np.testing.assert_array_equal(
        target.get_layer("block2_norm").moving_mean, [0.5, -1.0]
    )
    assert report.new == ("head",)
    assert len(report.copied) == 8  # Four convolutions and their normalisations.


def test_nets_with_nothing_in_common_and_other_things_are_refused() -> None:
    with pytest.raises(ValueError, match=r"hidden1/kernel \(2, 3\).*\(2, 4\)"):
        copy_weights(small(5), small(5, (4,)))
    with pytest.raises(ValueError, match="above 0 and at most 1. Received: 0"):
        copy_weights(small(5), small(5), share=0)
    with pytest.raises(ValueError, match="built Keras models"):
        copy_weights(small, small(5))
