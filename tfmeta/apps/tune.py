"""Searches for the flags of a training that validate best, by Ray Tune with ASHA.

    tfmeta tune --search inner_lr=log:1e-3:1 --search filters=32,64 --trials=12
        --learner=maml --dataset=glyphs --steps=2000 --run_dir=runs/search

Every trial is a training by the flags of the app train, in a folder of its own; its
validations are followed, and a trial that falls behind is stopped early. The same
command goes on with a search that was stopped. The flags of the best trial are left in
best.flags, for the app train.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from absl import flags

from tfmeta.apps import console, runs, train
from tfmeta.apps.flags.parts import KINDS, Parts
from tfmeta.apps.flags.search import checked_search, read_search, without_flags
from tfmeta.apps.tuning.ray_search import Outcome, Plan, run_search
from tfmeta.apps.tuning.report import draw, ranked, shown, tell, write_flagfile
from tfmeta.json_files import read_json, write_json

FLAGS = flags.FLAGS
_OWN = ("search", "trials", "parallel", "grace", "sampler", "search_seed", "run_dir")
_SAME = (  # What makes the trials of a search comparable.
    "run_dir",
    "dataset",
    "steps",
    "validate_every",
    "seeds",
    "val_way",
    "val_shot",
    "val_query",
    "val_episodes",
)


def _searched_parts(argv: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The parts that a command line searches among, such as the nets."""
    texts = [
        after if text in ("--search", "-search") else text.partition("=")[2]
        for text, after in zip(argv, [*argv[1:], ""], strict=True)
        if text.lstrip("-").partition("=")[0] == "search" and text.startswith("-")
    ]
    return {each.flag: each.values for each in read_search(texts) if each.flag in KINDS}


PARTS = Parts(
    *("dataset", "learner", "net", "rule", "augment", "objective"),
    several=_searched_parts,
)


def define_flags() -> None:
    """Defines the app's own flags, and those of the app train."""
    train.define_flags()
    flags.DEFINE_multi_string(
        "search",
        [],
        "A flag of the app train to search for, given as often as there are such "
        "flags: NAME=A,B,C for some values, NAME=log:LOW:HIGH or NAME=range:LOW:HIGH "
        "for numbers.",
    )
    flags.DEFINE_integer("trials", 12, "How many trainings to try.", lower_bound=1)
    flags.DEFINE_integer("parallel", 1, "Trainings at a time.", lower_bound=1)
    flags.DEFINE_integer(
        "grace",
        2,
        "The validations of every trial before it may be stopped early.",
        lower_bound=1,
    )
    flags.DEFINE_enum(
        "sampler",
        "random",
        ["random", "optuna"],
        "How values are chosen: at random, or by Optuna's TPE from the trials before.",
    )
    flags.DEFINE_integer("search_seed", 0, "Of the values that are drawn.", 0)


def main() -> dict:
    """Searches, prints a table, draws a picture, and writes the best flags."""
    if not FLAGS.search:
        raise ValueError(
            "Nothing is searched for. Give --search, such as "
            "--search outer_lr=log:1e-4:1e-2."
        )
    plan, fixed = _plan()
    _check_same_search(plan, fixed)
    console.say(
        f"{plan.trials} trials of {FLAGS.steps} steps, {plan.parallel} at a time; each "
        f"may be stopped early after {plan.grace} validations."
    )
    console.say(
        "Ray listens on every network interface of this machine while the search "
        "runs; its ports are open to whoever can reach the machine."
    )
    outcomes = run_search(plan)
    tell(plan, outcomes)
    draw(plan, outcomes, plan.folder / "search.png")
    best = ranked(plan, outcomes)[0]
    if best.best is None:
        raise ValueError(
            f"No trial came to a validation; {best.name}.log in {plan.folder} says why."
        )
    flagfile = write_flagfile(plan, best, fixed)
    summary = _summary(plan, outcomes, best)
    write_json(plan.folder / "search.json", summary)
    _tell_next(plan, best, str(flagfile))
    return summary


def _plan() -> tuple[Plan, list[str]]:
    """What is tried, and the flags that all trials share."""
    searched = checked_search(read_search(FLAGS.search))
    own = [f"--{each.flag}" for each in searched if each.flag in _SAME]
    if own:
        raise ValueError(
            f"{', '.join(own)} is the same for all trials of a search. Search for "
            "another flag."
        )
    said = [each.flag for each in searched if FLAGS[each.flag].present]
    if said:
        raise ValueError(
            f"--{said[0]} is given, and searched for too. Leave out one of the two."
        )
    fixed = without_flags(PARTS.argv, _OWN, ["json"])
    source = runs.source_of(runs.flags_now())
    targets = source.train.targets
    command = [sys.executable, "-m", "tfmeta.apps.main", "train", *fixed]
    plan = Plan(
        folder=Path(FLAGS.run_dir),
        searched=searched,
        command=command,
        owners={each.flag: PARTS.owners_of(each.flag) for each in searched},
        metric=f"val_{targets.metric}",
        higher_is_better=targets.higher_is_better,
        trials=FLAGS.trials,
        validations=math.ceil(FLAGS.steps / FLAGS.validate_every),
        grace=FLAGS.grace,
        parallel=FLAGS.parallel,
        sampler=FLAGS.sampler,
        seed=FLAGS.search_seed,
    )
    return plan, fixed


def _check_same_search(plan: Plan, fixed: list[str]) -> None:
    """Refuses to go on with a search of other flags in the same folder."""
    asked = {
        "search": sorted(FLAGS.search),
        "flags": sorted(fixed),
        "trials": plan.trials,
        "grace": plan.grace,
        "sampler": plan.sampler,
        "search_seed": plan.seed,
    }
    path = plan.folder / "plan.json"
    if path.exists():
        before = read_json(path)
        differ = [
            f"{name} was {before.get(name)} and is {value}"
            for name, value in asked.items()
            if before.get(name) != value
        ]
        if differ:
            raise ValueError(
                f"The search in {plan.folder} began otherwise: {'; '.join(differ)}. "
                "Give the same flags, or another --run_dir."
            )
        return
    plan.folder.mkdir(parents=True, exist_ok=True)
    write_json(path, asked)


def _summary(plan: Plan, outcomes: list[Outcome], best: Outcome) -> dict[str, Any]:
    return {
        "metric": plan.metric,
        "best": best.name,
        "best_validation": best.best,
        "flags": plan.flags_of(best.values),
        "trials": [
            {
                "name": each.name,
                "values": {s.flag: each.values[s.flag] for s in plan.searched},
                "best_validation": each.best,
                "step": each.step,
                "memory_gb": each.memory_gb,
                "stopped_early": each.stopped,
                "error": each.error,
            }
            for each in outcomes
        ],
    }


def _tell_next(plan: Plan, best: Outcome, flagfile: str) -> None:
    run = str(plan.folder / best.name)
    console.say(f"Best:     {best.name}, {shown(plan, best.best)} in validation")
    console.say(f"Its flags: {flagfile}")
    console.say(f"Evaluate: {console.command('evaluate', run_dir=run)}")
    watch = console.program("tensorboard")
    console.say(f"Watch:    {watch} --logdir {plan.folder}")
    console.say(f"Picture:  {plan.folder}/search.png")
