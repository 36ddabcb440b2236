"""The models that ship and everything around them: cards, architectures, training, prediction.

TensorFlow enters through :mod:`core.zoo.runtime` alone and only when a model is built; listing models and reading their
cards needs none of it.
"""

from core.zoo.cards import Card, Metric
from core.zoo.prediction import Classifier, Prediction
from core.zoo.registry import default_name, list_cards, load_model, read_card

__all__ = ["Card", "Classifier", "Metric", "Prediction", "default_name", "list_cards", "load_model", "read_card"]
