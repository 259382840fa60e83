"""Text out of a recogniser's outputs, and how far it is from what was to be read."""


def decode(positions, alphabet):
    """The text of the likeliest characters by position, as indices into the alphabet, by connectionist
    temporal classification (Graves et al. 2006): repetitions are one character, and what the
    alphabet has as "" is a gap."""
    kept = [index for position, index in enumerate(positions)
            if position == 0 or index != positions[position - 1]]
    return "".join(alphabet[index] for index in kept)


def edits(first, second):
    """Levenshtein's distance: the fewest insertions, deletions and replacements of characters."""
    row = list(range(len(second) + 1))
    for position, character in enumerate(first, 1):
        corner, row[0] = row[0], position
        for column, other in enumerate(second, 1):
            corner, row[column] = row[column], min(
                row[column] + 1, row[column - 1] + 1, corner + (character != other))
    return row[-1]
