"""The three claims of Zhang et al. 2020, each answered by a count of methods and one sentence.

The figures behind them, every method with its interval, are :meth:`core.explain.head_study.HeadStudy.conclusions` and
:mod:`core.explain.head_tables`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.evaluation import Share
from core.explain.contour import WIDTH_MM
from core.explain.faithfulness.study import NUMBERS, number
from core.explain.head_study import (
    BASELINES,
    BEYOND_EDGES,
    CASE_QUALITIES,
    CASE_TITLES,
    FOLLOWS,
    HEADLINE,
    LEVEL,
    PERMUTATIONS,
    HeadStudy,
    compare_backbones,
    title_of,
    verdict_of,
)

NO_ANSWER = "not answered"


@dataclass(frozen=True)
class Answer:
    """What a study says of one claim.

    Attributes
    ----------
    question : str
    figure : str
        How many methods bear the claim out, or :data:`NO_ANSWER`.
    sentence : str
    caveat : str
        How it was decided, and what it does not say.
    """

    question: str
    figure: str
    sentence: str
    caveat: str


def short_answers(study: HeadStudy, studies: Sequence[HeadStudy]) -> tuple[Answer, Answer, Answer]:
    """Of contour, backbone and error.

    Parameters
    ----------
    studies
        All on the same data, of which the second claim compares every two.
    """
    return _contour(study), _backbone(studies), _error(study)


def _contour(study: HeadStudy) -> Answer:
    places = {method: study.place(method, FOLLOWS) for method in study.methods}
    places = {method: share for method, share in places.items() if share.n}
    question = "Do maps follow the head's contour?"
    caveat = (
        f"By enrichment: the share of a map's relevance within {WIDTH_MM:g} mm of the annotated ellipse over the share "
        "of the area there, both of what is not black; 1 is chance. A method counts if its whole 95 % interval, which "
        "respects examinations, lies above. The edges of the image are a map that knows no network."
    )
    if not places:
        return Answer(question, NO_ANSWER, "No map has relevance in the part in view.", caveat)
    more = [method for method, share in places.items() if verdict_of(share, 1) == "better"]
    beyond = [method for method in places if verdict_of(study.place(method, BEYOND_EDGES), 0) == "better"]
    most = max(more or places, key=lambda method: places[method].value)
    sentence = (
        f"{_count(more, places)} put more of their relevance near the annotated ellipse than chance would, and "
        f"{len(beyond) or 'none'} more than the image's edges alone do; the most is {title_of(most)}'s, "
        f"{number(places[most])}, times chance."
    )
    return Answer(question, _count(more, places), sentence, caveat)


def _backbone(studies: Sequence[HeadStudy]) -> Answer:
    question = "Does map quality depend on the backbone?"
    caveat = (
        f"By the {CASE_TITLES[HEADLINE].lower()}, image by image on those that two models share, first less second. A "
        "method counts if the whole 95 % interval lies on one side of 0 for any two models; no correction is made for "
        "the number of methods."
    )
    rows = compare_backbones(studies)
    rows = rows[(rows["measure"] == HEADLINE) & ~rows["method"].isin(BASELINES) & rows["value"].notna()]
    if rows.empty:
        return Answer(question, NO_ANSWER, "It takes studies of two models on the same images.", caveat)
    shares = [(row, Share(*(row[name] for name in NUMBERS))) for row in rows.to_dict("records")]
    told = {row["method"] for row, share in shares if verdict_of(share, 0) != "unclear"}
    row, share = max(shares, key=lambda pair: abs(pair[1].value))
    sentence = (
        f"{_count(told, set(rows['method']))} are better with one model than with another; the largest difference is "
        f"{title_of(row['method'])}'s, {row['first']} less {row['second']}: {number(share)}, in mm."
    )
    return Answer(question, _count(told, set(rows["method"])), sentence, caveat)


def _error(study: HeadStudy) -> Answer:
    question = "Does map quality depend on the error?"
    caveat = (
        f"Examinations are halved by their mean error, and the halves compared by {PERMUTATIONS} permutations of "
        f"examinations. A method counts if p, by Holm's correction over the methods, is below {LEVEL:g} for any of "
        f"{len(CASE_QUALITIES)} measures: {', '.join(CASE_TITLES.values()).lower()}."
    )
    rows = study.halves[study.halves["method"].isin(study.methods) & study.halves["p_holm"].notna()]
    if rows.empty:
        return Answer(question, NO_ANSWER, "It takes two examinations of low and two of high error.", caveat)
    told = set(rows.loc[rows["p_holm"] < LEVEL, "method"])
    clearest = rows.sort_values(["p_holm", "p"]).iloc[0]
    sentence = (
        f"{_count(told, set(rows['method']))} are better or worse where the error is low; the clearest difference is "
        f"{title_of(clearest['method'])}'s in the {CASE_TITLES[clearest['measure']].lower()}, "
        f"{clearest['low_value']:.3g} with low and {clearest['high_value']:.3g} with high error "
        f"(n = {clearest['low_n']:.0f} and {clearest['high_n']:.0f}), p = {clearest['p_holm']:.2g}."
    )
    return Answer(question, _count(told, set(rows["method"])), sentence, caveat)


def _count(some: Sequence[str] | set[str], of: Sequence[str] | dict[str, Share] | set[str]) -> str:
    return f"{len(some)} of {len(of)} methods"
