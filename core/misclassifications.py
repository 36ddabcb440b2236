"""What a model gets wrong, cell by cell of its confusion matrix, with what can be measured of it.

The interpretability thesis shows the misclassified images of each cell with their class activation maps and says what
it sees in them (000 §4.4, figure 4.16). Here each cell gets a text made of measured figures alone: no cause is
inferred.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import pandas as pd

from core.errors import ParameterError
from core.evaluation import bootstrap_by_patient
from core.explain.detector_gallery import density, places
from core.explain.localisation import OUTSIDE, Place, Structures, localise, parts_of
from core.preprocessing import Cleaned
from core.zoo.assessment import Assessment, confidence_in_answer

ORDERS = {"most": "Most confident first", "least": "Least confident first"}
FILTERS = ("patient", "source", "quality")
"""Columns of ``evaluation.csv.gz`` by which errors can be chosen, where it has them."""
CENTRE_SHARE = 0.5
"""Of each side: the centre is the middle quarter of the image's area."""
PLACES = {
    "centre": "in the centre (middle half of each side)",
    "border": "at the border (outer tenth of each side)",
} | {"bright": "on the brightest tenth of the pixels"}
"""Parts of an image where relevance is measured, in words."""


@dataclass(frozen=True)
class ImageFacts:
    """What is measured of one image and its map.

    Attributes
    ----------
    sector : float
        Share of the cropped frame that the ultrasound sector fills.
    contrast : float
        Standard deviation of the gray values in the sector, over the whole range of gray.
    density : dict
        Place of :data:`PLACES` -> density of the relevance there over that in the whole image, 1 for a map without
        preference; None where the map says nothing in favour of the class.
    structures : tuple of Place or None
        Where the highest tenth of the map lies, structure by structure; empty where the map says nothing in favour of
        the class, None where nobody knows the anatomy.
    """

    sector: float
    contrast: float
    density: dict[str, float | None]
    structures: tuple[Place, ...] | None = None


def errors_of(assessment: Assessment, order: str = "most", chosen: Mapping[str, str] | None = None) -> pd.DataFrame:
    """The misclassified images, with the column ``confidence``: the probability of the wrong answer.

    Parameters
    ----------
    order : str
        One of :data:`ORDERS`.
    chosen : mapping, optional
        Column of :data:`FILTERS` -> the value that images must have.

    Raises
    ------
    ParameterError
        If there is no such order or column.
    """
    if order not in ORDERS:
        raise ParameterError(f"There is no order {order!r}; choose one of {', '.join(ORDERS)}.")
    rows = assessment.labelled
    rows = rows[rows["label"] != rows["predicted"]]
    for column, value in (chosen or {}).items():
        if column not in FILTERS or column not in rows:
            raise ParameterError(f"Images cannot be chosen by {column!r}; choose by one of {', '.join(FILTERS)}.")
        rows = rows[rows[column].astype(str) == value]
    rows = rows.assign(confidence=confidence_in_answer(rows))
    return rows.sort_values("confidence", ascending=order == "least", kind="stable").reset_index(drop=True)


def filters_of(rows: pd.DataFrame) -> dict[str, list[str]]:
    """Values to choose from in each column of :data:`FILTERS` that has several."""
    values = {
        column: sorted({str(value) for value in rows[column]} - {""}) for column in FILTERS if column in rows.columns
    }
    return {column: found for column, found in values.items() if len(found) > 1}


def cells_of(rows: pd.DataFrame) -> dict[tuple[str, str], pd.DataFrame]:
    """The rows of each (true, predicted) that has any, the fullest cell first."""
    cells = {key: group.reset_index(drop=True) for key, group in rows.groupby(["label", "predicted"], sort=True)}
    return dict(sorted(cells.items(), key=lambda item: -len(item[1])))


def measure(source: Cleaned, image: np.ndarray, values: np.ndarray, anatomy: Structures | None = None) -> ImageFacts:
    """Facts of one image.

    Parameters
    ----------
    source : Cleaned
        The frame without annotations.
    image : (S, S) uint8
        What the network sees of it.
    values : (S, S) float
        The map of the predicted class.
    anatomy : Structures, optional
        Labels (S, S) of what the image shows, where they are known.
    """
    gray = source.gray[source.sector].astype(np.float64) / 255
    masks = {"centre": _centre(image.shape)} | places(image)
    return ImageFacts(
        float(source.sector.mean()),
        float(gray.std()) if gray.size else 0.0,
        {place: density(values, masks[place]) for place in PLACES},
        None if anatomy is None else _structures(values, anatomy),
    )


