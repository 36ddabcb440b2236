"""What maps are measured by: names, what people call them, which way is better, and their sources."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Measure:
    """One figure of a map.

    Attributes
    ----------
    title, explanation : str
        What people call it, and what it says in one plain sentence.
    group : str
        ``faithful``, ``stable``, ``sharp`` or ``fast``.
    higher : bool
        True if more is better.
    paper : str
    """

    title: str
    explanation: str
    group: str
    higher: bool
    paper: str


GROUPS = {"faithful": "aopc_gap", "stable": "stability", "sharp": "sparseness", "fast": "seconds"}
"""What a scoreboard tells of a method -> the measure that stands for it."""
MEASURES: dict[str, Measure] = {
    "deletion": Measure(
        "Deletion",
        "Area under the probability as the most relevant pixels are hidden first: it should fall at once.",
        "faithful",
        False,
        "Petsiuk et al. 2018, arXiv:1806.07421",
    ),
    "insertion": Measure(
        "Insertion",
        "Area under the probability as the most relevant pixels are shown first: it should rise at once.",
        "faithful",
        True,
        "Petsiuk et al. 2018, arXiv:1806.07421",
    ),
    "aopc_morf": Measure(
        "AOPC, most relevant first",
        "Mean probability lost while regions are hidden, the most relevant first.",
        "faithful",
        True,
        "Samek et al. 2017, arXiv:1509.06321",
    ),
    "aopc_lerf": Measure(
        "AOPC, least relevant first",
        "Mean probability lost while regions are hidden, the least relevant first.",
        "faithful",
        False,
        "Samek et al. 2017, arXiv:1509.06321",
    ),
    "aopc_gap": Measure(
        "AOPC gap",
        "How much more is lost when the most relevant regions go first than when the least relevant do; an order by "
        "chance has 0.",
        "faithful",
        True,
        "Samek et al. 2017, arXiv:1509.06321",
    ),
    "mu_fidelity": Measure(
        "MuFidelity",
        "Correlation, over random sets of regions, of the relevance that a set holds with the probability lost when it "
        "is hidden.",
        "faithful",
        True,
        "Bhatt et al. 2020, arXiv:2005.00631",
    ),
    "average_drop": Measure(
        "Average drop",
        "Share of the probability lost when the image is shown only as far as the map lights it.",
        "faithful",
        False,
        "Chattopadhay et al. 2018, arXiv:1710.11063",
    ),
    "average_increase": Measure(
        "Average increase",
        "Share of the images whose probability rises when they are shown only as far as the map lights them.",
        "faithful",
        True,
        "Chattopadhay et al. 2018, arXiv:1710.11063",
    ),
    "randomisation": Measure(
        "Likeness to a random network's map",
        "Rank correlation with the map of the same network with random weights: a map that stays shows the image and "
        "not what was learned.",
        "faithful",
        False,
        "Adebayo et al. 2018, arXiv:1810.03292",
    ),
    "stability": Measure(
        "Stability",
        "Mean rank correlation with the maps of the same image under slight noise.",
        "stable",
        True,
        "Alvarez-Melis and Jaakkola 2018, arXiv:1806.08049",
    ),
    "sensitivity": Measure(
        "Greatest change",
        "Greatest relative change of the map under slight noise.",
        "stable",
        False,
        "Yeh et al. 2019, arXiv:1901.09392",
    ),
    "sparseness": Measure(
        "Sparseness",
        "Gini index of the map's absolute values: 0 is the same everywhere, 1 is all in one pixel.",
        "sharp",
        True,
        "Chalasani et al. 2020, arXiv:1810.06583",
    ),
    "seconds": Measure("Seconds per map", "Time one map takes, in batches.", "fast", False, ""),
}
