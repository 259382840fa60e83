"""Lines of English words and numbers, drawn in Debian's fonts as a text detector would cut them out."""

from functools import cache
from pathlib import Path

import numpy
from PIL import Image, ImageDraw, ImageFont

WORDS = Path("/usr/share/dict/words")
FONTS = Path("/usr/share/fonts/truetype")
FAMILIES = ("dejavu/DejaVuS*.ttf", "liberation/*.ttf", "freefont/Free*.ttf")
HEIGHT = 48
# Drawn larger than it is needed, and reduced.
FONT_SIZE = 64


@cache
def words():
    if not WORDS.is_file():
        raise FileNotFoundError(f"{WORDS}: install the Debian package wamerican-small")
    return [word for word in WORDS.read_text().split() if word.isascii() and word.isalpha()]


@cache
def fonts():
    found = [path for family in FAMILIES for path in sorted(FONTS.glob(family))]
    if not found:
        raise FileNotFoundError(f"{FONTS}: install the Debian package fonts-dejavu-core")
    return [ImageFont.truetype(str(path), FONT_SIZE) for path in found]


def line(random, width):
    """A text of one to four words or numbers, and its picture: bytes [48, at most `width`, 3]."""
    count = int(random.integers(1, 5))
    parts = [str(random.integers(0, 100_000)) if random.random() < 0.2
             else words()[random.integers(len(words()))] for _ in range(count)]
    font = fonts()[random.integers(len(fonts()))]
    margins = random.integers(2, 14, 4)
    paper, ink = random.integers(150, 256, 3), random.integers(0, 100, 3)
    if random.random() < 0.2:
        paper, ink = ink, paper
    noise = random.uniform(0, 8)
    while True:
        text = " ".join(parts)
        picture = _draw(text, font, margins, tuple(map(int, paper)), tuple(map(int, ink)))
        if picture.width <= width or len(parts) == 1:
            break
        parts.pop()
    if picture.width > width:
        picture = picture.resize((width, HEIGHT), Image.Resampling.BILINEAR)
    pixels = numpy.asarray(picture, numpy.float32)
    pixels = pixels + noise * random.standard_normal(pixels.shape)
    return text, pixels.round().clip(0, 255).astype(numpy.uint8)


def _draw(text, font, margins, paper, ink):
    left, top, right, bottom = font.getbbox(text)
    before, above, after, below = map(int, margins)
    size = (right - left + before + after, bottom - top + above + below)
    picture = Image.new("RGB", size, paper)
    ImageDraw.Draw(picture).text((before - left, above - top), text, ink, font)
    width = max(1, round(size[0] * HEIGHT / size[1]))
    return picture.resize((width, HEIGHT), Image.Resampling.BILINEAR)


def normalise(pixels, width):
    """What PP-OCR's networks take, [3, 48, width]: blue first, (x / 255 - 0.5) / 0.5, and zeros
    to the right."""
    padded = numpy.zeros((3, HEIGHT, width), numpy.float32)
    padded[:, :, :pixels.shape[1]] = pixels[:, :, ::-1].transpose(2, 0, 1) / 127.5 - 1
    return padded
