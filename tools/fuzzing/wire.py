"""Mutations of protobuf messages that know the wire format: lengths fit, the fields are wrong."""

from . import blind, numbers

VARINT, FIXED64, BLOCK, FIXED32 = 0, 1, 2, 5


def mutate(data, random, other=b""):
    """The message with one or a few fields changed; fields of `other` may come in."""
    message = parse(data)
    donor = parse(other)
    if not message:
        return blind.mutate(data, random, other)
    for _ in range(numbers.few(random)):
        _mutate_field(message, random, donor)
    return encode(message)


class Field:
    """A field: its number, its wire type, and an integer, bytes, or the fields of a message."""

    def __init__(self, number, kind, value):
        self.number, self.kind, self.value = number, kind, value

    def copy(self):
        value = self.value
        if isinstance(value, list):
            value = [field.copy() for field in value]
        return Field(self.number, self.kind, value)


def parse(data, depth=0):
    """The fields of a message; `None` where the bytes are none."""
    fields, place = [], 0
    while place < len(data):
        key, place = _varint(data, place)
        if key is None or not 0 < key >> 3 < 1 << 29:
            return None
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            value, place = _varint(data, place)
            if value is None:
                return None
        elif kind in (FIXED64, FIXED32):
            size = 8 if kind == FIXED64 else 4
            value, place = data[place:place + size], place + size
            if len(value) < size:
                return None
        elif kind == BLOCK:
            size, place = _varint(data, place)
            if size is None or place + size > len(data):
                return None
            value, place = data[place:place + size], place + size
            # Names and numbers may look like messages; what is shorter is rarely one.
            if depth < 8 and size > 3:
                value = parse(value, depth + 1) or value
        else:
            return None
        fields.append(Field(number, kind, value))
    return fields


def encode(fields):
    result = bytearray()
    for field in fields:
        result += varint(field.number << 3 | field.kind)
        value = encode(field.value) if isinstance(field.value, list) else field.value
        if field.kind == VARINT and isinstance(value, int):
            result += varint(value)
        else:
            value = value if isinstance(value, bytes) else varint(value)
            if field.kind == BLOCK:
                result += varint(len(value))
            result += value
    return bytes(result)


def varint(number):
    number %= 1 << 64
    result = bytearray()
    while number >= 0x80:
        result.append(number & 0x7F | 0x80)
        number >>= 7
    result.append(number)
    return bytes(result)


def _varint(data, place):
    number = shift = 0
    while place < len(data) and shift < 70:
        byte = data[place]
        number |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return number, place
    return None, place


def _lists(fields):
    """All lists of fields, those of messages inside included."""
    found, waiting = [], [fields]
    while waiting:
        current = waiting.pop()
        if current:
            found.append(current)
        waiting += [field.value for field in current if isinstance(field.value, list)]
    return found


def _mutate_field(message, random, donor):
    lists = _lists(message)
    if not lists:
        return
    fields = random.choice(lists)
    place = random.randrange(len(fields))
    field = fields[place]
    kind = random.randrange(10)
    if kind == 0:
        del fields[place]
    elif kind == 1:
        fields[place:place] = [field.copy() for _ in range(random.choice([1, 1, 3, 40]))]
    elif kind == 2:
        other = random.randrange(len(fields))
        fields[place], fields[other] = fields[other], fields[place]
    elif kind == 3:
        field.number = random.choice([random.randint(1, 30), field.number + 1, 1 << 28])
    elif kind == 4:
        field.kind = random.choice([VARINT, FIXED64, BLOCK, FIXED32, 3, 4])
    elif kind == 5 and donor:
        fields.insert(place, random.choice(random.choice(_lists(donor))).copy())
    elif kind == 6 and field.kind == BLOCK:
        field.value = random.choice([b"", b"\0", b"\xff\xfe", b"a" * 300])
    elif isinstance(field.value, int):
        field.value = numbers.near(field.value, random)
    else:
        value = encode(field.value) if isinstance(field.value, list) else field.value
        field.value = blind.mutate(value, random)
