"""A search by Ray Tune, whose trials are trainings and stop early by ASHA."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tfmeta.apps.flags.search import Searched
from tfmeta.apps.tuning.trial import Trial, validations

_STORE = 100 * 1024**2  # Bytes of Ray's object store; trials exchange numbers alone.
_NAME = "search"


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a search tries, and how.

    Attributes:
        folder: The folder of the search.
        searched: The flags that are searched for, with their values.
        command: The command that trains, without the searched flags.
        owners: For each searched flag that only some parts have: the flag that names
            the part, and the names of those that have it.
        metric: The validation's number, such as "val_accuracy".
        higher_is_better: Whether a higher number is better.
        trials: The number of trials.
        validations: The number of validations of a whole training.
        grace: The validations that every trial has before it may be stopped.
        parallel: The number of trainings at a time.
        sampler: "random" or "optuna".
        seed: The seed of the values that are drawn.
    """

    folder: Path
    searched: Sequence[Searched]
    command: Sequence[str]
    owners: dict[str, tuple[str, tuple[str, ...]]]
    metric: str
    higher_is_better: bool
    trials: int
    validations: int
    grace: int
    parallel: int
    sampler: str
    seed: int

    @property
    def mode(self) -> str:
        """The direction of the metric, as Ray says it."""
        return "max" if self.higher_is_better else "min"

    def flags_of(self, values: dict[str, Any]) -> list[str]:
        """The searched flags of a trial, without those that its parts do not have.

        Args:
            values: The value of each searched flag.
        """
        found = []
        for each in self.searched:
            part, names = self.owners.get(each.flag, ("", ()))
            if not part or part not in values or values[part] in names:
                found.append(f"--{each.flag}={each.spelled(values[each.flag])}")
        return found


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a trial.

    Attributes:
        name: The trial's name, which is that of its run's folder.
        values: The value of each searched flag.
        best: Its best validation; None if it had none.
        step: The outer step of its last validation.
        memory_gb: The most memory that its training used.
        error: Why it failed, in one line; "" if it did not.
        stopped: Whether it was stopped early.
    """

    name: str
    values: dict[str, Any]
    best: float | None
    step: int
    memory_gb: float
    error: str
    stopped: bool


def run_search(plan: Plan) -> list[Outcome]:
    """Runs a search, or goes on with one whose driver was stopped.

    Args:
        plan: What is tried.

    Returns:
        The outcome of each trial, in the order of their names.

    Raises:
        ValueError: If Ray, or the sampler's library, is not installed.
    """
    tune = _imported()
    storage = (plan.folder / "ray").resolve()
    with _local_ray(plan):
        trainable = tune.with_resources(_trainable(plan), {"cpu": 1})
        if tune.Tuner.can_restore(str(storage / _NAME)):
            tuner = tune.Tuner.restore(
                str(storage / _NAME), trainable, resume_unfinished=True
            )
        else:
            tuner = _new(plan, trainable, storage)
        found = [_outcome(plan, result) for result in tuner.fit()]
    return sorted(found, key=lambda outcome: outcome.name)


def _imported() -> Any:
    try:
        from ray import tune
    except ImportError as error:
        raise ValueError(
            "A search needs Ray Tune. Install the extra 'tune': "
            'pip install "tfmeta[tune]".'
        ) from error
    return tune


def _new(plan: Plan, trainable: Any, storage: Path) -> Any:
    from ray import tune
    from ray.tune.schedulers import ASHAScheduler

    scheduler = ASHAScheduler(
        max_t=plan.validations,
        grace_period=min(plan.grace, plan.validations),
        reduction_factor=3,
    )
    return tune.Tuner(
        trainable,
        param_space={each.flag: _space(each) for each in plan.searched},
        tune_config=tune.TuneConfig(
            metric=plan.metric,
            mode=plan.mode,
            scheduler=scheduler,
            search_alg=_sampler(plan),
            num_samples=plan.trials,
            max_concurrent_trials=plan.parallel,
            trial_dirname_creator=lambda trial: _name_of(trial.trial_id),
        ),
        run_config=tune.RunConfig(
            name=_NAME,
            storage_path=str(storage),
            verbose=0,
            checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=1),
        ),
    )


def _space(each: Searched) -> Any:
    from ray import tune

    if each.values:
        return tune.choice(list(each.values))
    if each.whole:
        draw = tune.lograndint if each.scale == "log" else tune.randint
        return draw(round(each.low), round(each.high) + 1)
    draw = tune.loguniform if each.scale == "log" else tune.uniform
    return draw(each.low, each.high)


def _sampler(plan: Plan) -> Any:
    from ray.tune.search import BasicVariantGenerator

    if plan.sampler == "random":
        return BasicVariantGenerator(
            random_state=plan.seed, max_concurrent=plan.parallel
        )
    try:
        import optuna
        from ray.tune.search.optuna import OptunaSearch
    except ImportError as error:
        raise ValueError(
            "--sampler=optuna needs Optuna. Install the extra 'tune': "
            'pip install "tfmeta[tune]".'
        ) from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return OptunaSearch(sampler=optuna.samplers.TPESampler(seed=plan.seed))


def _name_of(trial_id: str) -> str:
    """A trial's number as Ray counts them, the same after a restart."""
    return f"trial_{trial_id.rpartition('_')[2]}"


