"""A hash that is the same in every process."""

from __future__ import annotations

import hashlib


def stable_hash(text: str) -> int:
    """Returns a signed 64-bit hash; Python's own differs between processes."""
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)