def _structures(values: np.ndarray, anatomy: Structures) -> tuple[Place, ...]:
    return tuple(localise(values, parts_of(anatomy, {}))) if values.max() > 0 else ()


def structure_table(facts: ImageFacts) -> pd.DataFrame:
    """What one map says of each structure in view, that of most relevance first; empty where nothing is known."""
    rows = [
        {
            "structure": place.structure,
            "of the highest 10 % (%)": 100 * place.relevance,
            "of the image (%)": 100 * place.area,
            "times its area": place.enrichment,
        }
        for place in sorted(facts.structures or (), key=lambda place: -place.relevance)
    ]
    return pd.DataFrame(rows)


def describe(assessment: Assessment, cell: tuple[str, str], facts: Sequence[ImageFacts], method: str) -> list[str]:
    """Sentences on one cell: of all its images from their rows, and of those measured from their facts.

    Parameters
    ----------
    cell : (true, predicted)
        Two classes; the cell is not empty.
    facts : sequence of ImageFacts
        Of those of its images that are on show; may be empty.
    method : str
        Title of the method that made the maps.
    """
    true, predicted = cell
    rows = assessment.labelled[assessment.labelled["label"] == true]
    right, wrong = (rows[rows["predicted"] == name] for name in (true, predicted))
    kind = "simulated" if assessment.simulated else "real"
    said = f"{len(wrong)} of {len(rows)} {kind} images of {true} are taken for {predicted}, with {_mean(wrong)}"
    if len(right):
        said += f"; those called {true} have {_mean(right)}"
    sentences = [said + "."]
    if facts:
        shown = f"{len(facts)} image{'s' if len(facts) > 1 else ''} measured (mean, smallest to largest)"
        sector, contrast = ([100 * getattr(one, name) for one in facts] for name in ("sector", "contrast"))
        sentences.append(
            f"Of the {shown}: the sector fills {_range(sector, '.0f')} % of the frame; the standard deviation of gray "
            f"in it is {_range(contrast, '.0f')} % of the range."
        )
        found = {place: [one.density[place] for one in facts if one.density[place] is not None] for place in PLACES}
        parts = [f"{_range(found[place], '.2f')} {words}" for place, words in PLACES.items() if found[place]]
        sentences.append(
            f"Relevance for {predicted} ({method}), as a multiple of that over the whole image: {'; '.join(parts)}."
            if parts
            else f"No map of {method} says anything in favour of {predicted}."
        )
        if parts:
            sentences += _anatomy(facts)
    return sentences


def _anatomy(facts: Sequence[ImageFacts]) -> list[str]:
    """The structure that holds most of the highest relevance, of those that half of the images show or more."""
    if all(one.structures is None for one in facts):
        return ["Nobody has marked the anatomy of these images, so no structure can be named."]
    known = [one.structures for one in facts if one.structures]
    if not known:
        return []
    found: dict[str, list[Place]] = {}
    for place in chain.from_iterable(known):
        found.setdefault(place.structure, []).append(place)
    common = {name: seen for name, seen in found.items() if 2 * len(seen) >= len(known)}
    name, seen = max(common.items(), key=lambda item: np.mean([place.relevance for place in item[1]]))
    relevance, area = ([100 * getattr(place, field) for place in seen] for field in ("relevance", "area"))
    times = np.mean(relevance) / np.mean(area)
    where = name if name == OUTSIDE else f"in the structure *{name}*"
    return [
        f"Of the highest 10 % of it, the largest part lies {where}: {_range(relevance, '.0f')} %, on "
        f"{_range(area, '.0f')} % of the image, {times:.1f} times its area (in view in {len(seen)} of the "
        f"{len(known)})."
    ]


def _mean(rows: pd.DataFrame) -> str:
    share = bootstrap_by_patient(confidence_in_answer(rows).to_numpy(), rows["patient"].to_numpy())
    interval = f", 95 % interval {100 * share.low:.1f} to {100 * share.high:.1f} %" if share.n > 1 else ""
    return f"a mean confidence of {100 * share.value:.1f} % (n = {share.n}{interval})"


def _range(values: Sequence[float], digits: str) -> str:
    if len(values) == 1:
        return f"{values[0]:{digits}}"
    return f"{np.mean(values):{digits}} ({min(values):{digits}} to {max(values):{digits}})"


def _centre(shape: tuple[int, ...]) -> np.ndarray:
    mask = np.zeros(shape, bool)
    margins = [round(side * (1 - CENTRE_SHARE) / 2) for side in shape]
    mask[margins[0] : shape[0] - margins[0], margins[1] : shape[1] - margins[1]] = True
    return mask
