"""Fuzzing of prunec: hostile inputs through every entrance, and faults while it writes.

`entrances` makes mutants, one file an entrance, by the mutations in `blind`, `wire`, `structure` and `texts`.
`campaign` runs them by `processes`, `verdicts` judges how they end with the help of `oracle`, and
`findings` keeps what should not be. `faults` kills prunec and takes its disk and memory away.
"""
