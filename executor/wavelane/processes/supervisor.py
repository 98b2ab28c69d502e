"""The supervisor of one session: a small program between the scheduler and the command.

It is run as a file of its own, by an interpreter without site packages, and imports nothing of
wavelane. On Linux it is a *child subreaper*: a process that descends from the command stays in its
tree whatever it calls (`setsid`, a double fork, a process group of its own), because an orphan
becomes the supervisor's own child.

1. It waits for a line on its input. If its input ends without one, the command never begins.
2. It starts the command, with an empty input, in a session and process group of its own.
3. It ends the session when the command has ended, when it gets SIGTERM, and when its input ends:
   the process that started it is gone then. It sends SIGTERM to everything that descends from it,
   waits `grace` seconds, and sends SIGKILL until nothing is left.
4. It writes to the file descriptor that it was given how the command ended, `exit 3` or `signal 9`,
   and which processes it could not end, because they are another user's: `left 4711`. Its own exit
   code is 0.

Nothing but its own descendants is ever signalled.

    supervisor.py STATUS_FD GRACE PROGRAM [ARGUMENT ...]
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time

_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_PDEATHSIG = 1
_SIGNALS = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_PAUSE = 0.02
"""Seconds between two looks at what is still alive."""
_FUTILE_ROUNDS = 50
"""Rounds of SIGKILL after which a process that cannot be signalled is left."""


def main(arguments: list[str]) -> int:
    """Supervise one command; see the module."""
    status_fd, grace = int(arguments[0]), float(arguments[1])
    if not _may_begin():
        return 0
    os.set_inheritable(status_fd, False)
    wake = _listen()
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    command = _start(arguments[2:])
    ended = _wait_for_an_end(command, wake)
    left, ended = _end_all(command, ended, grace)
    lines = [_status_line(ended), *(f"left {pid}" for pid in left)]
    with contextlib.suppress(OSError):  # the reader is gone
        os.write(status_fd, "".join(f"{line}\n" for line in lines).encode())
    return 0


def _may_begin() -> bool:
    """Wait for a line of input, byte by byte so that nothing else of it is taken."""
    while byte := os.read(0, 1):
        if byte == b"\n":
            return True
    return False


def _listen() -> int:
    """Have signals written to a pipe; its end to read from."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in _SIGNALS:
        signal.signal(number, lambda number, frame: None)
    return reading


def _prctl(option: int, value: int) -> bool:
    """Call prctl(2); False where there is none."""
    if not sys.platform.startswith("linux"):
        return False
    import ctypes

    return bool(ctypes.CDLL(None).prctl(option, value, 0, 0, 0) == 0)


def _start(argv: list[str]) -> int:
    """Fork and become the command there; its process id."""
    supervisor = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != supervisor:
            os._exit(137)
        signal.set_wakeup_fd(-1)
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them
            signal.signal(number, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.execvp(argv[0], argv)
    except OSError as error:
        os.write(2, f"{argv[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(127 if not os.path.exists(argv[0]) else 126)  # noqa: PTH110
    raise AssertionError("unreachable")


def _wait_for_an_end(command: int, wake: int) -> int | None:
    """Until the command has ended, or is to be: its wait status, or None."""
    poll = select.poll()
    poll.register(0, select.POLLIN | select.POLLHUP)
    poll.register(wake, select.POLLIN)
    while True:
        for fd, _ in poll.poll():
            if fd == 0 and not os.read(0, 4096):
                return None
            if fd == wake:
                numbers = os.read(wake, 4096)
                ended = _reap(command)
                if ended is not None:
                    return ended
                if any(number != signal.SIGCHLD for number in numbers):
                    return None


def _reap(command: int) -> int | None:
    """Collect all children that have ended; the command's wait status if it is among them."""
    found = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if pid == 0:
            return found
        if pid == command:
            found = status


def _end_all(command: int, ended: int | None, grace: float) -> tuple[list[int], int | None]:
    """End all that descends from here: what could not be ended, and how the command ended."""
    deadline = time.monotonic() + grace
    number, futile = signal.SIGTERM, 0
    signalled: set[int] = set()
    while True:
        status = _reap(command)
        ended = status if ended is None else ended
        alive = _descendants(os.getpid())
        if not alive:
            return [], ended
        if number == signal.SIGTERM and time.monotonic() >= deadline:
            number, signalled = signal.SIGKILL, set()
        refused = [pid for pid in alive if pid not in signalled and not _signal(pid, number)]
        if number == signal.SIGTERM:
            signalled.update(alive)
        else:
            futile = futile + 1 if len(refused) == len(alive) else 0
            if futile > _FUTILE_ROUNDS:
                return alive, ended
        time.sleep(_PAUSE)


def _signal(pid: int, number: int) -> bool:
    """Send a signal, and let a stopped process take it; False where that is not allowed."""
    try:
        os.kill(pid, number)
        os.kill(pid, signal.SIGCONT)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return True


def _descendants(root: int) -> list[int]:
    """All living processes below `root`, parents first."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):  # noqa: PTH208
        if entry.isdecimal() and (parent := _parent(entry)) is not None:
            children.setdefault(parent, []).append(int(entry))
    found: list[int] = []
    ahead = [root]
    while ahead:
        below = children.get(ahead.pop(), [])
        found += below
        ahead += below
    return found


def _parent(pid: str) -> int | None:
    """The parent of a living process; None for one that is gone or a zombie."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123
            stat = file.read()
    except OSError:
        return None
    state, parent = stat[stat.rindex(b")") + 2 :].split()[:2]
    return None if state in (b"Z", b"X") else int(parent)


def _status_line(status: int | None) -> str:
    if status is None:
        return "signal 9"
    code = os.waitstatus_to_exitcode(status)
    return f"exit {code}" if code >= 0 else f"signal {-code}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
