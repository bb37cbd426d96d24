"""The flags that say which data, which net and which learner, and what they make."""

from __future__ import annotations

from typing import Any

import keras
from absl import flags

import tfmeta
from tfmeta.data import Source
from tfmeta.training import RunFolder
from tfmeta.training.run_folder import read_json

FLAGS = flags.FLAGS
_OTHERS = frozenset(FLAGS)  # Those of TensorFlow and absl.


def define_data_flags() -> None:
    """Where tasks come from."""
    flags.DEFINE_string(
        "dataset",
        "glyphs",
        "Where the classes come from: glyphs (drawn by a program, nothing to "
        "download), tfds:NAME (such as tfds:omniglot) or npz:PATH.",
    )
    flags.DEFINE_string(
        "data_dir", None, "Where TFDS keeps its data; npz:PATH is looked for here too."
    )
    flags.DEFINE_bool("download", False, "Let TFDS download what is missing.")
    flags.DEFINE_string(
        "split",
        None,
        "Which classes are for training, validation and test: a shipped list "
        "(vinyals, cifar_fs, fc100), a JSON file of class names, or three fractions "
        "such as 0.64,0.16,0.2. Left out: the source's own.",
    )
    flags.DEFINE_bool(
        "rotations", False, "Count images turned by 90, 180, 270 degrees as classes."
    )
    flags.DEFINE_integer(
        "data_seed",
        0,
        "Which classes fractions take, and which glyphs are drawn.",
        lower_bound=0,
    )
    flags.DEFINE_integer(
        "image_size", None, "Resize images to this height and width, in pixels."
    )
    flags.DEFINE_integer("channels", None, "Turn images into 1 (grey) or 3 (colour).")


def define_episode_flags() -> None:
    """What an episode is made of."""
    flags.DEFINE_integer("way", 5, "Classes in an episode (a task).", lower_bound=1)
    flags.DEFINE_integer("shot", 1, "Support examples per class.", lower_bound=1)
    flags.DEFINE_integer(
        "query", 15, "Queries (what is asked) per class.", lower_bound=1
    )


def define_learner_flags() -> None:
    """Which method, around which net."""
    flags.DEFINE_string(
        "learner", "protonet", f"The method: {', '.join(sorted(learners()))}."
    )
    flags.DEFINE_enum("net", "conv4", ["conv4", "mlp"], "The net it trains.")
    flags.DEFINE_integer("filters", 64, "Channels of conv4.", lower_bound=1)
    flags.DEFINE_bool(
        "strided", False, "Whether conv4 halves by stride (faster) or by max-pooling."
    )
    flags.DEFINE_string(
        "normalisation",
        None,
        "Where batch normalisation takes its statistics from: support (the support "
        "set), task (each batch, transductive) or running (moving averages). Left "
        "out: the learner's own, or the run's.",
    )
    flags.DEFINE_integer(
        "inner_steps",
        1,
        "maml: gradient steps with which it adapts to a task in training.",
        lower_bound=0,
    )
    flags.DEFINE_integer(
        "eval_steps",
        None,
        "maml: such steps when validated, evaluated and served; left out: as many as "
        "in training.",
        lower_bound=0,
    )
    flags.DEFINE_float("inner_lr", 0.4, "maml: size of such a step.", lower_bound=0)
    flags.DEFINE_bool("first_order", False, "maml: drop second derivatives: faster.")
    flags.DEFINE_bool(
        "prototype_head",
        False,
        "maml: make the last layer from each task's class means, for any way.",
    )
    flags.DEFINE_enum(
        "distance",
        "euclidean",
        ["euclidean", "cosine"],
        "protonet: how an embedding is compared with a class mean.",
    )


def values() -> dict[str, Any]:
    """The values of this project's flags, by name; other libraries' left out."""
    return {
        name: FLAGS[name].value
        for name in FLAGS
        if name not in _OTHERS
        and not FLAGS.find_module_defining_flag(name).startswith("absl")
    }


def values_of_run(run: RunFolder) -> dict[str, Any]:
    """The flags of a run; where its data lies may be said anew.

    Args:
        run: The run's folder.

    Returns:
        The values by name.
    """
    values = dict(read_json(run.config_file)["flags"])
    for name in ("data_dir", "download"):
        if name in FLAGS and FLAGS[name].present:
            values[name] = FLAGS[name].value
    return values


def learners() -> dict[str, type[tfmeta.learners.Learner]]:
    """The learners by their name on the command line: the class name in lower case."""
    module = tfmeta.learners
    public = {name: getattr(module, name) for name in module.__all__}
    return {
        name.lower(): value
        for name, value in public.items()
        if isinstance(value, type) and value is not module.Learner
    }


def check_learner_name() -> None:
    """Refuses a name of no learner, before data is read.

    Raises:
        ValueError: If there is no such learner.
    """
    if FLAGS.learner not in learners():
        raise ValueError(
            f"There is no learner {FLAGS.learner!r}. --learner is one of: "
            f"{', '.join(sorted(learners()))}."
        )


def load_source(values: dict[str, Any]) -> Source:
    """The source that data flags name.

    Args:
        values: The flags, by name: FLAGS', or those a run has written down.

    Returns:
        Its three splits.
    """
    options = ("data_dir", "download", "split", "rotations", "image_size", "channels")
    return tfmeta.data.load(
        values["dataset"], seed=values["data_seed"], **{k: values[k] for k in options}
    )


def make_learner(example_shape: tuple[int, ...]) -> tfmeta.learners.Learner:
    """The learner that FLAGS name, around a net with weights from `--seed`.

    Args:
        example_shape: The shape of one input.

    Returns:
        A new learner.

    Raises:
        ValueError: If there is no such learner.
    """
    check_learner_name()
    name = FLAGS.learner
    options: dict[str, Any] = {}
    if name == "nearestneighbour":
        return learners()[name]()
    if FLAGS.normalisation:
        options["normalisation"] = FLAGS.normalisation
    headed = name == "fromscratch" or (name == "maml" and not FLAGS.prototype_head)
    if name == "maml":
        options |= {
            "inner_steps": FLAGS.inner_steps,
            "inner_lr": FLAGS.inner_lr,
            "eval_steps": FLAGS.eval_steps,
            "first_order": FLAGS.first_order,
        }
    if name == "protonet":
        options["distance"] = FLAGS.distance
    net = make_net(example_shape, FLAGS.way if headed else None)
    return learners()[name](net, **options)


def make_net(example_shape: tuple[int, ...], way: int | None) -> keras.Model:
    """The net that FLAGS name.

    Args:
        example_shape: The shape of one input.
        way: Outputs of its head, or None for a net without one.

    Returns:
        A built net whose weights come from `--seed`.
    """
    if FLAGS.net == "conv4":
        net = tfmeta.nets.conv4(
            way=way,
            filters=FLAGS.filters,
            strided=FLAGS.strided,
            input_shape=example_shape,
        )
    else:
        net = tfmeta.nets.mlp(outputs=way, input_shape=example_shape)
    return tfmeta.nets.fresh(net, seed=FLAGS.seed)
