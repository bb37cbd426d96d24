"""The training loop: visible, validated, resumable to the bit."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfmeta.data import Source
from tfmeta.data.stores.drawing import drawing_from
from tfmeta.training.check_fit import check_at_least_one, check_fit
from tfmeta.training.meta_model import MetaModel
from tfmeta.training.pretrain import ExampleStream, PretrainModel
from tfmeta.training.run.callback_state import callback_state, restore_callbacks
from tfmeta.training.run.chief import Chief, Worker
from tfmeta.training.run.kept_preparation import fingerprint
from tfmeta.training.run.reporters import Reporter
from tfmeta.training.run.run_folder import RunFolder
from tfmeta.training.run.settings import trainer_settings
from tfmeta.training.run.stop_signals import StopSignals
from tfmeta.training.step.averaged_weights import (
    assign_averages,
    averaged_weights,
    keeps_averages,
)
from tfmeta.training.step.outer_step import finite_steps
from tfmeta.training.stream import Stream
from tfmeta.training.validation import Validation, validation_row

_NOT_AVERAGED = "not_averaged"  # The group of the weights that training goes on from.


class Trainer:
    """Meta-trains a compiled model in a run folder.

    Every `validate_every` steps the trainer scores frozen episodes of the validation
    part by their primary metric, and keeps the best weights. Every `checkpoint_every`
    steps, before and after a validation, and when SIGTERM or Ctrl-C asks it to stop, it
    writes a checkpoint of all that training depends on. A trainer on the same folder
    continues the run, and reaches the same losses and weights, bit for bit, as a run
    that was never stopped. A validation that was stopped is done again.
    When a run continues, `steps` may be larger and `checkpoint_every` another number;
    all else must be as it was, the model's preparation too.

    Args:
        model: A compiled `MetaModel` or `PretrainModel`.
        source: The data that tasks are drawn from.
        run: The run's folder; None for a process that keeps nothing, such as one of
            several workers that is not the chief.
        train: The size of the training episodes, or of the batches of examples.
        validation: The way, shot, queries and number of the validation episodes. None
            of way, shot and query may be a range. For a learner that does not adapt,
            an `ExampleStream`: the validation is all examples of the part.
        steps: The number of outer steps in all.
        seed: The seed of the training episodes.
        log_every: The number of steps between reports.
        validate_every: The number of steps between validations.
        checkpoint_every: The number of steps between checkpoints.
        patience: The number of validations without a better score after which training
            stops; None never stops early.
        augment: A Keras layer that changes the training images, see
            `tfmeta.data.episodes`.
        callbacks: Keras callbacks. An epoch is `validate_every` steps and ends with a
            validation. Steps left over at the end are validated too, but end no epoch.
            A callback's attributes that are numbers, text or lists of arrays are in the
            checkpoints.
        reporters: Reporters beside those of the folder's own files.

    Raises:
        ValueError: If a number is below one, the model is not compiled, the data or the
            learner cannot serve the episodes asked for, or the model's preparation does
            not make what the learner's net takes.
    """

    def __init__(
        self,
        model: MetaModel | PretrainModel,
        source: Source,
        run: RunFolder | None,
        *,
        train: Stream | ExampleStream,
        validation: Stream | ExampleStream,
        steps: int,
        seed: int = 0,
        log_every: int = 50,
        validate_every: int = 500,
        checkpoint_every: int = 500,
        patience: int | None = None,
        augment: Any = None,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        reporters: Sequence[Reporter] = (),
    ):
        check_at_least_one(
            steps=steps,
            log_every=log_every,
            validate_every=validate_every,
            checkpoint_every=checkpoint_every,
        )
        check_fit(model, source, train, validation, seed, run=run, augment=augment)
        self.model, self.source = model, source
        self._chief = _chief(run, reporters, source)
        self.train, self.validation = train, validation
        self.steps, self.seed, self.augment = steps, seed, augment
        self.log_every, self.validate_every = log_every, validate_every
        self.checkpoint_every = checkpoint_every
        self.callbacks = [*callbacks, *_early_stopping(source, patience)]
        if isinstance(model, MetaModel) and model.learner.targets is None:
            model.learner.targets = source.train.targets
        self._step, self._began, self._trained_seconds = 0, 0, 0.0
        self._best = -math.inf if source.val.targets.higher_is_better else math.inf
        self._due_row: dict[str, float] | None = None  # See `_report_and_validate`.
        self._settings = trainer_settings(self, prepare=fingerprint(model.prepare))
        self._signals = StopSignals(self._chief.stopping)
        model.optimizer.build(model.trained)

    def run(self, flags: dict[str, Any] | None = None) -> dict[str, Any]:
        """Trains to the last step, or until stopped.

        Args:
            flags: The flags that describe this run; they are written to `config.json`.

        Returns:
            A dict. `step` is the number of steps done, `new_steps` those of this start,
            0 if the run was over already. `best` is the best validation score by the
            primary metric, or None. `seconds` is the time of training over all starts.
            `stopped` is None, "early", or the name of the signal.

        Raises:
            FloatingPointError: If a loss or a gradient is not finite; the error names
                the step, the task and the last good checkpoint.
            ValueError: If the folder holds a run of other flags, settings or data, or
                a run that another process trains. The error names what differs, such as
                the seed or the learning rate.
        """
        flags = flags or {}
        with self._chief.at_work(flags, self.source, self._settings):
            state = self._restore()
            early = state["early"]
            over = early or self._step >= self.steps
            if self._due_row is not None or not over:
                drawing = drawing_from(self.source.train, self.source.val)
                with self._signals, drawing:
                    self._train(flags, state)
                early = self.model.stop_training
        if self._step >= self.steps and self._due_row is None:
            return self._summary(None)
        return self._summary("early" if early else self._signals.received)

    def _restore(self) -> dict[str, Any]:
        """Reads the checkpoint, but for the metrics' variables; returns its state."""
        groups = self._variables()
        del groups["metrics"]  # Keras makes these variables in the first step.
        state = self._chief.restore(groups)
        if state is not None:
            if keeps_averages(self.model.optimizer):
                self._chief.restore({_NOT_AVERAGED: self.model.trained})
            self._step, self._best = state["step"], state["best"]
            self._trained_seconds = state["seconds"]
            self._due_row = state.get("due_row")  # Version 0.4 has none.
        self._began = self._step
        return state or {"early": False, "callbacks": []}

    def _train(self, flags: dict[str, Any], state: dict[str, Any]) -> None:
        batches = self.train.episodes(
            self.source.train,
            seed=self.seed,
            start=self._step * self.train.per_step,
            augment=self.augment,
        )
        self.model.check_batch(next(iter(batches)))
        self.model.task_map = self._chief.task_map(flags) or self.model.task_map
        self.model.choose_task_map(batches)
        step_function = tf.function(self.model.step, autograph=False)
        step_function.get_concrete_function(batches.element_spec)
        self.model.reset_metrics()
        if self._step:
            self._chief.restore({"metrics": self._variables()["metrics"]})
        callbacks = keras.callbacks.CallbackList(
            self.callbacks,
            model=self.model,
            epochs=self.steps // self.validate_every,
            steps=self.validate_every,
            verbose=0,
        )
        self.model.stop_training = state["early"]
        callbacks.on_train_begin()
        self._begun = restore_callbacks(
            self.callbacks, state["callbacks"], self._chief.restore
        )
        reported = self._step - (self._due_row is not None)
        with self._chief.reporting(
            flags, self.model, self.source, reported, self.steps
        ):
            self._loop(step_function, iter(batches), callbacks)
        unaveraged = self._unaveraged()
        assign_averages(self.model)
        callbacks.on_train_end()
        if self.model.stop_training:  # EarlyStopping may have put in its best weights.
            self._write({**self._variables(), **unaveraged}, best=False)

    def _summary(self, stopped: str | None) -> dict[str, Any]:
        return {
            "step": self._step,
            "new_steps": self._step - self._began,
            "best": self._best if math.isfinite(self._best) else None,
            "seconds": self._trained_seconds,
            "stopped": stopped,
        }

    def _loop(
        self,
        step_function: Any,
        batches: Iterator[Any],
        callbacks: keras.callbacks.CallbackList,
    ) -> None:
        # Seconds of training since the last report, and the step of that report.
        seconds, since = 0.0, self._step
        if self._due_row is not None:
            self._report_and_validate(callbacks)
        while self._goes_on():
            start = time.perf_counter()
            logs = self._one_step(step_function, batches, callbacks)
            passed = time.perf_counter() - start
            seconds += passed
            self._trained_seconds += passed
            row = {}
            if self._due(self.log_every):
                row = self._training_row(logs, (self._step - since) / seconds)
                seconds, since = 0.0, self._step
            if self._due(self.validate_every):
                self._due_row = row
                self._save(best=False)
                self._report_and_validate(callbacks)
                continue
            if row:
                self._chief.report(self._step, row)
            if not self._goes_on() or self._due(self.checkpoint_every):
                self._save(best=False)

    def _goes_on(self) -> bool:
        stopped = self._signals.received or self.model.stop_training
        return self._step < self.steps and not stopped

    def _one_step(
        self,
        step_function: Any,
        batches: Iterator[Any],
        callbacks: keras.callbacks.CallbackList,
    ) -> dict[str, Any]:
        epoch, batch = divmod(self._step, self.validate_every)
        if batch == 0:
            callbacks.on_epoch_begin(epoch)
        callbacks.on_train_batch_begin(batch)
        hint = f"The training data are of seed {self.seed}. "
        with finite_steps(f"{self._chief.last_checkpoint()} {hint}"):
            logs = step_function(next(batches))
        logs.pop("task_losses")
        self._step += 1
        callbacks.on_train_batch_end(batch, logs)
        self._chief.advance(self._step)
        return logs

    def _due(self, *periods: int) -> bool:
        """Whether one of the periods ends with this step; at the last step all end."""
        return self._step == self.steps or any(self._step % p == 0 for p in periods)

    def _training_row(
        self, logs: dict[str, Any], steps_per_s: float
    ) -> dict[str, float]:
        row = {name: float(value) for name, value in logs.items()}
        row["learning_rate"] = float(self.model.optimizer.learning_rate)
        row[f"{self.train.unit}_per_s"] = round(steps_per_s * self.train.per_step, 2)
        row["seconds"] = round(self._trained_seconds, 2)
        # A last step within a period keeps the sums, for a run that continues longer.
        if self._step % self.log_every == 0:
            self.model.reset_metrics()
        return row

    def _report_and_validate(self, callbacks: keras.callbacks.CallbackList) -> None:
        """Does what is due after a step: reports of training, and a validation.

        The checkpoint before has the training numbers as `_due_row`, empty if they are
        not to be reported. If the validation is stopped, all of this is still due when
        the run continues; `_due_row` is None where nothing is.
        """
        if self._due_row:
            self._chief.report(self._step, self._due_row)
        callbacks.on_test_begin()
        try:
            with averaged_weights(self.model), self._signals.cutting_short():
                result, pictures = self._score()
        except KeyboardInterrupt:
            if self._signals.received is None:
                raise
            return
        self._due_row = None
        for name, png in pictures.items():
            self._chief.picture(self._step, f"val/{name}", png)
        row = validation_row(result)
        self._chief.report(self._step, row)
        better = result.mean > self._best
        if not result.higher_is_better:
            better = result.mean < self._best
        if better:
            self._best = result.mean
            self._save(best=True)
        # What callbacks keep of the weights must be what was scored.
        with averaged_weights(self.model):
            callbacks.on_test_end(row)
            if self._step % self.validate_every == 0:
                callbacks.on_epoch_end(self._step // self.validate_every - 1, row)
        self._save(best=False)

    @functools.cached_property
    def _score(self) -> Validation:
        return Validation(self.model, self.source, self.validation)

    def _variables(self) -> dict[str, list[keras.Variable]]:
        return {
            **self.model.kept,
            "optimizer": self.model.optimizer.variables,
            "metrics": self.model.metrics_variables,
        }

    def _save(self, *, best: bool) -> None:
        groups = {**self._variables(), **self._unaveraged()}
        with averaged_weights(self.model):
            self._write(groups, best=best)

    def _unaveraged(self) -> dict[str, list[keras.Variable]]:
        """A copy of the weights that training goes on from, if others are served."""
        if not keeps_averages(self.model.optimizer):
            return {}
        return {_NOT_AVERAGED: [keras.Variable(v) for v in self.model.trained]}

    def _write(self, groups: dict[str, list[keras.Variable]], *, best: bool) -> None:
        callbacks, arrays = callback_state(self.callbacks, self._begun)
        state = {
            "step": self._step,
            "best": self._best,
            "seconds": self._trained_seconds,
            "early": self.model.stop_training,
            "due_row": self._due_row,
            "callbacks": callbacks,
        }
        self._chief.save({**groups, **arrays}, state, best=best)


def _chief(
    run: RunFolder | None, reporters: Sequence[Reporter], source: Source
) -> Worker:
    if run is None:
        return Worker()
    return Chief(run, reporters, metric=source.val.targets.metric)


def _early_stopping(
    source: Source, patience: int | None
) -> list[keras.callbacks.Callback]:
    if patience is None:
        return []
    targets = source.val.targets
    mode = "max" if targets.higher_is_better else "min"
    name = f"val_{targets.metric}"
    return [keras.callbacks.EarlyStopping(name, mode=mode, patience=patience)]
