"""What prunec says about a model."""

import json
import subprocess


def count_macs(prunec, model):
    """The multiply-accumulate operations of a file for one sample, as `prunec inspect` counts."""
    finished = subprocess.run([str(prunec), "inspect", str(model), "--json"],
                              capture_output=True, text=True)
    if finished.returncode != 0:
        raise RuntimeError(f"prunec inspect {model}: {finished.stderr.strip()}")
    return json.loads(finished.stdout)["macs"]
