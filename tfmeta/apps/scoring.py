"""The flags that say which episodes are scored, how scores are shown and kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from absl import flags

from tfmeta.apps import console
from tfmeta.apps.flags.episodes import define_scored_flags, ends_of, query_for, way_for
from tfmeta.apps.flags.protocol import define_protocol_flag
from tfmeta.apps.progress import episodes_scored
from tfmeta.core import Labels
from tfmeta.data import Part, frozen_episodes
from tfmeta.evaluation import Result, evaluate
from tfmeta.json_files import read_json, write_json
from tfmeta.learners import Learner, as_learner
from tfmeta.training import RunFolder

FLAGS = flags.FLAGS
CALIBRATION = "calibration.json"  # In a run folder.
_IN_A_FILE = ("way", "shot", "query", "episodes", "seed")
_NEED_EPISODES = (
    *("episodes_file", "protocol", "save_episodes"),
    *("baselines", "picture"),
)
_WAY, _SHOT = 5, 1  # Where no run says others.


def define_scoring_flags() -> None:
    """Defines which checkpoint is scored on which episodes."""
    define_scored_flags()
    flags.DEFINE_enum("which", "best", ["best", "last"], "The run's checkpoint.")
    flags.DEFINE_enum(
        "part", "test", ["test", "val", "train"], "The part of the data to score on."
    )
    flags.DEFINE_integer("episodes", 600, "The number of episodes.", lower_bound=2)
    flags.DEFINE_integer("seed", 1, "The seed of the episodes.", lower_bound=0)
    define_step_flag()
    define_protocol_flag()
    flags.DEFINE_string(
        "episodes_file",
        None,
        "Score on the episodes in this file, which --save_episodes of the app evaluate "
        "wrote, in place of --way, --shot, --query, --episodes and --seed.",
    )


def define_step_flag() -> None:
    """Defines the number of inner steps outside training."""
    flags.DEFINE_integer(
        "eval_steps",
        None,
        "The number of inner steps. Left out: the learner's own.",
        lower_bound=0,
    )


def settle_episodes(part: Part, trained: Mapping[str, Any], model: Any = None) -> None:
    """Fills in the sizes of episodes that no flag has given.

    Args:
        part: The part that episodes are drawn from.
        trained: The flags of a run, whose validation says way and shot; {} for none.
        model: The run's model, if there is one.

    Raises:
        ValueError: If flags ask for episodes of a model that does not adapt.
    """
    if not _adapts(model):
        _check_without_episodes(type(as_learner(model)).__name__)
        return
    if FLAGS.episodes_file:
        return
    way = trained.get("val_way") or ends_of(trained.get("way"))[0] or _WAY
    shot = trained.get("val_shot") or ends_of(trained.get("shot"))[0] or _SHOT
    # Tasks without classes have no way; who asks for one is told so.
    FLAGS["way"].value = way_for(part, FLAGS.way, way)
    FLAGS["shot"].value = FLAGS.shot or shot
    FLAGS["query"].value = query_for(part, FLAGS.shot, FLAGS.query)


def _adapts(model: Any) -> bool:
    return model is None or as_learner(model).adapts


def _check_without_episodes(learner: str) -> None:
    names = (*_IN_A_FILE, *_NEED_EPISODES)
    said = [f"--{name}" for name in names if name in FLAGS and FLAGS[name].present]
    if said:
        raise ValueError(
            f"{learner} does not adapt: it is scored on every example of --part, "
            f"without episodes. Leave out {', '.join(said)}."
        )


def episodes_of(model: Any) -> dict[str, Any]:
    """What flags say of episodes, as `tfmeta.evaluate` takes it.

    Args:
        model: The model or learner that is scored.

    Returns:
        The arguments; none for a learner that does not adapt.

    Raises:
        ValueError: If flags name a file, and anything else beside it.
    """
    if not _adapts(model):
        return {}
    if FLAGS.episodes_file:
        said = [f"--{name}" for name in _IN_A_FILE if FLAGS[name].present]
        if said and FLAGS.protocol is None:
            raise ValueError(
                f"The episodes are those in {FLAGS.episodes_file}: leave out "
                f"{', '.join(said)}, or --episodes_file."
            )
        return {"episodes_file": FLAGS.episodes_file}
    return {name: FLAGS[name].value for name in _IN_A_FILE}


def way_of(part: Any) -> int | None:
    """The way of the episodes that flags name; None where tasks have values."""
    if not isinstance(part.targets, Labels):
        return None
    if FLAGS.episodes_file:
        x, _ = next(iter(frozen_episodes(FLAGS.episodes_file, part)))
        return 1 + int(x["support_y"].numpy().max())
    return FLAGS.way


def check_steps(*models: Any) -> None:
    """Refuses `--eval_steps` where none of the models or learners takes inner steps."""
    learners = [as_learner(model) for model in models]
    if FLAGS.eval_steps is not None and all(e.default_steps is None for e in learners):
        names = " and ".join(dict.fromkeys(type(each).__name__ for each in learners))
        raise ValueError(
            f"--eval_steps={FLAGS.eval_steps} is for learners that take inner steps. "
            f"Received: {names}, without any. Leave out --eval_steps."
        )


def steps_of(model: Any) -> int | None:
    """`--eval_steps`, for a model or learner that takes any."""
    return FLAGS.eval_steps if as_learner(model).default_steps is not None else None


def score(model: Any, part: Part, **options: Any) -> Result:
    """Scores a model or learner on the episodes that FLAGS name."""
    name = type(as_learner(model)).__name__
    with episodes_scored(name) as progress:
        return evaluate(model, part, **episodes_of(model), progress=progress, **options)


def title(result: Result, source: str) -> str:
    """What was asked for, in a line."""
    if not result.shot:
        asked = f"{result.way} classes, {result.episodes} examples"
        return f"{source} {result.split}, {asked}"
    if result.way is None:
        asked = f"{result.shot} examples a task, {result.query} queries"
    else:
        asked = f"{result.way}-way {result.shot}-shot, {result.query} queries per class"
    if FLAGS.protocol:
        trials = f"{result.episodes} trials of seed {FLAGS.seed}"
        return f"{source} {result.split}, Lake's test, {trials}"
    where = FLAGS.episodes_file or f"seed {result.seed}"
    return f"{source} {result.split}, {asked}, {result.episodes} episodes of {where}"


def row(name: str, result: Result) -> list[str]:
    """A result as a row under `columns`."""
    return [
        name,
        console.measure(result.metric, result.mean, result.ci95),
        "-" if result.steps is None else str(result.steps),
        result.normalisation,
        f"{result.seconds:.1f}",
    ]


def columns(result: Result) -> list[str]:
    """The heads over rows of `row`."""
    return ["learner", result.metric, "inner steps", "normalisation", "seconds"]


def write_calibration(
    run: RunFolder, temperature: float, fitted_on: Result, *, source: str, seed: int
) -> None:
    """Keeps a temperature in the run, with what it was fitted on.

    Args:
        run: The run.
        temperature: The number that logits are to be divided by.
        fitted_on: A result on episodes of the same kind, of the same steps.
        source: What results call the data.
        seed: The seed of the validation episodes.
    """
    names = ("way", "shot", "query", "episodes", "steps", "normalisation")
    same = {name: getattr(fitted_on, name) for name in names}
    drawn = {"source": source, "split": "val", "seed": seed}
    kept = {"temperature": temperature, **drawn, **same, "which": FLAGS.which}
    write_json(run.path / CALIBRATION, kept)


def kept_temperature(
    run: RunFolder, learner: Learner, *, which: str, steps: int | None
) -> float:
    """The temperature that the run keeps.

    Args:
        run: The run.
        learner: The learner that it is for.
        which: The checkpoint of the learner, "best" or "last".
        steps: The number of inner steps; None for the learner's own.

    Returns:
        The number that logits are to be divided by.

    Raises:
        ValueError: If the run keeps none, or it was fitted for another checkpoint, for
            other steps or another normalisation.
    """
    path = run.path / CALIBRATION
    if not path.exists():
        raise ValueError(
            f"{run.path} keeps no temperature. Run "
            f"{console.command('evaluate', run_dir=run.path)} --calibration first, or "
            "give --temperature."
        )
    kept = read_json(path)
    asked = {
        "which": which,
        "steps": learner.default_steps if steps is None else steps,
        "normalisation": learner.mode,
    }
    others = [f"{n} was {kept[n]} and is {v}" for n, v in asked.items() if kept[n] != v]
    if others:
        raise ValueError(
            f"The temperature in {path} was fitted otherwise: {', '.join(others)}. Run "
            f"{console.command('evaluate', run_dir=run.path)} --calibration with the "
            "same flags."
        )
    return float(kept["temperature"])
