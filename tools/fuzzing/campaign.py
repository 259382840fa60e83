"""Runs mutants and counts how they end."""

import multiprocessing
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from . import findings, materials, processes, results, verdicts
from .entrances import ENTRANCES
from .oracle import Oracle

MEMORY_DISK = Path("/dev/shm")


def temporary_folder():
    """A folder in memory where there is one: mutants are many and small."""
    return tempfile.TemporaryDirectory(prefix="prunec-fuzz-", dir=MEMORY_DISK if MEMORY_DISK.is_dir() else None)


def schedule(entrances, count):
    """So many pairs of an entrance and a number, by the weights of entrances, mixed evenly."""
    done = Counter()
    for _ in range(count):
        name = min(entrances, key=lambda name: (done[name] + 0.5) / ENTRANCES[name].weight)
        yield name, done[name]
        done[name] += 1


class Worker:
    """Makes mutants, runs prunec on them and judges how it ends; its limits hold for what it starts."""

    def __init__(self, options, things, folder):
        self.options, self.folder = options, folder
        self.oracle = Oracle() if options.oracle > 0 else None
        self.entrances = {name: ENTRANCES[name](things) for name in options.entrances}
        self.variables = processes.environment(folder / "caches")
        processes.take_limits(None if options.sanitized else processes.ADDRESS_SPACE)

    def run(self, entrance, index):
        """Runs one mutant: its trial, how it ended, and the result."""
        chance = random.Random(f"{self.options.seed} {entrance} {index}")
        folder = self.folder / "mutant"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (self.folder / "caches").mkdir(exist_ok=True)
        trial = self.entrances[entrance].make(chance, folder)
        if trial.output and chance.random() < 0.5 and not (folder / trial.output).exists():
            (folder / trial.output).write_bytes(verdicts.OLD)
        before = verdicts.names(folder)
        judged = chance.random() < self.options.oracle
        program = self.options.prunec.with_name(trial.program)
        start = time.monotonic()
        ending = processes.run([program, *trial.arguments], folder, self.variables, self.options.limit)
        seconds = time.monotonic() - start
        compared = self.oracle.compared if self.oracle else 0
        finding = verdicts.judge(trial, ending, folder, before, self.oracle if judged else None)
        kept = findings.keep(folder, self.options, entrance, index, trial, ending, finding) if finding else None
        compared = self.oracle is not None and self.oracle.compared > compared
        return trial, ending, results.Result(entrance, index, ending.code, seconds, finding, kept, compared)


def work(options, things, folder, job, deadline, queue):
    worker = Worker(options, things, folder)
    try:
        for place, (entrance, index) in enumerate(schedule(options.entrances, options.mutants)):
            if deadline and time.monotonic() > deadline:
                break
            if place % options.jobs == job:
                queue.put(worker.run(entrance, index)[2])
    finally:
        if worker.oracle:
            worker.oracle.close()
        queue.put(None)


def run(options):
    """Runs all mutants, prints findings as they come and a table at the end; gives the exit code."""
    start = time.monotonic()
    deadline = start + options.time if options.time else None
    with temporary_folder() as name:
        folder = Path(name)
        things = make_materials(options, folder)
        queue = multiprocessing.SimpleQueue()
        jobs = []
        for job in range(options.jobs):
            arguments = (options, things, folder / f"job{job}", job, deadline, queue)
            jobs.append(multiprocessing.Process(target=work, args=arguments))
            jobs[-1].start()
        collected, running = [], options.jobs
        while running:
            result = queue.get()
            if result is None:
                running -= 1
                continue
            collected.append(result)
            if result.finding:
                print(f"{result.kept}: {result.finding.last_line}", flush=True)
            if len(collected) % 1000 == 0:
                print(f"{len(collected)} mutants in {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
        for job in jobs:
            job.join()
    failed = any(job.exitcode for job in jobs)
    results.print_table(options.entrances, collected)
    print(f"\n{len(collected)} mutants of seed {options.seed} in {time.monotonic() - start:.0f} s; "
          f"onnxruntime compared {sum(result.compared for result in collected)} small models with their masked originals")
    found = results.print_findings(collected)
    return 1 if failed or found else 0


def repeat(options):
    """Runs one mutant and prints what prunec says, and where its files are."""
    with temporary_folder() as name:
        things = make_materials(options, Path(name))
        worker = Worker(options, things, Path(name) / "job")
        trial, ending, result = worker.run(options.entrances[0], options.mutant)
        if worker.oracle:
            worker.oracle.close()
        target = options.keep / f"mutant-{result.entrance}-{options.seed}-{result.index}"
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(Path(name) / "job/mutant", target, symlinks=True)
    print(f"{target}: {trial.program} {trial.arguments}\n{ending.output}{ending.message}exit code {ending.code}")
    print(f"{result.finding.kind}: {result.finding.text}" if result.finding else "no finding")
    return 1 if result.finding else 0


def make_materials(options, folder):
    (folder / "materials").mkdir()
    return materials.make(options.prunec, folder / "materials", options.models)
