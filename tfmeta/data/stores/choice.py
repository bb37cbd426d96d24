"""Whether examples are held in memory or drawn from the disk."""

from __future__ import annotations

import logging

AUTO, MEMORY, DISK = "auto", "memory", "disk"
LIMIT = 2 * 10**9  # Bytes; what is larger is drawn from the disk if that is possible.

_LOG = logging.getLogger(__name__)


def check_store(store: str) -> None:
    """Raises ValueError unless `store` is "auto", "memory" or "disk"."""
    if store not in (AUTO, MEMORY, DISK):
        raise ValueError(
            f"store must be one of {AUTO}, {MEMORY}, {DISK}. Received: {store!r}."
        )


def on_disk(store: str, nbytes: int, *, possible: bool = True) -> bool:
    """Whether examples are to be drawn from the disk.

    Args:
        store: "memory", "disk", or "auto" for a choice by size, which is logged.
        nbytes: The bytes that the examples take in memory.
        possible: Whether they can be drawn from the disk.

    Returns:
        True for the disk.
    """
    check_store(store)
    if store != AUTO:
        return store == DISK
    chosen = possible and nbytes > LIMIT
    _LOG.info(
        "The examples take %.2f GB in memory, so they are %s.",
        nbytes / 1e9,
        "drawn from the disk" if chosen else "held in memory",
    )
    return chosen
