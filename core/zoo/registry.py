"""The models on disk: ``models/<name>/`` with its card and weights. A file whose hash differs is refused."""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.errors import ModelError
from core.zoo.cards import CARD_NAME, TASKS, Card
from core.zoo.kept import Keep, Keeping, anew
from core.zoo.weights import extra_arrays, load_weights

if TYPE_CHECKING:
    import keras

    from core.zoo.heads import HeadRegressor, HeadSegmenter
    from core.zoo.novelty import Typicality
    from core.zoo.prediction import Classifier
    from core.zoo.runtime import Late

_log = logging.getLogger(__name__)
MODELS_FOLDER = Path(__file__).resolve().parents[2] / "models"
MODELS_KEPT = 4
"""As many as reading a head takes: two that measure and two that check the frame."""
_kept: OrderedDict[str, Classifier | HeadRegressor | HeadSegmenter] = OrderedDict()
"""By all that is in their cards, the hash of the weights too."""
_kept_lock = threading.Lock()


def list_cards(
    folder: Path = MODELS_FOLDER, *, with_weights: bool = False, report: Callable[[str], None] = _log.warning
) -> list[Card]:
    """Cards of all models, each task's default first, then by name. Needs no TensorFlow.

    A model whose card cannot be read is left out, for it must not cost the others.

    Parameters
    ----------
    with_weights : bool
        Only models whose weights are there: some ship as card and figures alone and are trained by one command.
    report : callable
        Gets the sentence of each model that is left out for its card; by default they go to the log.
    """
    cards = []
    for name in sorted(path.parent.name for path in folder.glob(f"*/{CARD_NAME}")):
        try:
            cards.append(Card.read(folder / name))
        except ModelError as error:
            report(str(error))
    if with_weights:
        cards = [card for card in cards if (folder / card.name / card.weights["file"]).is_file()]
    return sorted(cards, key=lambda card: (TASKS.index(card.task), not card.default, card.name))


def read_card(name: str, folder: Path = MODELS_FOLDER) -> Card:
    """The card of one model.

    Raises
    ------
    ModelError
        If there is no model of that name; the message lists those there are.
    """
    known = sorted(path.parent.name for path in folder.glob(f"*/{CARD_NAME}"))
    if name not in known:
        listed = f"known models are {', '.join(known)}" if known else "no model is installed; train one first"
        raise ModelError(f"There is no model {name!r}; {listed}.")
    return Card.read(folder / name)


def default_name(task: str = "plane", folder: Path = MODELS_FOLDER) -> str:
    """Name of a task's default model."""
    for card in list_cards(folder, with_weights=True):
        if card.task == task:
            return card.name
    raise ModelError(f"No model for the task {task!r} is installed; train one with python -m core train.")


def load_model(name: str, folder: Path = MODELS_FOLDER) -> Classifier | HeadRegressor | HeadSegmenter:
    """Load a model after checking that its weights are those its card describes.

    The last few are kept: what asks again, of whatever folder, shares the network that is prepared already.

    Raises
    ------
    ModelError
        If the model is unknown, its weights are missing, or their SHA-256 differs from the card's.
    """
    card = read_card(name, folder)
    path = folder / name / card.weights["file"]
    if not path.is_file():
        raise ModelError(missing_weights(card))
    weights = path.read_bytes()
    if hashlib.sha256(weights).hexdigest() != card.weights["sha256"]:
        raise ModelError(
            f"The weights of model {name!r} are not those its card describes (SHA-256 differs); "
            f"restore models/{name} from the repository or train again."
        )
    described = json.dumps(asdict(card), sort_keys=True)
    with _kept_lock:
        if described in _kept:
            _kept.move_to_end(described)
            return _kept[described]
    model = _loaded(card, path, weights)
    with _kept_lock:
        _kept[described] = model
        if len(_kept) > MODELS_KEPT:
            _kept.popitem(last=False)
    return model


def _loaded(card: Card, path: Path, weights: bytes) -> Classifier | HeadRegressor | HeadSegmenter:
    """The model of a card and the content of its weight file.

    Where its forward passes are kept from an earlier process the network itself is built when gradients ask for it.
    """
    from core.zoo.novelty import Typicality
    from core.zoo.runtime import Late

    keeping = Keeping(card)
    network = Late(lambda: _built(card, path, weights))
    extra = extra_arrays(path, weights)
    try:
        typicality = Typicality.from_arrays(extra) if extra else None
        with keeping.alone():
            if keeping.is_there:
                return model_of(card, network, typicality, keeping)
            # What is kept has passed all this already.
            if typicality is not None:
                # What is of other features than the network's would fail at the first image only.
                typicality.score(np.zeros((1, network().get_layer(card.pooled_layer).output.shape[-1])))
            model = model_of(card, network(), typicality, keeping)
            model.network.ready()
            return model
    except (KeyError, IndexError, ValueError) as error:
        raise ModelError(
            f"The weights of model {path.parent.name!r} do not fit its card; "
            f"restore models/{path.parent.name} from the repository or train again."
        ) from error


def _built(card: Card, path: Path, weights: bytes) -> keras.Model:
    try:
        network = network_of(card)
    except (TypeError, ValueError) as error:
        raise ModelError(
            f"No network can be built as the card of model {path.parent.name!r} says; "
            f"restore models/{path.parent.name} from the repository or train again."
        ) from error
    load_weights(network, path, weights)
    return network


def missing_weights(card: Card) -> str:
    """What to say and do of a model whose weights are not there."""
    return (
        f"The weights of model {card.name!r} are not installed; restore {card.weights['file']} or run: {card.command}"
    )


def model_of(
    card: Card, network: keras.Model | Late[keras.Model], typicality: Typicality | None, keep: Keep = anew
) -> Classifier | HeadRegressor | HeadSegmenter:
    """What predicts with a network (:func:`network_of`) in the way its card says.

    A segmenter has no typicality: it answers by pixel.
    """
    from core.zoo.architectures import get_backbone
    from core.zoo.detection import Detector
    from core.zoo.heads import ELLIPSE, HeadRegressor, HeadSegmenter
    from core.zoo.prediction import Classifier
    from core.zoo.runtime import CompiledNetwork

    if card.measurement.get("output") == ELLIPSE:
        return HeadSegmenter(card, network, keep)

    compiled = CompiledNetwork(
        network,
        input_range=get_backbone(card.backbone).input_range,
        feature_layer=card.feature_layer,
        pooled_layer=card.pooled_layer,
        size=card.size,
        keep=keep,
    )
    if card.measurement:
        return HeadRegressor(card, compiled, typicality)
    return (Detector if card.detection else Classifier)(card, compiled, typicality)


def network_of(card: Card) -> keras.Model:
    """The network that a card describes, with random weights."""
    from core.zoo.architectures import build_classifier, build_detector, build_segmenter
    from core.zoo.heads import ELLIPSE

    if card.measurement.get("output") == ELLIPSE:
        return build_segmenter(card.backbone, size=card.size, **card.architecture)

    if card.detection:
        return build_detector(card.backbone, len(card.detection["kinds"]), size=card.size, **card.architecture)
    return build_classifier(card.backbone, len(card.classes), size=card.size, **card.architecture)
