"""Explaining a regression: the stored perturbation studies of models of heads as a page of sentences and tables.

    python -m benchmarks.head_explanations > docs/explanations_of_heads.md

Nothing is computed again: the studies stand in ``models/<name>/perturbation`` and were made by
``python -m core perturbation``; the command of each is printed with it.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.studies import markdown, print_page
from core.explain.contour import WIDTH_MM
from core.explain.head_study import FILES, QUALITIES, HeadStudy, backbone_conclusions, read_study
from core.explain.head_tables import backbone_table, contour_table, gap_table, halves_table, quality_table
from core.explain.regression_perturbation import STEPS
from core.zoo import list_cards

HEAD = f"""# Explaining a regression

Printed by `python -m benchmarks.head_explanations` from the studies kept in `models/*/perturbation`. The networks
measure the head's circumference in frames of HC18 that they were not trained on. The protocol is that of Zhang et al.
2020 (10.1007/978-3-030-61166-8_8): an image is cut into 4 by 4 regions, which are replaced by noise, the most relevant
first, and the error of the circumference is followed. To it are added random orders, the least relevant first, finer
grids (hidden in {STEPS} steps too), other fills, and 95 % intervals that respect examinations.

A region's relevance is the sum of the sizes of its pixels' relevance. Signed maps are ranked by their sign as well, and
the two rankings stand apart. *Noise* is normal, of the image's own mean and standard deviation, cut to the range of
gray, and the same for all methods. *Edges of the image* is a map that knows no network: the strength of gray edges. A
method that follows the contour no better than it has shown the image, not what was learned.

The contour is what lies within {WIDTH_MM:g} mm of the annotated ellipse. *Enrichment* is the share of relevance there
over the share of the area, 1 being chance; *in view* both are taken of the convex hull of what is not black.
"""


def qualities_list() -> str:
    return "\n".join(
        f"- **{quality.title}** ({'higher' if quality.higher else 'lower'} is better). {quality.explanation}"
        for quality in QUALITIES.values()
    )


def backbone_parts() -> Iterator[str]:
    """The paper's second claim, over all studies."""
    studies = [read_study(folder) for card in list_cards() for folder in FILES.folders(card.name)]
    if studies:
        yield "## Does map quality depend on the backbone?"
        yield "\n".join(f"- {sentence}" for sentence in backbone_conclusions(studies))
        rows = backbone_table(studies)
        if len(rows):
            yield markdown(rows)


def settings_line(study: HeadStudy) -> str:
    """How a study was measured."""
    protocol = study.protocol
    grids = ", ".join(f"{grid} by {grid}" for grid in protocol.grids)
    return (
        f"Heads: {study.about['n']}. Regions: {grids}; fills: {', '.join(protocol.fills)}; {protocol.chances} random "
        f"orders of each image. Made by `{study.about['command']}`."
    )


def chapter(study: HeadStudy) -> Iterator[str]:
    """One study: sentences, gaps, contour, easy and hard heads, every figure of the main setting."""
    yield f"## {study.title}"
    yield settings_line(study)
    yield "\n".join(f"- {sentence}" for sentence in study.conclusions())
    yield "### Gap to a random order (mm)"
    yield markdown(gap_table(study))
    yield "### The contour"
    yield markdown(contour_table(study))
    yield "### Heads measured well and badly"
    yield markdown(halves_table(study))
    yield "### Every figure of the main setting"
    yield markdown(quality_table(study, study.protocol.settings[0]))


def main() -> None:
    print_page(__doc__, FILES, read_study, [HEAD.strip(), qualities_list(), *backbone_parts()], chapter)


if __name__ == "__main__":
    main()
