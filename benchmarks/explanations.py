"""Which explanation tells the truth? The stored studies of faithfulness as a page of sentences and tables.

    python -m benchmarks.explanations > docs/explanations.md

Nothing is computed again: the studies stand in ``models/<name>/faithfulness`` and were made by
``python -m core faithfulness``; the command of each is printed with it. Simulated and real images stand apart.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.studies import markdown, print_page
from core.explain.coverage import coverage
from core.explain.faithfulness import MEASURES, FaithfulnessStudy, read_study
from core.explain.faithfulness.study import AGREEMENTS, FILES
from core.explain.faithfulness.tables import (
    agreement_table,
    finding_table,
    measure_table,
    scoreboard_table,
    structure_table,
)
from core.explain.localisation import SKULL_BAND_SHARE, TOLERANCE_SHARE
from core.zoo import list_cards, read_card

HEAD = f"""# Which explanation tells the truth?

Printed by `python -m benchmarks.explanations` from the studies kept in `models/*/faithfulness`. Each method explains
the class that the network sees in an image; what its map puts first is hidden first, and the probability of that class
is watched. Numbers are means over images with 95 % intervals that respect patients. Signed maps are ordered by value,
so that evidence against the class comes last; an unsigned map cannot tell such evidence from what speaks for the class.
*Random regions* and *random pixels* are orders by chance: hiding scattered pixels destroys texture whatever they show,
so fine maps (saliency and its kin) are to be held against random pixels in deletion and insertion.

In the tables of anatomy, *enrichment* is the share of the highest tenth of a map that lies in a structure over the
share of the image that the structure fills: 1 is chance. The pointing game asks whether the highest pixel lies in it or
within {100 * TOLERANCE_SHARE:g} % of the side. On HC18 the skull is a band of {100 * SKULL_BAND_SHARE:g} % of the
head's width around the annotated ellipse. Only images whose class was recognised count there.
"""


def measures_list() -> str:
    return "\n".join(
        f"- **{measure.title}** ({'higher' if measure.higher else 'lower'} is better). {measure.explanation}"
        + (f" {measure.paper}" if measure.paper else "")
        for measure in MEASURES.values()
    )


def coverage_parts() -> list[str]:
    """The table of methods and models, and the reasons its numbers stand for."""
    found = coverage(list_cards())
    return [
        "## Which method works on which model",
        "As each method answers of itself when asked about a model's card; `python -m core methods` prints the same.",
        markdown(found.table()),
        "\n".join(f"- {reason}" for reason in found.numbered_reasons()),
    ]


def settings_line(study: FaithfulnessStudy) -> str:
    scoring = study.about["scoring"]
    return (
        f"Images: {study.about['n']}; structures are known on {study.about['n_with_structures']}. Hidden pixels become "
        f"{scoring['fill']}; regions are {scoring['grid']} by {scoring['grid']}, {scoring['regions']} a step; "
        f"{scoring['steps']} steps of deletion and insertion; {scoring['subsets']} random sets of "
        f"{scoring['subset_share']:.0%} of the regions; noise of {scoring['noise']:g} of the gray range, "
        f"{scoring['copies']} copies. Made by `{study.about['command']}`."
    )


def chapter(study: FaithfulnessStudy) -> Iterator[str]:
    """One study: sentences, scoreboard, anatomy, agreement, every measure."""
    yield f"## {study.title}"
    yield settings_line(study)
    yield "\n".join(f"- {sentence}" for sentence in study.conclusions())
    yield "### Scoreboard"
    yield markdown(scoreboard_table(study))
    findings = finding_table(study)
    if len(findings):
        network = "a phantom-trained" if read_card(study.about["model"]).training.get("simulated") else "this"
        yield f"### What {network} network looks at ({study.origin} images)"
        yield markdown(findings)
        for name in dict.fromkeys(study.localisation["class"]):
            yield f"Enrichment of each structure, {name}:"
            yield markdown(structure_table(study, name))
    for measure, title in AGREEMENTS.items():
        yield f"### {title} between methods"
        yield markdown(agreement_table(study, measure))
    yield "### Every measure"
    yield markdown(measure_table(study))


def main() -> None:
    print_page(__doc__, FILES, read_study, [HEAD.strip(), measures_list(), *coverage_parts()], chapter)


if __name__ == "__main__":
    main()
