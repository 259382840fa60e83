"""The entrances of prunec, by name.

An entrance is made once in each process from `Materials`. Its `make(random, folder)` writes a mutant into a folder and
gives the `Trial` of it. `weight` is its share of all mutants.
"""

from .arrays import Arrays
from .command_lines import CommandLines
from .external_data import ExternalData
from .images import Images
from .model_bytes import ModelBytes
from .model_structure import ModelStructure
from .pipelines import Pipelines
from .resumption import Resumption
from .statistics import Statistics
from .test_data import TestData
from .texts import Texts

ENTRANCES = {entrance.name: entrance for entrance in [
    ModelBytes, ModelStructure, ExternalData, Texts, Pipelines, Arrays, Images, TestData, Statistics, Resumption, CommandLines]}
