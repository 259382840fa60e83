"""Spotify's Basic Pitch, a transcriber of music, on synthetic tones."""

import numpy

from . import packages

NAME = "Basic Pitch"
MEASURE = "notes by frames, F1, %"
INPUT = "serving_default_input_2:0"
TESTS = 128
RATE, LENGTH, HOP = 22050, 43844, 256
FRAMES, LOWEST_NOTE, NOTES = 172, 21, 88
THRESHOLD = 0.3
# Outputs in the order of the file: onsets, notes, contours.
NOTE_OUTPUT = 1


def model(folder):
    path = packages.fetch(
        "basic-pitch==0.4.0", "basic_pitch/saved_models/icassp_2022/nmp.onnx", folder)
    return packages.fix_extents(path, (LENGTH, 1), folder / "pitch.onnx")


def samples(count, seed):
    """Two seconds of one to three voices, [count, 43844, 1], and which of 88 keys sound in each
    of the 172 frames."""
    random = numpy.random.default_rng(seed)
    sounds = numpy.zeros((count, LENGTH), numpy.float32)
    sounding = numpy.zeros((count, FRAMES, NOTES), bool)
    for sound, keys in zip(sounds, sounding):
        for _ in range(random.integers(1, 4)):
            _play_voice(random, sound, keys)
        sound *= random.uniform(0.2, 0.9) / max(1e-6, numpy.abs(sound).max())
        sound += 10 ** random.uniform(-4, -2.5) * random.standard_normal(LENGTH)
    return sounds[:, :, None], sounding


def score(outputs, sounding, path):
    """The harmonic mean of precision and recall over all frames and keys."""
    heard = outputs[NOTE_OUTPUT] > THRESHOLD
    hits = (heard & sounding).sum()
    return 100 * float(2 * hits / max(1, heard.sum() + sounding.sum()))


def _play_voice(random, sound, keys):
    """Notes one after the other, with rests, of one timbre."""
    strengths = numpy.arange(1, 9) ** -random.uniform(0.8, 2.0)
    decay = random.uniform(0.3, 2.0)
    start = int(random.uniform(0, 0.3) * RATE)
    while start < LENGTH:
        end = min(LENGTH, start + int(random.uniform(0.2, 0.8) * RATE))
        note = int(random.integers(40, 85))
        times = numpy.arange(end - start) / RATE
        frequency = 440 * 2 ** ((note - 69) / 12)
        tone = sum(strength * numpy.sin(2 * numpy.pi * frequency * harmonic * times
                                        + random.uniform(0, 2 * numpy.pi))
                   for harmonic, strength in enumerate(strengths, 1)
                   if frequency * harmonic < RATE / 2)
        # A hundredth of a second to rise, and to fall at the end.
        edges = numpy.minimum(1, 100 * numpy.minimum(times, times[::-1]))
        sound[start:end] += tone * numpy.exp(-decay * times) * edges
        keys[round(start / HOP):round(end / HOP), note - LOWEST_NOTE] = True
        start = end + (int(random.uniform(0.05, 0.3) * RATE) if random.random() < 0.3 else 0)
