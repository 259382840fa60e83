"""What a method makes of a model at a budget, and the search for the best of its settings."""

from dataclasses import asdict, dataclass


@dataclass
class Outcome:
    """`accuracy` is top-1 in percent and `macs` a fraction of the original's; both are missing
    where the budget is not reached, and `reason` then says why. `seconds` is what this setting
    took alone, `tried_seconds` what all settings that were tried took together."""

    accuracy: float | None = None
    macs: float | None = None
    seconds: float = 0.0
    tried_seconds: float = 0.0
    setting: str = ""
    reason: str = ""

    as_dictionary = asdict


    def __str__(self):
        if self.accuracy is None:
            return self.reason
        return (f"{self.accuracy:.2f} % at {self.macs:.3f} of the MACs, {self.seconds:.1f} s "
                f"{self.setting}")
