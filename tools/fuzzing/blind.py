"""Mutations of bytes that know nothing of what they mean."""

from . import numbers


def mutate(data, random, other=b""):
    """The bytes with one or a few mutations; splices come from `other`."""
    data = bytearray(data)
    for _ in range(numbers.few(random, 6)):
        random.choice(MUTATIONS)(data, random, other)
    return bytes(data)


def _slice(data, random, longest=64):
    start = random.randrange(len(data) + 1)
    return start, min(len(data), start + random.randint(1, longest))


def _flip(data, random, _):
    if data:
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def _set(data, random, _):
    if data:
        data[random.randrange(len(data))] = random.choice([0, 1, 0x7F, 0x80, 0xFF, random.randrange(256)])


def _insert(data, random, _):
    place = random.randrange(len(data) + 1)
    data[place:place] = random.randbytes(random.choice([1, 2, 4, 8, 33]))


def _remove(data, random, _):
    start, end = _slice(data, random)
    del data[start:end]


def _repeat(data, random, _):
    start, end = _slice(data, random)
    data[start:start] = data[start:end] * random.choice([1, 2, 50])


def _truncate(data, random, _):
    del data[random.randrange(len(data) + 1):]


def _number(data, random, _):
    size = random.choice([1, 2, 4, 8])
    start = random.randrange(len(data) + 1)
    number = random.choice(numbers.INTEGERS) % (1 << 8 * size)
    data[start:start + size] = number.to_bytes(size, random.choice(["little", "big"]))


def _varint(data, random, _):
    start = random.randrange(len(data) + 1)
    data[start:start + random.randint(0, 2)] = random.choice(
        [b"\xff" * 9 + b"\x01", b"\xff\xff\xff\xff\x07", b"\xff\xff\xff\xff\x0f", b"\x80" * 11, b"\x80\x80\x80\x80\x01"])


def _splice(data, random, other):
    if other:
        start, end = _slice(other, random, 256)
        place = random.randrange(len(data) + 1)
        data[place:place + random.choice([0, end - start])] = other[start:end]


MUTATIONS = [_flip, _flip, _flip, _set, _set, _insert, _remove, _repeat, _truncate, _number, _varint, _splice]
