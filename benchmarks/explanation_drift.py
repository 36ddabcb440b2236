"""Does the explanation break before the prediction does? The stored drift studies as a page of sentences and tables.

    python -m benchmarks.explanation_drift > docs/explanation_drift.md

Nothing is computed again but intervals: the studies stand in ``models/<name>/drift`` and were made by
``python -m core drift``; the command of each is printed with it. Simulated and real images stand apart.
"""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from benchmarks.studies import markdown, print_page
from core.corruption import get as get_corruption
from core.explain import get_method
from core.explain.drift_study import FALLS, FILES, HALF, MEASURES, DriftStudy, read_study
from core.results import order_table, to_text

HEAD = """# Does the explanation break before the prediction does?

Printed by `python -m benchmarks.explanation_drift` from the studies kept in `models/*/drift`; the page *Explanation
drift* shows the same as figures. As an image is corrupted more and more, a method explains the class that the network
saw in the clean image, and its map is compared with that of the clean image (under scale up laid back first, inside the
crop only). The *baseline* is how far the clean map agrees with those of other images of the same predicted class:
agreement that means nothing. A map is *broken* once its agreement has fallen half of the way from 1 to that baseline,
or, read more strictly, all of the way; a prediction has *flipped* once the class is no longer the clean one.
"""


def figure_table(study: DriftStudy, measure: str) -> pd.DataFrame:
    """The figure as a table: a row a level, a column a method with its interval and, behind it, its baseline."""
    curves = study.curves(measure).set_index(["kind", "intensity", "method"])
    rows = []
    for flip in study.flips().itertuples():
        row = {
            "distortion": get_corruption(flip.kind).amount(flip.intensity),
            "SSIM": f"{flip.ssim:.3f}",
            "predictions flipped": f"{flip.flipped:.0%} ({flip.low:.0%} to {flip.high:.0%})",
        }
        for method in study.methods:
            point = curves.loc[(flip.kind, flip.intensity, method)]
            text = f"{point['mean']:.2f} ({point['low']:.2f} to {point['high']:.2f}); {point['baseline']:.2f}"
            row[f"{get_method(method).title}; baseline"] = text
        rows.append(row)
    return pd.DataFrame(rows)


def chapter(study: DriftStudy) -> Iterator[str]:
    """One study: its sentences, what comes first, and the figures as tables."""
    about = study.about
    counts = ", ".join(f"{get_method(method).title} {n}" for method, n in about["n_of_method"].items())
    yield f"## {study.title}"
    yield f"Images: {counts}. Made by `{about['command']}`."
    for measure in MEASURES:
        for fall in FALLS:
            yield f"- {study.conclusion(measure, fall)}"
    for measure, title in MEASURES.items():
        yield f"### What comes first, by {title.lower()} (fallen {FALLS[HALF]})"
        yield markdown(to_text(order_table(study.order(measure))))
    for measure, title in MEASURES.items():
        yield f"### {title} by level: mean (95 % interval by patient); baseline"
        yield markdown(figure_table(study, measure))


def main() -> None:
    print_page(__doc__, FILES, read_study, [HEAD.strip()], chapter)


if __name__ == "__main__":
    main()
