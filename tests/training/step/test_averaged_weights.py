"""The optimizer's moving averages of weights, and callbacks that keep weights."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from trainer_cases import SOURCE, At, interrupt, trainer

from tfmeta.training import RunFolder, Stream

SIZES = Stream(3, 1, 2, 2)


class Weights(keras.callbacks.Callback):
    """Notes the weights after each step."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(values(self.model.trained))


def values(variables) -> list[np.ndarray]:
    return [variable.numpy() for variable in variables]


def averaging(folder, **options):
    optimizer = keras.optimizers.Adam(0.05, use_ema=True, ema_momentum=0.8)
    return trainer(folder, optimizer=optimizer, **options)


def close(found, wanted, **options) -> None:
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_averages_are_validated_kept_and_exported(tmp_path) -> None:
    notes = Weights()
    run = averaging(tmp_path, callbacks=[notes], validate_every=12, checkpoint_every=12)
    run.run()
    averages = notes.seen[0]
    for after in notes.seen[1:]:
        averages = [0.8 * a + 0.2 * w for a, w in zip(averages, after, strict=True)]
    assert np.abs(averages[0] - notes.seen[-1][0]).max() > 1e-3
    close(values(run.model.trained), averages)
    for which in ("best", "last"):
        model = RunFolder(tmp_path).load_model(which)
        close(values(model.trained), averages)


def test_a_continued_run_goes_on_from_the_weights_themselves(tmp_path) -> None:
    whole, notes = averaging(tmp_path / "whole"), Weights()
    best = whole.run()["best"]
    stopped = averaging(tmp_path / "parts", callbacks=[At(7, interrupt)])
    assert stopped.run()["step"] == 7
    parts = averaging(tmp_path / "parts", callbacks=[At(99, interrupt), notes])
    assert parts.run()["best"] == best
    for found, wanted in zip(
        values(parts.model.learner.variables),
        values(whole.model.learner.variables),
        strict=True,
    ):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("stop_after", [6, 9])
def test_early_stopping_finds_its_best_weights_after_a_resume(
    tmp_path, stop_after
) -> None:
    def stopping():
        return keras.callbacks.EarlyStopping(
            "val_accuracy", mode="min", patience=1, restore_best_weights=True
        )

    options = {"steps": 40, "validate_every": 3, "checkpoint_every": 2}
    whole = trainer(tmp_path / "whole", callbacks=[stopping()], **options)
    end = whole.run()
    assert end["stopped"] == "early" and end["step"] > 9
    early = [stopping(), At(stop_after, interrupt)]
    first = trainer(tmp_path / "parts", callbacks=early, **options).run()
    assert first["step"] == stop_after
    late = trainer(tmp_path / "parts", callbacks=[stopping()], **options)
    assert late.run()["step"] == end["step"]
    for found, wanted in zip(
        values(late.model.learner.variables),
        values(whole.model.learner.variables),
        strict=True,
    ):
        np.testing.assert_array_equal(found, wanted)


def test_callbacks_keep_the_averages_that_were_scored(tmp_path) -> None:
    stopping = keras.callbacks.EarlyStopping(
        "val_accuracy", mode="max", patience=50, restore_best_weights=True
    )
    run = averaging(tmp_path, callbacks=[stopping], validate_every=3)
    run.run()
    best = RunFolder(tmp_path).load_model("best")
    close(values(run.model.trained), values(best.trained))


def test_fit_ends_with_the_averages() -> None:
    notes = Weights()
    model = averaging(None).model
    episodes = SIZES.episodes(SOURCE.train, seed=1)
    model.fit(episodes, steps_per_epoch=3, verbose=0, callbacks=[notes])
    averages = notes.seen[0]
    for after in notes.seen[1:]:
        averages = [0.8 * a + 0.2 * w for a, w in zip(averages, after, strict=True)]
    close(values(model.trained), averages)