def _trainable(plan: Plan) -> type:
    """The class that Ray runs in a process of its own for each trial."""
    from ray import tune

    root = plan.folder.absolute()  # A worker of Ray has a directory of its own.

    class Training(tune.Trainable):
        """A training that Ray steps through, a validation at a time."""

        def setup(self, config: dict[str, Any]) -> None:
            folder = root / _name_of(self.trial_id)
            command = [*plan.command, *plan.flags_of(config)]
            self._trial = Trial(command, folder, plan.metric)
            self._last: dict[str, Any] = {}

        def step(self) -> dict[str, Any]:
            row = self._trial.next_validation()
            if row is None:
                return {**self._last, "done": True}
            self._last = row
            return {**row, "done": self._iteration + 1 >= plan.validations}

        def cleanup(self) -> None:
            self._trial.stop()

        def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any]:
            return {"validations": self._iteration, "last": self._last}

        def load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
            for _ in range(checkpoint["validations"]):
                self._trial.next_validation()
            self._last = checkpoint["last"]

    return Training


@contextlib.contextmanager
def _local_ray(plan: Plan) -> Iterator[None]:
    """Starts Ray on this machine, and stops it afterwards."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
    os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("TUNE_MAX_PENDING_TRIALS_PG", str(plan.parallel))
    import ray

    ray.init(
        address="local",
        num_cpus=plan.parallel,
        include_dashboard=False,
        _node_ip_address="127.0.0.1",
        object_store_memory=_STORE,
        log_to_driver=False,
        logging_level=logging.ERROR,
        runtime_env={"env_vars": {"PYTHONPATH": os.pathsep.join(sys.path)}},
    )
    try:
        yield
    finally:
        ray.shutdown()


def _outcome(plan: Plan, result: Any) -> Outcome:
    last = result.metrics or {}
    name = Path(result.path).name
    scores = [row[plan.metric] for row in validations(plan.folder / name, plan.metric)]
    pick = max if plan.higher_is_better else min
    ended = last.get("training_iteration", 0)
    error = "" if result.error is None else _told(result.error)
    return Outcome(
        name=name,
        values=dict(result.config or {}),
        best=pick(scores) if scores else None,
        step=int(last.get("step", 0)),
        memory_gb=float(last.get("memory_gb", 0.0)),
        error=error,
        stopped=not error and ended < plan.validations,
    )


def _told(error: Exception) -> str:
    """The last line of a trial's error."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].removeprefix("RuntimeError: ").strip() if lines else repr(error)
