"""Runs prunec on a file, and measures it."""

import json
import os
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from .isolation import describe_exit

OPTIONS = ["--align", "1", "--compensate", "none"]
CHECK_FAILED = 1
# Written, but not checked; the report says why.
UNCHECKED = 7
DOCUMENTED_EXIT_CODES = [*range(6), UNCHECKED]
MOST_PINS = 20


@dataclass
class Run:
    """How prunec ended: `ok`, `nothing-cut`, `broken` (its own check failed), `refused`, `crash`
    or `timeout`, and what it took."""

    status: str
    reason: str = ""
    exit_code: int = 0
    seconds: float = 0.0
    peak_memory: int = 0
    report: dict = field(default_factory=dict)
    warnings: list = field(default_factory=list)


def prune(prunec, model, small, masked, ratio, check, limit):
    """Takes a ratio of the channels out of a model."""
    report = Path(small).with_suffix(".json")
    command = [prunec, model, "-o", small, "--ratio", ratio, *OPTIONS, "--emit-masked", masked,
               "--report", report]
    if not check:
        command.append("--no-check")
    start = time.perf_counter()
    code, complaints, usage, late = _run(list(map(str, command)), limit)
    run = Run("ok", exit_code=code, seconds=time.perf_counter() - start,
              peak_memory=usage.ru_maxrss * 1024)
    lines = complaints.strip().splitlines()
    if late:
        run.status, run.reason = "timeout", f"takes more than {limit:.0f} s"
    elif code not in DOCUMENTED_EXIT_CODES:
        run.status = "crash"
        run.reason = " ".join([describe_exit(code), *lines[:3]])
    elif code not in (0, UNCHECKED):
        run.status = "broken" if check and code == CHECK_FAILED else "refused"
        run.reason = " ".join([describe_exit(code), *lines[:3]])
    else:
        run.report = json.loads(report.read_text())
        run.warnings = run.report["warnings"]
        if all(group["channels_after"] == group["channels_before"]
               for group in run.report["groups"]):
            run.status = "nothing-cut"
    return run


def pins(prunec, model, limit):
    """The layers that keep all their channels and why, the widest first."""
    code, _, _, late, output = _run([str(prunec), "inspect", str(model), "--json"], limit, True)
    if code != 0 or late:
        return []
    pinned = [
        {"group": group["name"], "channels": group["channels"], "because": group["pinned"]}
        for group in json.loads(output)["groups"]
        if "pinned" in group and any(member["is_initializer"] for member in group["members"])]
    return sorted(pinned, key=lambda pin: -pin["channels"])[:MOST_PINS]


def _run(command, limit, with_output=False):
    """Exit code, complaints, usage of memory, whether it was ended, and the output if wanted."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace",
        stdout=subprocess.PIPE if with_output else subprocess.DEVNULL)
    late = threading.Event()

    def end():
        late.set()
        process.kill()

    timer = threading.Timer(limit, end)
    timer.start()
    # Both pipes are read at once, because a full one would stop the process.
    complaints = []
    reader = threading.Thread(target=lambda: complaints.append(process.stderr.read()))
    reader.start()
    output = process.stdout.read() if with_output else ""
    # Rather than waiting on the object, because only this says how much memory it had.
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    timer.cancel()
    reader.join()
    process.stderr.close()
    if with_output:
        process.stdout.close()
    result = (process.returncode, complaints[0], usage, late.is_set())
    return (*result, output) if with_output else result
