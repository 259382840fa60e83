"""Other people's trained models, each with data that is made exactly. tools/compare_field.py is the
command.

packages    models out of packages of PyPI, with the extents of their inputs fixed
text_lines  lines of text drawn in Debian's fonts
reading     text out of a recogniser's outputs
recogniser, classifier, pitch
            the subjects: a model, its inputs, and the score of its outputs
"""
