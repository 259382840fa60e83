"""Processes of prunec, with limits."""

import os
import resource
import signal
import subprocess
from dataclasses import dataclass

ADDRESS_SPACE = 2 << 30
FILE_SIZE = 256 << 20


@dataclass(frozen=True)
class Ending:
    """End of a process: its exit code (negative for a signal, `None` where it took too long) and what it said."""

    code: int | None
    output: str
    message: str


def take_limits(address_space=ADDRESS_SPACE):
    """Limits this process and all that it starts from now on: memory, sizes of files, no core dumps."""
    limits = {resource.RLIMIT_AS: address_space, resource.RLIMIT_FSIZE: FILE_SIZE, resource.RLIMIT_CORE: 0}
    for kind, limit in limits.items():
        if limit is not None:
            # The hard limit stays: the oracle takes more.
            resource.setrlimit(kind, (limit, resource.getrlimit(kind)[1]))
    # Python ignores these, and what it starts would.
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)


def environment(folder):
    """The environment of prunec: its caches in `folder`, no trace of a crash, which takes seconds."""
    return {
        **os.environ, "XDG_CACHE_HOME": str(folder), "TMPDIR": str(folder),
        "SWIFT_BACKTRACE": "enable=no", "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1:abort_on_error=0:exitcode=99",
    }


def run(arguments, folder, variables, limit):
    """Runs a program in `folder` for at most so many seconds."""
    process = subprocess.Popen(arguments, cwd=folder, env=variables, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        output, message = process.communicate(timeout=limit)
        code = process.returncode
    except subprocess.TimeoutExpired:
        process.kill()
        output, message = process.communicate()
        code = None
    return Ending(code, output.decode(errors="replace"), message.decode(errors="replace"))
