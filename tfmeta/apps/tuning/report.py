"""What is told of a search: a table, a picture, and the flags of the best trial."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tfmeta.apps import console
from tfmeta.apps.flags.search import Searched
from tfmeta.apps.tuning.ray_search import Outcome, Plan


def ranked(plan: Plan, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The trials from best to worst; those without a validation come last."""
    sign = -1 if plan.higher_is_better else 1

    def place(outcome: Outcome) -> tuple[bool, float]:
        return outcome.best is None, sign * (outcome.best or 0.0)

    return sorted(outcomes, key=place)


def tell(plan: Plan, outcomes: Sequence[Outcome]) -> None:
    """Prints a table of all trials, from best to worst.

    Args:
        plan: What was tried.
        outcomes: What became of the trials.
    """
    name = plan.metric.removeprefix("val_")
    console.table(
        f"{len(outcomes)} trials in {plan.folder}, by their best validation",
        ["trial", name, "steps", "GB", ""],
        [
            [
                _described(plan, outcome),
                shown(plan, outcome.best),
                str(outcome.step),
                f"{outcome.memory_gb:.1f}",
                _state(outcome),
            ]
            for outcome in ranked(plan, outcomes)
        ],
    )
    for outcome in outcomes:
        if outcome.error:
            console.say(f"{outcome.name} failed: {outcome.error}")


def shown(plan: Plan, score: float | None) -> str:
    """A score as people read it: an accuracy in percent."""
    if score is None:
        return "-"
    accuracy = plan.metric == "val_accuracy"
    return f"{100 * score:.2f} %" if accuracy else f"{score:.4g}"


def write_flagfile(plan: Plan, outcome: Outcome, fixed: Sequence[str]) -> Path:
    """Writes the flags of a trial into a file that the app train takes.

    Args:
        plan: What was tried.
        outcome: The trial.
        fixed: The flags that all trials share.

    Returns:
        The file.
    """
    path = plan.folder / "best.flags"
    score = shown(plan, outcome.best)
    lines = [
        f"# The best of a search: {outcome.name}, {score} in validation.",
        "#",
        f"#   tfmeta train --flagfile={path} --run_dir=RUN_DIR",
        *fixed,
        *plan.flags_of(outcome.values),
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def draw(plan: Plan, outcomes: Sequence[Outcome], path: Path) -> None:
    """Draws the best validation of each trial over every value that was searched for.

    Args:
        plan: What was tried.
        outcomes: What became of the trials.
        path: The PNG to write.
    """
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    scored = [each for each in outcomes if each.best is not None]
    count = len(plan.searched)
    figure, all_axes = pyplot.subplots(
        1,
        count,
        figsize=(1 + 3 * count, 3.4),
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    name = plan.metric.removeprefix("val_")
    factor = 100 if name == "accuracy" else 1
    for axes, each in zip(all_axes[0], plan.searched, strict=True):
        _draw_values(axes, each, scored, factor)
    percent = ", %" if factor == 100 else ""
    all_axes[0][0].set_ylabel(f"best validation {name}{percent}")
    all_axes[0][-1].legend(frameon=False, fontsize="small")
    figure.savefig(path, dpi=144)
    pyplot.close(figure)


def _draw_values(
    axes: Any, each: Searched, outcomes: Sequence[Outcome], factor: int
) -> None:
    """Draws the trials over the values of one flag."""
    for early in (False, True):
        some = [outcome for outcome in outcomes if outcome.stopped == early]
        axes.scatter(
            [_position(each, outcome) for outcome in some],
            [factor * (outcome.best or 0.0) for outcome in some],
            label="stopped early" if early else "to the end",
            facecolors="none" if early else "C0",
            edgecolors="C0",
        )
    if each.values:
        axes.set_xticks(range(len(each.values)), each.values)
        axes.set_xlim(-0.5, len(each.values) - 0.5)
    elif each.scale == "log":
        axes.set_xscale("log")
    axes.set_xlabel(each.flag)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _position(each: Searched, outcome: Outcome) -> float:
    value = outcome.values[each.flag]
    return each.values.index(value) if each.values else float(value)


def _described(plan: Plan, outcome: Outcome) -> str:
    """The trial's number and its values, in words that a narrow column can break."""
    number = outcome.name.removeprefix("trial_")
    values = (f"{s.flag}={s.spelled(outcome.values[s.flag])}" for s in plan.searched)
    return " ".join([f"{number}:", *values])


def _state(outcome: Outcome) -> str:
    if outcome.error:
        return "failed"
    return "stopped early" if outcome.stopped else ""
