"""Random weights and statistics for networks that nobody has trained.

What libraries initialise is partly zero or one: scales, biases, tokens, the last layer of a
branch. An exporter folds such weights away, and an error in how they are cut would not show.
Statistics of batch normalisations are measured rather than drawn, because a deep network whose
normalisations do not normalise says the same about every input, and then hides errors as well.
"""

import torch
from torch.nn.modules.batchnorm import _BatchNorm


def randomize(network, inputs, seed=0):
    """Gives a network in evaluation mode weights and statistics without a pattern."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.is_floating_point():
                _randomize_constant(parameter, generator)
        for module in network.modules():
            if isinstance(module, _BatchNorm) and module.running_mean is not None:
                module.running_mean.normal_(0, 0.1, generator=generator)
                module.running_var.uniform_(0.5, 1.5, generator=generator)
        _measure_statistics(network, inputs, generator)


def _randomize_constant(parameter, generator):
    """Draws a parameter anew where all its elements are the same, or some are no numbers."""
    value = parameter.flatten()[0].item()
    if parameter.isfinite().all() and (parameter != value).any():
        return
    if parameter.dim() > 1:
        parameter.normal_(0, 0.05, generator=generator)
    elif abs(value) > 0.1:
        least, greatest = sorted([0.5 * value, 1.5 * value])
        parameter.uniform_(least, greatest, generator=generator)
    else:
        # Biases, which are zero, and scales of residual branches, which are next to it.
        parameter.uniform_(0.02, 0.3, generator=generator)


def _measure_statistics(network, inputs, generator):
    """Runs the network once, and has every batch normalisation note about what it sees."""

    def measure(module, arguments):
        if module.running_mean is None:
            return
        axes = [axis for axis in range(arguments[0].dim()) if axis != 1]
        mean = arguments[0].mean(axes)
        variance = arguments[0].var(axes, unbiased=False) + 1e-3
        factors = torch.empty_like(variance).uniform_(0.7, 1.4, generator=generator)
        noise = torch.empty_like(mean).normal_(0, 0.1, generator=generator)
        module.running_mean.copy_(mean + noise * variance.sqrt())
        module.running_var.copy_(variance * factors)

    hooks = [module.register_forward_pre_hook(measure)
             for module in network.modules() if isinstance(module, _BatchNorm)]
    try:
        network(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
