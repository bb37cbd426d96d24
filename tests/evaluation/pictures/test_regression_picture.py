"""The picture of a regressor."""

from __future__ import annotations

import numpy as np
import pytest
from evaluation_cases import split
from matplotlib.figure import Figure

import tfmeta
from tfmeta.data import from_arrays
from tfmeta.evaluation import regression_picture
from tfmeta.learners import MAML, NearestNeighbour


def regressor() -> MAML:
    net = tfmeta.nets.mlp(outputs=1, units=(8,), input_shape=(1,))
    return MAML(tfmeta.nets.fresh(net, seed=0), inner_lr=0.01)


def test_it_shows_function_points_and_answers(tmp_path, monkeypatch) -> None:
    shown, save = [], Figure.savefig
    monkeypatch.setattr(
        Figure, "savefig", lambda f, *a, **k: (shown.append(f), save(f, *a, **k))
    )
    path = tmp_path / "fit.png"
    test = tfmeta.data.load("sinusoid").test
    regression_picture(regressor(), test, path, shot=3, tasks=4, steps=(2, 0))
    assert path.read_bytes().startswith(b"\x89PNG")
    axes = [axis for axis in shown[0].axes if axis.get_visible()]
    assert len(axes) == 4
    for axis in axes:
        names = [line.get_label() for line in axis.lines]
        assert names == ["function", "after 0 steps", "after 2 steps", "support points"]
        function, before, after, support = (line.get_xydata() for line in axis.lines)
        assert support.shape == (3, 2)
        assert (function[1:, 0] >= function[:-1, 0]).all()
        # The net before any step is the same for all tasks; steps go to the points.
        error = [((xy[:, 1] - function[:, 1]) ** 2).mean() for xy in (before, after)]
        assert axis.get_title() == f"mse {error[0]:.2g} → {error[1]:.2g}"
        # Support points lie on the function.
        for x, y in support:
            place = abs(function[:, 0] - x).argmin()
            assert abs(function[place, 1] - y) < 0.6


def test_refusals(tmp_path) -> None:
    with pytest.raises(ValueError, match="functions of one number.* 'test'"):
        regression_picture(NearestNeighbour(), split(), tmp_path / "a.png")
    x, y = np.linspace(0, 1, 60)[:, None], np.zeros(60)
    users = from_arrays(x, y, tasks=np.repeat(np.arange(6), 10), split=(0.4, 0.3, 0.3))
    with pytest.raises(ValueError, match="functions of one number.* 'test'"):
        regression_picture(regressor(), users.test, tmp_path / "a.png")
    assert not list(tmp_path.iterdir())
