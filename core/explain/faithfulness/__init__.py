"""Which explanation tells the truth: maps scored by what happens when the network loses what they point at.

:mod:`~core.explain.faithfulness.scoring` scores one map, :mod:`~core.explain.faithfulness.run` a sample with every
method, :mod:`~core.explain.faithfulness.study` keeps what was found; measures and their sources stand in
:mod:`~core.explain.faithfulness.measures`.
"""

from core.explain.faithfulness.measures import GROUPS, MEASURES, Measure
from core.explain.faithfulness.randomisation import randomised
from core.explain.faithfulness.run import FaithfulnessSettings, run_study, untrained
from core.explain.faithfulness.scoring import CURVES, Reference, Scores, Scoring, at_share, refer, score_map, stability
from core.explain.faithfulness.study import BASELINES, FaithfulnessStudy, read_study

__all__ = [
    "BASELINES",
    "CURVES",
    "GROUPS",
    "MEASURES",
    "FaithfulnessSettings",
    "FaithfulnessStudy",
    "Measure",
    "Reference",
    "Scores",
    "Scoring",
    "at_share",
    "randomised",
    "read_study",
    "refer",
    "run_study",
    "score_map",
    "stability",
    "untrained",
]
