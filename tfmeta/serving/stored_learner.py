"""Rebuilds a trained learner from the config and the weights that a run keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras

from tfmeta.learners import Learner
from tfmeta.own_code import import_own_code_in, working_directory_hidden
from tfmeta.serving.checkpoint import load_checkpoint

# Arguments that had another name in the configs of older versions.
_STEPS = {"train_steps": "eval_steps", "learning_rate": "inner_lr"}
_RENAMED = {
    "FineTune": _STEPS,
    "FromScratch": {**_STEPS, "draw": "seed"},
    "LinearProbe": _STEPS,
    "LearnedRates": {"initial": "learning_rate"},
    "MatchingNet": {"draw": "seed"},
    "Reptile": {"batch_size": "inner_batch"},
}


def stored_learner(
    config: dict[str, Any], weights: Path, *, normalisation: str | None = None
) -> Learner:
    """Rebuilds a learner and loads its weights.

    Args:
        config: What `keras.saving.serialize_keras_object(learner)` returned, in this
            version or an older one.
        weights: The checkpoint that holds the group "learner".
        normalisation: A mode other than that of training, to compare; None for the mode
            of training.

    Returns:
        The learner.

    Raises:
        ValueError: If the file is not such a checkpoint, if the config names code that
            is neither on PYTHONPATH nor installed, if `normalisation` is "running" and
            training kept no moving averages, or if the learner has no modes.
    """
    config = _today(config)
    import_own_code_in(config)
    trained_in = config["config"].get("normalisation")
    if normalisation is not None:
        if trained_in is None:
            raise ValueError(
                f"{config['class_name']} has no normalisation to choose. Received: "
                f"normalisation={normalisation!r}. Leave it out."
            )
        config["config"]["normalisation"] = normalisation
    with working_directory_hidden():
        learner = keras.saving.deserialize_keras_object(config)
    if normalisation is not None and learner.mode == "running" != trained_in:
        raise ValueError(
            f"The run was trained with normalisation={trained_in!r}, which keeps no "
            "moving averages, so it cannot be scored with 'running'. Set "
            "normalisation to 'support' or 'task'."
        )
    load_checkpoint(weights, {"learner": learner.variables})
    return learner


def _today(config: Any) -> Any:
    """Renames the arguments in a config that an older version wrote."""
    if isinstance(config, list):
        return [_today(each) for each in config]
    if not isinstance(config, dict):
        return config
    config = {name: _today(value) for name, value in config.items()}
    renamed = _RENAMED.get(config.get("class_name", ""), {})
    inner = config.get("config")
    if isinstance(inner, dict):
        inner = {renamed.get(name, name): value for name, value in inner.items()}
        if isinstance(inner.get("rule"), dict):  # The rule's config has the rate.
            inner.pop("inner_lr", None)
        config["config"] = inner
    return config
