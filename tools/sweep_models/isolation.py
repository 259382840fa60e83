"""Runs functions in processes of their own: what crashes, hangs or eats memory is noted and does
not end the sweep, and the process that starts prunec stays small.

The processes are forked from one that has imported what is slow to import, and nothing else.
"""

import importlib
import multiprocessing
import os
import resource
import signal
import sys
from dataclasses import dataclass
from typing import Any

MEMORY_LIMIT = 16 << 30

_context = multiprocessing.get_context("forkserver")


@dataclass(frozen=True)
class Outcome:
    """What a function gave back, or in a sentence why it did not."""

    value: Any = None
    failure: str | None = None


def preload(modules):
    """Names what every process has imported from the start."""
    _context.set_forkserver_preload(modules)


def call(function, *arguments, limit):
    """Calls a function of this package, named as `module.function`, for at most so many seconds."""
    receiver, sender = _context.Pipe(duplex=False)
    process = _context.Process(target=_serve, args=(sender, function, arguments))
    process.start()
    sender.close()
    try:
        if not receiver.poll(limit):
            return Outcome(failure=f"takes more than {limit:.0f} s")
        outcome = receiver.recv()
        # Given time to clean up after itself.
        process.join(limit)
        return outcome
    except EOFError:
        process.join()
        return Outcome(failure=f"ends with {describe_exit(process.exitcode)}")
    finally:
        process.kill()
        process.join()
        receiver.close()


def describe_exit(code):
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def _serve(sender, function, arguments):
    # What exporters and peers print is theirs.
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(1)
        module, name = function.split(".")
        value = getattr(importlib.import_module(f"{__package__}.{module}"), name)(*arguments)
        outcome = Outcome(value=value)
    except BaseException as error:
        outcome = Outcome(failure=_describe(error))
    sender.send(outcome)
    sender.close()


def _describe(error):
    """The kind and the first line of the error at the root of it all."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {' '.join(lines)[:400]}"
