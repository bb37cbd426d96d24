"""Makes a run small enough to ship."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from tfmeta.json_files import read_json, write_json
from tfmeta.npz_files import read_npz, write_npz
from tfmeta.training import RunFolder

# What a config says of the machine that trained.
_PLACES = ("data_dir", "download", "init_from", "json", "run_dir", "store")
# How far rounding may move a number, as a share of itself and of the array's root mean
# square. In its range half precision moves a number by 0.0005 of itself at most.
_OWN, _TYPICAL = 1e-3, 1e-4


def pack(
    run_dir: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    which: str = "best",
    normalisation: str | None = None,
) -> RunFolder:
    """Writes a run's config, preparation and weights into a small folder.

    Weights are rounded to half precision and compressed, so they take a quarter to a
    half of the room; score them after rounding. An array with numbers too small for
    that, such as moving averages, stays as it is. Optimizer, metrics and other
    checkpoints are left out: such a run is for use, not to be continued.

    Args:
        run_dir: The run, as a `Trainer` or the app train left it.
        out: The folder to write; it must not exist.
        which: "best" or "last", the checkpoint.
        normalisation: The mode that the copy is used in; None for that of training.

    Returns:
        The new run folder.

    Raises:
        ValueError: If there is no such run or checkpoint, a weight is not finite or too
            large for half precision, or `out` exists.
    """
    if which not in ("best", "last"):
        raise ValueError(f'which must be "best" or "last". Received: {which!r}.')
    run, packed = RunFolder(run_dir), RunFolder(out)
    run.load_model(which, normalisation=normalisation)  # Refuses what cannot be used.
    if packed.path.exists():
        raise ValueError(f"{packed.path} exists. Choose a folder that does not.")
    source = run.best if which == "best" and run.best.exists() else run.last
    arrays = {
        name: _half(name, array)
        for name, array in read_npz(source).items()
        if name.startswith("learner/") or "/" not in name
    }
    packed.best.parent.mkdir(parents=True)
    write_npz(packed.best, arrays, compressed=True)
    if run.prepare_file.exists():
        shutil.copy(run.prepare_file, packed.prepare_file)
    write_json(packed.config_file, _config(run.config_file, normalisation))
    return packed


def _config(path: Path, normalisation: str | None) -> dict[str, Any]:
    config = read_json(path)
    config["flags"] = {k: v for k, v in config["flags"].items() if k not in _PLACES}
    if normalisation is not None:
        config["normalisation"] = normalisation
    return config


def _half(name: str, array: np.ndarray) -> np.ndarray:
    if array.dtype.kind != "f":
        return array
    with np.errstate(over="ignore"):
        half = array.astype(np.float16)
    if not np.all(np.isfinite(half)):
        raise ValueError(
            f"{name} holds numbers that half precision cannot: their largest magnitude "
            f"is {np.max(np.abs(array)):.3g}. They must be finite and below 65,504."
        )
    numbers = array.astype(np.float64)
    typical = np.sqrt(np.mean(numbers**2))
    moved = np.abs(half.astype(np.float64) - numbers)
    near = moved <= _OWN * np.abs(numbers) + _TYPICAL * typical
    return half if near.all() else array
