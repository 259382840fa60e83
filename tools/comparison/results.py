"""Results in a JSON file, by model, method and budget."""

import hashlib
import json

from .outcome import Outcome


class Results:
    """What has been measured. An entry holds for one content of the model file and one version
    of the method; it is measured again where either is another."""

    def __init__(self, path):
        self.path = path
        self.entries = json.loads(path.read_text()) if path.is_file() else {}

    def find(self, model, method, version, budget):
        entry = self.entries.get(self._key(model, method, budget))
        if entry is None or entry["model_sha256"] != digest(model) or entry["version"] != version:
            return None
        return Outcome(**entry["outcome"])

    def add(self, model, method, version, budget, outcome):
        """Written at once, so that what was measured survives an interruption."""
        self.entries[self._key(model, method, budget)] = {
            "model_sha256": digest(model), "version": version, "outcome": outcome.as_dictionary()}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(self.entries, indent=1, sort_keys=True) + "\n")

    @staticmethod
    def _key(model, method, budget):
        return f"{model.stem}/{method}/{budget:g}"


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()
