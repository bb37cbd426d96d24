"""A trained learner from what a run keeps: its config and its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras

from tfmeta.learners import Learner
from tfmeta.serving.checkpoint import load_checkpoint

# Arguments that had another name in the configs of version 0.1.
_RENAMED = {
    "FineTune": {"train_steps": "eval_steps", "learning_rate": "inner_lr"},
    "FromScratch": {"train_steps": "eval_steps", "learning_rate": "inner_lr"},
    "LinearProbe": {"train_steps": "eval_steps", "learning_rate": "inner_lr"},
    "LearnedRates": {"initial": "learning_rate"},
}


def stored_learner(
    config: dict[str, Any], weights: Path, *, normalisation: str | None = None
) -> Learner:
    """Rebuilds a learner and loads its weights.

    Args:
        config: What `keras.saving.serialize_keras_object(learner)` gave; that of an
            older version too.
        weights: The checkpoint that holds the group "learner".
        normalisation: Another mode than it was trained in, to compare; None for its
            own.

    Returns:
        The learner.

    Raises:
        ValueError: If the file is not such a checkpoint, or no averages were kept for
            `normalisation`.
    """
    config = _today(config)
    trained_in = config["config"].get("normalisation")
    if normalisation is not None:
        config["config"]["normalisation"] = normalisation
    learner = keras.saving.deserialize_keras_object(config)
    if learner.mode == "running" != trained_in:
        raise ValueError(
            f"The run was trained with normalisation={trained_in!r}, which keeps no "
            "moving averages, so it cannot be scored with 'running'. Use 'support' or "
            "'task'."
        )
    load_checkpoint(weights, {"learner": learner.variables})
    return learner


def _today(config: Any) -> Any:
    """A config with the names that arguments have now."""
    if isinstance(config, list):
        return [_today(each) for each in config]
    if not isinstance(config, dict):
        return config
    config = {name: _today(value) for name, value in config.items()}
    renamed = _RENAMED.get(config.get("class_name", ""), {})
    inner = config.get("config")
    if isinstance(inner, dict):
        inner = {renamed.get(name, name): value for name, value in inner.items()}
        if isinstance(inner.get("rule"), dict):  # The rule has its rate.
            inner.pop("inner_lr", None)
        config["config"] = inner
    return config
