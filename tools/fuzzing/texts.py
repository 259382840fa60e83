"""Mutations of texts by their words."""

import re

from . import numbers

WORDS = re.compile(r"[A-Za-z_][A-Za-z_0-9.\-]*|-?\d+(?:\.\d+)?(?:e-?\d+)?|\s+|.", re.DOTALL)
NUMBERS = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?$")
ODD = [
    "", "-", "--", "\0", "\n", "\"", "'", "é", "\ufeff", "𝕏", "%s", "%n", "\\", "=", ",", "{", "}", "(", ")", "[", "]",
    "<", ">", ":", "nan", "inf", "-inf", "NaN", "1e999", "-1e-999", "0x10", "1_000", "١", "9" * 40, "1." + "0" * 400,
    "a" * 3000, " ", "\t", "true", "null", "../x", ".", "/",
]


def number(random):
    """A number as text, of integers and fractions at edges and outside of them."""
    if random.random() < 0.5:
        return str(random.choice(numbers.INTEGERS))
    return repr(random.choice([*numbers.FLOATS, round(random.random(), 3), -0.5, 0.999, 1.5]))


def mutate(text, random, other=""):
    """The text with one or a few words changed; words of `other` may come in."""
    words = WORDS.findall(text)
    others = WORDS.findall(other) or [""]
    for _ in range(numbers.few(random)):
        if words:
            _mutate_word(words, random, others)
    return "".join(words)


def _mutate_word(words, random, others):
    place = random.randrange(len(words))
    end = min(len(words), place + random.choice([1, 1, 2, 5, 20]))
    kind = random.randrange(9)
    numeric = [index for index, word in enumerate(words) if NUMBERS.match(word)]
    if kind == 0:
        del words[place:end]
    elif kind == 1:
        words[place:place] = words[place:end] * random.choice([1, 1, 2, 300])
    elif kind == 2:
        other = random.randrange(len(words))
        words[place], words[other] = words[other], words[place]
    elif kind == 3:
        words[place] = random.choice(words)
    elif kind == 4:
        words[place] = random.choice(ODD)
    elif kind == 5:
        words.insert(place, random.choice(others))
    elif kind == 6 and random.random() < 0.3:
        del words[place:]
    elif numeric:
        words[random.choice(numeric)] = number(random)
    else:
        words.insert(place, random.choice(ODD))
