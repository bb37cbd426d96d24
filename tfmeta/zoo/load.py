"""Loads a net that ships."""

from __future__ import annotations

from tfmeta.training import MetaModel
from tfmeta.zoo.catalogue import run_folder


def load(name: str, *, normalisation: str | None = None) -> MetaModel:
    """Loads a trained net, ready to adapt, evaluate, train on and export.

    Args:
        name: One of `tfmeta.zoo.names()`.
        normalisation: Another mode of normalisation than the net ships with; None for
            its own.

    Returns:
        The model with its weights and its preparation: inputs are raw, as those of its
        data. It is not compiled.

    Raises:
        ValueError: If there is no such net, a file of it is damaged, or it has no such
            mode.

    Example:
        >>> import numpy as np
        >>> model = load("glyphs_protonet")
        >>> pictures = np.zeros((2, 28, 28, 1), np.uint8)
        >>> model.adapt(pictures, ["ka", "ki"]).classify(pictures[:1]).shape
        (1,)
    """
    return run_folder(name).load_model(normalisation=normalisation)
