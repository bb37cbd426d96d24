"""Published tests, which fix the episodes that are scored."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

from absl import flags

from tfmeta.apps import console
from tfmeta.data import Part
from tfmeta.data.lake.trials import TRIALS, WAY, save_lake_trials
from tfmeta.learners import as_learner

FLAGS = flags.FLAGS
_FIXED = ("way", "shot", "query", "episodes_file", "part")


def define_protocol_flag() -> None:
    """Defines which published test fixes the episodes."""
    flags.DEFINE_enum(
        "protocol",
        None,
        ["lake"],
        "A published test that fixes the episodes. lake: Omniglot's one-shot test, one "
        "person's drawings of 20 characters of an alphabet against another's; "
        f"{TRIALS} trials unless --episodes says otherwise. The run must have been "
        "trained without --split.",
    )


def check_protocol(trained: Mapping[str, Any], *models: Any) -> None:
    """Refuses flags, data and learners that do not fit --protocol, if it is given.

    Args:
        trained: The flags of the run, or those of this start.
        *models: The models or learners that are scored; None for one made later.

    Raises:
        ValueError: If one does not fit.
    """
    if FLAGS.protocol is None:
        return
    said = [f"--{name}" for name in _FIXED if FLAGS[name].present]
    if said:
        raise ValueError(
            f"--protocol={FLAGS.protocol} fixes the episodes: leave out "
            f"{', '.join(said)}, or --protocol."
        )
    dataset = str(trained.get("dataset"))
    if dataset.split(":")[:2] != ["tfds", "omniglot"]:
        raise ValueError(
            "--protocol=lake is a test on Omniglot's drawings. Received: a run on "
            f"{dataset}. Train with --dataset=tfds:omniglot, or leave out --protocol."
        )
    for learner in (as_learner(model) for model in models if model is not None):
        name, most = type(learner).__name__, learner.max_way
        if not learner.adapts or (most is not None and most < WAY):
            knows = "does not adapt" if not learner.adapts else f"tells {most} apart"
            raise ValueError(
                f"--protocol=lake asks to tell {WAY} new characters apart, but {name} "
                f"{knows}. Score a learner of any number of classes, such as ProtoNet."
            )


@contextlib.contextmanager
def protocol_episodes(part: Part, trained: Mapping[str, Any]) -> Iterator[None]:
    """Draws the episodes of --protocol, if it is given, and keeps them for a while.

    Args:
        part: The part that is scored.
        trained: The flags of the run, which say where its data lie.

    Raises:
        ValueError: If the part cannot serve the protocol.
    """
    if FLAGS.protocol is None:
        yield
        return
    saved = FLAGS.save_episodes if "save_episodes" in FLAGS else None
    with tempfile.TemporaryDirectory() as folder:
        path = save_lake_trials(
            saved or f"{folder}/lake.npz",
            part,
            data_dir=trained.get("data_dir"),
            seed=FLAGS.seed,
            count=FLAGS.episodes if FLAGS["episodes"].present else TRIALS,
        )
        if saved:
            console.say(f"Wrote {saved}")
            FLAGS["save_episodes"].value = None
        FLAGS["episodes_file"].value = str(path)
        yield


def protocol_told() -> dict[str, Any]:
    """What a result says of --protocol."""
    if FLAGS.protocol is None:
        return {"protocol": None}
    return {"protocol": FLAGS.protocol, "seed": FLAGS.seed}
