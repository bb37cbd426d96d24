"""What a Keras user calls on a model, for a model of episodes."""

from __future__ import annotations

import warnings
from typing import Any

import keras
import tensorflow as tf

from tfmeta.learners import Learner
from tfmeta.nets import rebuild_problem
from tfmeta.training.step.arguments import (
    check_compiled,
    check_ends,
    check_episodes,
    check_monitors,
)
from tfmeta.training.step.batch_check import check_batch, first_batch, unpacked
from tfmeta.training.step.outer_step import finite_steps


class KerasVerbs(keras.Model):
    """A model that `fit`, `evaluate` and `predict` give batches of episodes; abstract.

    Each verb first refuses, in a sentence, what is no batch of episodes, so that the
    habits of plain Keras models do not end in an obscure error or a wrong number.

    Attributes:
        learner: The learner.
        prepare: The `Preparation` of the inputs.
    """

    learner: Learner
    prepare: Any
    _reported: tuple[str, ...]
    _warned = False

    def find_targets(self, y: Any) -> None:
        """Sets the learner's `targets` from the dtype of `y`, if they are None."""
        raise NotImplementedError(f"{type(self).__name__} must define find_targets.")

    def choose_task_map(self, data: Any) -> str:
        """Times the task maps on one batch of `data`, and keeps the fastest."""
        raise NotImplementedError(f"{type(self).__name__} must define choose_task_map.")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Refuses what is no batch of episodes, then does as `call`."""
        for x in args[:1]:
            check_episodes(x, inputs=self.learner.inputs, answers=False)
        return super().__call__(*args, **kwargs)

    def fit(
        self, x: Any = None, y: Any = None, **kwargs: Any
    ) -> keras.callbacks.History:
        """Meta-trains on a dataset of episodes; see `keras.Model.fit`.

        If the learner's `targets` are None, the dtype of the first `y` decides them.

        Args:
            x: The dataset that `tfmeta.data.episodes` returned, or the inputs of many
                episodes.
            y: The labels or values of the queries, if `x` is no dataset.
            **kwargs: For `keras.Model.fit`: `steps_per_epoch`, `epochs`,
                `validation_data`, `callbacks`, ...

        Returns:
            The history.

        Raises:
            ValueError: If the data are no episodes, or the first batch does not fit the
                learner.
            FloatingPointError: If a loss or a gradient is not finite. The error names
                the step, and for a loss the task.
        """
        self._check(x, y, "fit")
        check_ends(x, kwargs.get("steps_per_epoch"), "steps_per_epoch")
        self._check_validation(kwargs)
        check_monitors(kwargs.get("callbacks"), self._reported)
        if isinstance(x, tf.data.Dataset):
            self.choose_task_map(x)
        self._warn_if_not_kept()
        kwargs.setdefault("shuffle", False)
        with finite_steps():
            return super().fit(x, y, **kwargs)

    def evaluate(self, x: Any = None, y: Any = None, **kwargs: Any) -> Any:
        """Scores batches of episodes; see `keras.Model.evaluate`."""
        self._check(x, y, "evaluate")
        check_ends(x, kwargs.get("steps"), "steps")
        return super().evaluate(x, y, **kwargs)

    def predict(self, x: Any, **kwargs: Any) -> Any:
        """Adapts to batches of episodes and answers; see `keras.Model.predict`."""
        check_episodes(x, inputs=self.learner.inputs, answers=False)
        check_ends(x, kwargs.get("steps"), "steps")
        return super().predict(x, **kwargs)

    def check_batch(self, data: Any) -> None:
        """Refuses a batch that the net cannot hold or the learner cannot answer.

        Args:
            data: A batch `(x, y)`, as eager tensors.

        Raises:
            ValueError: If examples or labels do not fit the learner, or the preparation
                does not make what the net takes.
        """
        check_batch(*unpacked(data), self.learner, self.prepare)

    def save(self, filepath: Any, *args: Any, **kwargs: Any) -> None:
        """Writes a `.keras` file; see `keras.Model.save`.

        `keras.models.load_model` reads the file again. In a new process
        `import tfmeta.training` comes before, so that Keras knows the classes.

        Args:
            filepath: The file.
            *args: For `keras.Model.save`.
            **kwargs: For `keras.Model.save`.

        Raises:
            ValueError: If the file is to be an `.h5` file, which could not be loaded.
        """
        if str(filepath).endswith((".h5", ".hdf5")):
            raise ValueError(
                "A model of episodes is saved in a file that ends in .keras: one in "
                f"HDF5 could not be loaded. Received: {str(filepath)!r}. Change the "
                "ending."
            )
        super().save(filepath, *args, **kwargs)

    def export(self, *args: Any, **kwargs: Any) -> None:
        """Refused: `tfmeta.export.save` writes a SavedModel that adapts."""
        raise ValueError(
            "export of Keras writes a model that cannot adapt. Use "
            "tfmeta.export.save(model, path)."
        )

    def summary(self, *args: Any, expand_nested: bool = False, **kwargs: Any) -> None:
        """Prints the layers; with `expand_nested`, those of the learner's net too."""
        super().summary(*args, **kwargs)
        if expand_nested and self.learner.net is not None:
            self.learner.net.summary(*args, expand_nested=True, **kwargs)

    def _check(self, x: Any, y: Any, verb: str) -> None:
        """Refuses what cannot be trained on or scored; looks at the first batch."""
        check_episodes(x, y, inputs=self.learner.inputs)
        check_compiled(self, verb)
        self._find_targets_in(x, y)
        if isinstance(x, tf.data.Dataset):
            self.check_batch(first_batch(x))
        elif isinstance(x, dict):
            self.check_batch((x, y))

    def _check_validation(self, options: dict[str, Any]) -> None:
        x, y, steps = options.get("validation_data"), None, "validation_steps"
        if x is None:
            return
        if isinstance(x, list | tuple):
            x, y, _ = keras.utils.unpack_x_y_sample_weight(tuple(x))
        check_episodes(x, y, inputs=self.learner.inputs)
        check_ends(x, options.get(steps), steps)

    def _find_targets_in(self, x: Any, y: Any) -> None:
        if isinstance(x, tf.data.Dataset):
            y = x.element_spec[1]
        if hasattr(y, "dtype"):
            self.find_targets(y)

    def _warn_if_not_kept(self) -> None:
        """Warns once if the trained model could be saved and not loaded."""
        if not self._warned:
            self._warned = True
            problem = rebuild_problem(self.learner)
            if problem is not None:
                message = (
                    f"A saved copy of this model could not be loaded again. {problem}"
                )
                warnings.warn(message, stacklevel=3)
