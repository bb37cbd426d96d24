"""Turns SIGTERM and Ctrl-C into a wish to stop, instead of a sudden end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class StopSignals:
    """Notes SIGTERM and SIGINT while its `with` block runs.

    `received` is the name of the first signal, or None. A second signal raises
    KeyboardInterrupt, for users who cannot wait. Outside the main thread, where Python
    delivers no signals, nothing is noted.

    Args:
        tell: A function that is called with the name of the first signal.
    """

    def __init__(self, tell: Callable[[str], None]):
        self.received: str | None = None
        self._tell = tell
        self._before: dict[int, Any] = {}
        self._cuts_short = False

    def __enter__(self) -> StopSignals:
        """Begins to handle the signals."""
        self.received = None
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: Any) -> None:
        """Restores the handlers that the signals had before."""
        while self._before:
            signal.signal(*self._before.popitem())

    @contextmanager
    def cutting_short(self) -> Iterator[None]:
        """Ends a `with` block as soon as a signal comes, or at once if one has come.

        The block must leave nothing half done that matters: it ends anywhere, between
        two calls of TensorFlow or in Python code.

        Raises:
            KeyboardInterrupt: When a signal has come.
        """
        self._cuts_short = True
        try:
            if self.received is not None:
                raise KeyboardInterrupt
            yield
        finally:
            self._cuts_short = False

    def _note(self, number: int, frame: FrameType | None) -> None:
        again = self.received is not None
        if not again:
            self.received = signal.Signals(number).name
            self._tell(self.received)
        if again or self._cuts_short:
            raise KeyboardInterrupt
