"""Keeps findings, a folder each: the files of the mutant, what prunec said, and how to repeat it."""

import shlex
import shutil


def keep(folder, options, entrance, index, trial, ending, finding):
    """Copies the mutant and gives the name of its folder."""
    name = f"{finding.kind}-{entrance}-{options.seed}-{index}"
    target = options.keep / name
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(folder, target, symlinks=True, ignore=shutil.ignore_patterns("*.pipe"))
    program = options.prunec.with_name(trial.program)
    lines = [
        f"{finding.kind}: {finding.text}",
        f"exit code {ending.code}, mutations: {' '.join(trial.mutations)}",
        f"repeat: cd {shlex.quote(str(target))} && {shlex.join([str(program), *trial.arguments])}",
        f"again:  {command(options, entrance, index)}",
        "", ending.message[-4000:], ending.output[-2000:],
    ]
    (target / "finding.txt").write_text("\n".join(lines), errors="replace")
    return name


def command(options, entrance, index):
    """The command line that makes the mutant again from its seed."""
    models = "".join(f" --models {shlex.quote(str(folder))}" for folder in options.models)
    return f"tools/fuzz --seed {options.seed} --entrance {entrance} --mutant {index}{models}"
