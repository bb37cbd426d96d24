"""Which of a net's weights adapt."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras

AdaptOnly = str | Sequence[str] | Callable[[str], bool]


def chosen_to_adapt(net: keras.Model, adapt_only: AdaptOnly | None) -> list[bool]:
    """Reads which of a net's trainable variables adapt to a task.

    Args:
        net: A built Keras model.
        adapt_only: What their paths, such as "head/kernel", begin with: one prefix or
            several. Or a function of the path. None for all.

    Returns:
        One for each of `net.trainable_variables`.

    Raises:
        ValueError: If it matches no variable, or every one; it lists the paths.

    Example:
        >>> net = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, name="a"),
        ...                         keras.layers.Dense(1, name="head")])
        >>> chosen_to_adapt(net, "head")
        [False, False, True, True]
    """
    paths = [variable.path for variable in net.trainable_variables]
    if adapt_only is None:
        return [True] * len(paths)
    if callable(adapt_only):
        chosen = [bool(adapt_only(path)) for path in paths]
    else:
        prefixes = (adapt_only,) if isinstance(adapt_only, str) else tuple(adapt_only)
        chosen = [path.startswith(prefixes) for path in paths]
    if all(chosen) or not any(chosen):
        raise ValueError(
            f"adapt_only must match some of the net's weights and not all. Received: "
            f"{adapt_only!r}, which matches {'all' if all(chosen) else 'none'} of: "
            f"{', '.join(paths)}."
        )
    return chosen
