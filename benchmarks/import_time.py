"""What `import tfmeta` adds to `import tensorflow`, in seconds.

    python benchmarks/import_time.py

Each is timed in fresh processes, turn by turn; the medians are subtracted.
"""

from __future__ import annotations

import statistics
import subprocess
import sys

ROUNDS = 5
_TIME = (
    "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"
)


def seconds(modules: str) -> float:
    """The time of one import in a fresh process."""
    command = [sys.executable, "-c", _TIME.format(modules)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    """Times the rounds and prints one line."""
    alone, both = [], []
    for _ in range(ROUNDS):
        alone.append(seconds("tensorflow"))
        both.append(seconds("tensorflow, tfmeta"))
    first, second = statistics.median(alone), statistics.median(both)
    print(
        f"import tensorflow {first:.2f} s; with tfmeta {second:.2f} s; "
        f"added {second - first:.2f} s"
    )


if __name__ == "__main__":
    main()
