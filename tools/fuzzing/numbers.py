"""Numbers at the edges of what programs take."""

INTEGERS = [
    0, 1, 2, 3, 4, 7, 8, 16, 64, 127, 128, 255, 256, 1000, 32767, 65535, 65536, 100_000_000,
    2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**53, 2**62, 2**63 - 1, -1, -2, -3, -4, -8, -128, -2**31, -2**31 - 1,
    -2**62, -2**63 + 1, -2**63,
]
FLOATS = [
    0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 1e-5, 1e-45, 1e-38, 1e30, 3.4e38, -3.4e38, 1e308, -1e308, float("inf"),
    float("-inf"), float("nan"), 65504.0, 0.1, 1e10,
]


def near(number, random):
    """Another number: one beside it, its opposite, a multiple, or one at an edge."""
    kind = random.randrange(6)
    if kind == 0:
        return number + random.choice([-1, 1])
    if kind == 1:
        return -number
    if kind == 2:
        return number * 2
    if kind == 3:
        return number // 2
    return random.choice(INTEGERS)


def few(random, most=4):
    """Number of mutations at once: one in half of the cases, two in a quarter, and so on."""
    count = 1
    while count < most and random.random() < 0.5:
        count += 1
    return count


def signed(number):
    """The number in the range of int64, wrapped."""
    return (number + 2**63) % 2**64 - 2**63
