"""The nets that ship, and their folders."""

from __future__ import annotations

import difflib
import hashlib
from pathlib import Path

from tfmeta.json_files import read_json
from tfmeta.training import RunFolder
from tfmeta.zoo.card import Card

_NETS = Path(__file__).parent / "nets"
CARD = "card.json"


def names(*, open: bool = False) -> list[str]:
    """The names of the nets that ship.

    Args:
        open: Leave out nets whose data are for research only, see `Card.use`.

    Returns:
        Names for `load` and `card`, sorted.
    """
    found = sorted(path.parent.name for path in _NETS.glob(f"*/{CARD}"))
    return [name for name in found if not open or card(name).open]


def card(name: str) -> Card:
    """What a net was trained on, how, and what it reached.

    Args:
        name: One of `names()`.

    Returns:
        The card; `print` shows it as a text.

    Raises:
        ValueError: If there is no such net.
    """
    return Card.from_json(name, read_json(_folder(name) / CARD))


def run_folder(name: str) -> RunFolder:
    """The folder of a net, which is that of a run, once its files have been checked.

    Args:
        name: One of `names()`.

    Returns:
        The folder, with the run's config, its preparation and its weights in half
        precision.

    Raises:
        ValueError: If there is no such net, or a file is missing or damaged.
    """
    folder = _folder(name)
    for file, wanted in card(name).sha256.items():
        path = folder / file
        if not path.exists() or sha256(path) != wanted:
            raise ValueError(
                f"{path} is {'damaged' if path.exists() else 'missing'}: a file of the "
                f"net {name!r} must have the checksum that its card says. Install "
                "tfmeta again."
            )
    return RunFolder(folder)


def sha256(path: Path) -> str:
    """The checksum of a file, as 64 hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _folder(name: str) -> Path:
    if name in names():
        return _NETS / name
    near = difflib.get_close_matches(name, names(), n=3, cutoff=0.5)
    advice = f"Did you mean {' or '.join(near)}?" if near else "See tfmeta.zoo.names()."
    raise ValueError(f"There is no net {name!r} in the zoo. {advice}")
