"""One mutant and the command that gets it."""

from dataclasses import dataclass, field


@dataclass
class Trial:
    """A command in a folder that has the mutant.

    `output` is a file that the command replaces, `masked` the masked original that it writes beside it, `original`
    the model that both come from.
    """

    arguments: list
    program: str = "prunec"
    output: str | None = None
    original: str | None = None
    masked: str | None = None
    mutations: list = field(default_factory=list)
