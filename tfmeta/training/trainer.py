"""The training loop: visible, validated, resumable to the bit."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfmeta.data import Source, episodes
from tfmeta.evaluation import Result, evaluate
from tfmeta.evaluation.evaluate import Scorer
from tfmeta.training.checkpoint import load_checkpoint, save_checkpoint
from tfmeta.training.meta_model import MetaModel
from tfmeta.training.reporters import MetricsFile, Reporter, TensorBoardScalars
from tfmeta.training.run_folder import RunFolder

VALIDATION_SEED = 0


@dataclass(frozen=True)
class Stream:
    """The shape of a stream of episodes.

    Attributes:
        way: Classes in an episode.
        shot: Support examples per class.
        query: Queries per class.
        count: Tasks in an outer step, or episodes in a validation.
    """

    way: int
    shot: int
    query: int
    count: int


class Trainer:
    """Meta-trains a compiled model in a run folder.

    Every `validate_every` steps it scores frozen episodes of the validation classes
    and keeps the best weights; every `checkpoint_every` steps, and when asked to stop
    by SIGTERM or Ctrl-C, it writes down all that training depends on. Run again on
    the same folder it continues, and reaches the same losses and weights, bit for
    bit, as if it had never been stopped.

    Args:
        model: A compiled `MetaModel`.
        source: Where tasks come from.
        run: The run's folder.
        train: Training episodes; `count` is the tasks of one step.
        validation: Validation episodes; `count` is how many.
        steps: Outer steps in all.
        seed: Of the training episodes.
        log_every: Steps between reports.
        validate_every: Steps between validations.
        checkpoint_every: Steps between checkpoints.
        patience: Validations without a better one before it stops; None: never.
        callbacks: Keras callbacks; an epoch is the steps up to a validation.
        reporters: More places to report to.

    Raises:
        ValueError: If a number is below one or the model is not compiled.
    """

    def __init__(
        self,
        model: MetaModel,
        source: Source,
        run: RunFolder,
        *,
        train: Stream,
        validation: Stream,
        steps: int,
        seed: int = 0,
        log_every: int = 50,
        validate_every: int = 500,
        checkpoint_every: int = 500,
        patience: int | None = None,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        reporters: Sequence[Reporter] = (),
    ):
        for name, value in {
            "steps": steps,
            "log_every": log_every,
            "validate_every": validate_every,
            "checkpoint_every": checkpoint_every,
        }.items():
            if value < 1:
                raise ValueError(f"{name} must be at least 1. Received: {value}.")
        if model.optimizer is None:
            raise ValueError("The model must be compiled: call model.compile first.")
        self.model, self.source, self.run_folder = model, source, run
        self.train, self.validation = train, validation
        self.steps, self.seed = steps, seed
        self.log_every, self.validate_every = log_every, validate_every
        self.checkpoint_every = checkpoint_every
        self.callbacks = list(callbacks)
        if patience is not None:
            self.callbacks.append(
                keras.callbacks.EarlyStopping("val_accuracy", patience=patience)
            )
        self.reporters = [
            MetricsFile(run.metrics_file),
            TensorBoardScalars(run.tensorboard),
            *reporters,
        ]
        self._step = 0
        self._best = -math.inf
        self._trained_seconds = 0.0
        self._stop_signal: int | None = None
        self._scorer = Scorer(model.learner, curve=True)
        model.optimizer.build(model.learner.trainable_variables)

    def run(self, flags: dict[str, Any] | None = None) -> dict[str, Any]:
        """Trains to the last step, or until stopped.

        Args:
            flags: What made this run; written to `config.json`.

        Returns:
            `step`, `best` (validation accuracy), `seconds` of training over all
            starts, and `stopped`: None, "early", or the name of the signal.

        Raises:
            FloatingPointError: If a loss is not finite; it names the step, the task
                and the last good checkpoint.
            ValueError: If the folder holds a run of other flags.
        """
        flags = flags or {}
        self.run_folder.make()
        self.run_folder.check_flags(flags)
        batches = self._episodes(0)
        if self.run_folder.last.exists():
            state = load_checkpoint(self.run_folder.last, self._variables())
            self._step, self._best = state["step"], state["best"]
            self._trained_seconds = state["seconds"]
            self.model.task_map = self.run_folder.task_map()
            if state["early"]:
                return self._summary("early")
        else:
            state = {"callbacks": []}
            self.model.choose_task_map(next(iter(batches)))
        self.run_folder.write_config(flags, self.model)
        callbacks = keras.callbacks.CallbackList(
            self.callbacks, model=self.model, epochs=self._epochs(), verbose=0
        )
        for reporter in self.reporters:
            reporter.start(self._step, self.steps)
        self.model.stop_training = False
        callbacks.on_train_begin()
        for callback, values in zip(self.callbacks, state["callbacks"], strict=False):
            vars(callback).update(values)
        with _signals(self._on_signal):
            try:
                self._loop(callbacks)
            finally:
                for reporter in self.reporters:
                    reporter.close()
        callbacks.on_train_end()
        if self._stop_signal is not None:
            return self._summary(signal.Signals(self._stop_signal).name)
        return self._summary("early" if self._step < self.steps else None)

    def _summary(self, stopped: str | None) -> dict[str, Any]:
        return {
            "step": self._step,
            "best": self._best if math.isfinite(self._best) else None,
            "seconds": self._trained_seconds,
            "stopped": stopped,
        }

    def _loop(self, callbacks: keras.callbacks.CallbackList) -> None:
        step_function = tf.function(self.model.meta_step, autograph=False)
        batches = iter(self._episodes(self._step * self.train.count))
        since, at = time.perf_counter(), self._step
        while self._step < self.steps and not self.model.stop_training:
            callbacks.on_train_batch_begin(self._step)
            logs = step_function(next(batches))
            losses = logs.pop("task_losses").numpy()
            if not np.isfinite(losses).all():
                raise FloatingPointError(self._not_finite(losses))
            self._step += 1
            callbacks.on_train_batch_end(self._step - 1, logs)
            if self._due(self.log_every):
                seconds = time.perf_counter() - since
                self._trained_seconds += seconds
                self._report_training(logs, (self._step - at) / seconds)
                since, at = time.perf_counter(), self._step
            if self._due(self.validate_every):
                self._validate(callbacks)
                since = time.perf_counter()
            stopping = self._stop_signal is not None or self.model.stop_training
            if stopping or self._due(self.checkpoint_every, self.validate_every):
                self._save(self.run_folder.last)
            if self._stop_signal is not None:
                break

    def _due(self, *periods: int) -> bool:
        """Whether one of the periods ends with this step; all do with the last."""
        return self._step == self.steps or any(self._step % p == 0 for p in periods)

    def _report_training(self, logs: dict[str, Any], steps_per_s: float) -> None:
        row = {name: float(value) for name, value in logs.items()}
        row["learning_rate"] = float(self.model.optimizer.learning_rate)
        row["tasks_per_s"] = round(steps_per_s * self.train.count, 2)
        row["seconds"] = round(self._trained_seconds, 2)
        self.model.reset_metrics()
        self._report(row)

    def _validate(self, callbacks: keras.callbacks.CallbackList) -> None:
        result = evaluate(
            self.model,
            self.source.val,
            way=self.validation.way,
            shot=self.validation.shot,
            query=self.validation.query,
            episodes=self.validation.count,
            seed=VALIDATION_SEED,
            scorer=self._scorer,
        )
        row = {
            f"val_{result.metric}": result.mean,
            f"val_{result.metric}_low": result.mean - result.ci95,
            f"val_{result.metric}_high": result.mean + result.ci95,
            **_curve_row(result),
        }
        self._report(row)
        if result.mean > self._best:
            self._best = result.mean
            self._save(self.run_folder.best)
        callbacks.on_epoch_end(self._step // self.validate_every - 1, row)

    def _report(self, row: dict[str, Any]) -> None:
        for reporter in self.reporters:
            reporter.report(self._step, row)

    def _episodes(self, start: int) -> tf.data.Dataset:
        return episodes(
            self.source.train,
            way=self.train.way,
            shot=self.train.shot,
            query=self.train.query,
            tasks=self.train.count,
            seed=self.seed,
            start=start,
        )

    def _epochs(self) -> int:
        return math.ceil(self.steps / self.validate_every)

    def _variables(self) -> dict[str, list[keras.Variable]]:
        return {
            "learner": self.model.learner.variables,
            "optimizer": self.model.optimizer.variables,
            "metrics": self.model.metrics_variables,
        }

    def _save(self, path: Any) -> None:
        state = {
            "step": self._step,
            "best": self._best,
            "seconds": self._trained_seconds,
            "early": self.model.stop_training,
            "callbacks": [_plain_values(c) for c in self.callbacks],
        }
        save_checkpoint(path, self._variables(), state)

    def _not_finite(self, losses: np.ndarray) -> str:
        task = int(np.flatnonzero(~np.isfinite(losses))[0])
        index = self._step * self.train.count + task
        kept = self.run_folder.last
        remedy = (
            f"The last good checkpoint is {kept}."
            if kept.exists()
            else "No checkpoint was written yet."
        )
        return (
            f"The loss is {losses[task]} at step {self._step + 1}, task {task} (episode "
            f"{index} of seed {self.seed}). {remedy} Lower the learning rates, or clip "
            "the outer gradient."
        )

    def _on_signal(self, number: int, frame: Any) -> None:
        self._stop_signal = number


def _curve_row(result: Result) -> dict[str, float]:
    curve = [] if result.curve is None else result.curve
    return {
        f"adaptation/step_{i:02d}": float(np.mean(scores))
        for i, scores in enumerate(curve)
    }


def _plain_values(callback: keras.callbacks.Callback) -> dict[str, Any]:
    """A callback's own numbers and words (best, patience, rate, ...)."""
    values = {}
    for name, value in vars(callback).items():
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or isinstance(value, bool | int | float | str):
            values[name] = value
    return values


@contextmanager
def _signals(handler: Any) -> Iterator[None]:
    """Hands SIGTERM and SIGINT to a handler, in the main thread, for a while."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    old = {n: signal.signal(n, handler) for n in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, before in old.items():
            signal.signal(number, before)
