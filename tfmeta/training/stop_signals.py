"""SIGTERM and Ctrl-C as a wish to stop, not a sudden end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any


class StopSignals:
    """Notes SIGTERM and SIGINT while its `with` block runs.

    A second signal raises KeyboardInterrupt, for those who cannot wait. Outside the
    main thread, where Python delivers no signals, it notes none.

    Args:
        tell: Called with the name of the first signal, when it comes.
    """

    def __init__(self, tell: Callable[[str], None]):
        self.received: str | None = None
        self._tell = tell
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopSignals:
        """Begins to take the signals."""
        self.received = None
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: Any) -> None:
        """Gives the signals back to whoever had them before."""
        while self._before:
            signal.signal(*self._before.popitem())

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            raise KeyboardInterrupt
        self.received = signal.Signals(number).name
        self._tell(self.received)
