"""Scripts run as processes of their own, without importing TensorFlow each time.

One process imports TensorFlow, uses none of it, and forks for every command: the
child runs the script as `python scripts/NAME.py` does, and may be killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "scripts"
PATIENCE = 300  # Seconds until a test gives a process up.
_FORKS = """
import ctypes, json, os, runpy, signal, sys, traceback
def end_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
end_with_parent()
sys.path.insert(0, sys.argv[1])
import door, rich.progress, rich.table, absl.app, tfmeta.apps.command_line
import tfmeta.data, tfmeta.evaluation, tfmeta.training, tfmeta.nets
for line in sys.stdin:
    order = json.loads(line)
    child = os.fork()
    if child == 0:
        end_with_parent()
        code = 1
        try:
            for fd, name in ((1, order["stdout"]), (2, order["stderr"])):
                os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), fd)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            sys.argv = order["argv"]
            runpy.run_path(sys.argv[0], run_name="__main__")
            code = 0
        except SystemExit as stop:
            code = stop.code or 0
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    print(child, flush=True)
    print(os.waitpid(child, 0)[1], flush=True)
"""


class Running:
    """A script at work; `wait` for its end before the next is started."""

    def __init__(self, forks: subprocess.Popen[str], order: dict[str, object]):
        self._forks, self._order = forks, order
        forks.stdin.write(json.dumps(order) + "\n")
        forks.stdin.flush()
        self.pid = int(forks.stdout.readline())
        self.code: int | None = None

    def kill(self, number: int = signal.SIGKILL) -> None:
        os.kill(self.pid, number)

    def wait(self) -> Running:
        """Waits; `code` is the exit code, negative for a signal."""
        self.code = os.waitstatus_to_exitcode(int(self._forks.stdout.readline()))
        self.out = pathlib.Path(self._order["stdout"]).read_text()
        self.err = pathlib.Path(self._order["stderr"]).read_text()
        return self

    def until(self, happened: Callable[[], object]) -> None:
        """Waits until something has happened, which must be before it ends."""
        end = time.monotonic() + PATIENCE
        while not happened():
            os.kill(self.pid, 0)  # Raises where it has ended.
            assert time.monotonic() < end, "it does not happen"
            time.sleep(0.01)

    def stop(self) -> None:
        """Ends what a failed test has left."""
        if self.code is None:
            with contextlib.suppress(ProcessLookupError):
                self.kill()
            self.wait()

    def error(self) -> str:
        """The one line on stderr of a script that ended with exit code 2."""
        assert self.code == 2, (self.code, self.out, self.err)
        assert self.err.startswith("error: ") and self.err.count("\n") == 1, self.err
        return self.err


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Running]]:
    """start("train", "--steps=3") -> Running."""
    folder = tmp_path_factory.mktemp("scripts")
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    # Steps are so small that handing them between threads costs more than they do.
    for pool in ("TF_NUM_INTEROP_THREADS", "TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS"):
        environment[pool] = "1"
    forks = subprocess.Popen(
        [sys.executable, "-c", _FORKS, str(SCRIPTS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=environment,
    )

    order = {"stdout": str(folder / "stdout"), "stderr": str(folder / "stderr")}
    started: list[Running] = []

    def start(script: str, *flags: str) -> Running:
        if started:
            started.pop().stop()
        argv = [str(SCRIPTS / f"{script}.py"), *flags]
        started.append(Running(forks, {**order, "argv": argv}))
        return started[-1]

    yield start
    if started:
        started.pop().stop()
    forks.stdin.close()
    try:
        forks.wait(20)
    finally:
        forks.kill()
        forks.stdout.close()


@pytest.fixture(scope="session")
def npz(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """24 classes of 12 images of 8x8: 15 for training, 4 for validation, 5 for test."""
    draws = np.random.default_rng(0)
    x = draws.random((24, 1, 8, 8, 1)) + draws.normal(0, 0.2, (24, 12, 8, 8, 1))
    x = (255 * x.clip(0, 1)).astype(np.uint8).reshape(-1, 8, 8, 1)
    path = tmp_path_factory.mktemp("data") / "tiny.npz"
    np.savez(path, x=x, y=np.repeat(np.arange(24), 12))
    return path


@pytest.fixture(scope="session")
def tiny(npz: pathlib.Path) -> list[str]:
    """The flags of a training whose steps take milliseconds."""
    return [
        f"--dataset=npz:{npz}",
        "--filters=4",
        "--strided",
        "--task_map=loop",
        *("--way=3", "--query=2", "--tasks=2"),
        *("--val_way=3", "--val_query=2", "--val_episodes=4"),
    ]
