"""torchvision's networks that classify and segment."""

import sys

import torch
from torch import nn

from .subjects import Subject

MAXIMUM_PARAMETERS = 150e6
IMAGE_SIZES = {"inception_v3": 299}
DEFAULT_IMAGE_SIZE = 224


def _import_models():
    try:
        import torchvision.models
    except RuntimeError:
        # torchvision's own operators cannot be loaded beside a torch built for CPU only, and it
        # fails where it refers to these two. None of these networks uses them.
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "DEF")
        for operator in ("nms", "qnms"):
            library.define(operator + "(Tensor boxes, Tensor scores, float threshold) -> Tensor")
        import torchvision.models
        # Forgotten, the library would take its operators along.
        torchvision.models._library_of_operators = library
    return torchvision.models


models = _import_models()


def names():
    """All that are not too large, the smallest first."""
    def parameters(name):
        return models.get_model_weights(name).DEFAULT.meta["num_params"]

    listed = [name for module in (models, models.segmentation)
              for name in models.list_models(module=module)]
    return sorted((name for name in listed if parameters(name) <= MAXIMUM_PARAMETERS),
                  key=parameters)


def subject(name):
    size = IMAGE_SIZES.get(name, DEFAULT_IMAGE_SIZE)
    segments = name in models.list_models(module=models.segmentation)
    return Subject(
        lambda: models.get_model(
            name, weights=None, **({"weights_backbone": None} if segments else {})),
        lambda batch: (torch.randn(batch, 3, size, size),),
        lambda network: heads(network, 21 if segments else 1000))


def heads(network, classes):
    """The layers with as many outputs as there are classes; no others have so many."""
    return [module for module in network.modules()
            if isinstance(module, (nn.Linear, nn.Conv2d))
            and module.weight.shape[0] == classes]
