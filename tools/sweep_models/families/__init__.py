"""Small networks, each the essence of a family of architectures, in plain PyTorch."""

from . import (
    dense, detection, encoder_decoder, language, mobile, modern_vision, perceptron,
    plain_convolutions, recurrent, residual, transformer)

_MODULES = [
    perceptron, plain_convolutions, residual, dense, mobile, encoder_decoder, detection,
    transformer, modern_vision, language, recurrent]

FAMILIES = {family.name: family for module in _MODULES for family in module.FAMILIES}
