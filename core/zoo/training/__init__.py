"""Train a classifier from a table of images and write it as a model folder with its card.

``settings`` says how, ``images`` prepares what is learnt from, ``frozen`` computes features once and keeps them on
disk, ``stages`` fits the head and then the chosen blocks, ``search`` tries the head's hyperparameters, ``run`` ties it
together.
"""

from core.zoo.training.run import train
from core.zoo.training.search import search
from core.zoo.training.settings import PRESETS, TrainingSettings, preset

__all__ = ["PRESETS", "TrainingSettings", "preset", "search", "train"]
