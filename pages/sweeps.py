"""Recorded sweeps: models under growing corruption over many images, beside the corruption thesis's figures."""

import json

import pandas as pd
import streamlit as st

from core import cache
from core.corruption import get as get_corruption
from core.errors import DatasetError
from core.published import published_shapes
from core.similarity import DEFINITIONS, READINGS
from core.sweep.describe import error_table, sentence, threshold_table
from core.sweep.study import Study, merged
from core.sweep_figures import COLUMNS, panels, ssim_title, study_figure
from pages.components import link
from pages.components.link import linked, one_of, some_of
from pages.components.model_picker import notice_of_damaged
from pages.components.state import SWEEP, SWEEP_KINDS, SWEEP_MODELS, SWEEP_SSIM
from pages.components.tables import table

COMMAND = (
    "python -m core sweep --model mobilenet_v2_plane --data phantom:BPD,CRL,NT:60:unseen --out out/sweep "
    '--record "phantoms of unseen settings"'
)
WHERE = {True: "simulated", False: "real"}
SSIM_COLUMNS = [f"ssim_{definition}_{region}" for definition, region in READINGS]


def show_command() -> None:
    st.caption(
        "A sweep is made on the command line; stopped, it goes on where it was. This one takes some minutes to an hour:"
    )
    st.code(COMMAND, language="bash", wrap_lines=True)


def readable() -> dict[str, list[Study]]:
    """The recorded sweeps that can be read, by task and data; a sentence for each of the others."""
    found: dict[str, list[Study]] = {}
    for key, folders in cache.studies().items():
        for folder in folders:
            try:
                found.setdefault(key, []).append(cache.study(folder))
            except DatasetError as error:
                st.error(str(error), icon=":material/error:")
    return {key: studies for key, studies in found.items() if studies}


def title_of(studies: list[Study]) -> str:
    first = studies[0]
    return f"{first.title} ({WHERE[first.simulated]}, {'detection' if first.is_detection else first.measure})"


def show_figures(study: Study, ssim: str) -> None:
    """Every figure of the thesis with its sentence, and ours with its own."""
    for shape in published_shapes(is_detection=study.is_detection):
        st.subheader(f"{shape.title} (figure {shape.figure} of the thesis)")
        left, right = st.columns(2)
        left.markdown(f"**Published.** {shape.shape}")
        left.caption(f"Source: {shape.source}; private real frames, intervals not printed.")
        right.markdown(f"**Here, on {WHERE[study.simulated]} images.** {sentence(study, shape.figure)}")
        parts = panels(study, shape.figure)
        for start in range(0, len(parts), COLUMNS):
            # Columns stand below each other on a narrow screen; one figure of several panels would be squeezed.
            row = parts[start : start + COLUMNS]
            for column, part in zip(st.columns(len(row)), row, strict=True):
                column.plotly_chart(
                    study_figure(part, shape.figure, ssim=ssim),
                    key=f"figure_{shape.figure}_{'_'.join(part.kinds)}",
                    alt=f"{shape.title} for {', '.join(part.models)}; {sentence(part, shape.figure)}",
                )


def show_tables(study: Study, parts: list[Study]) -> None:
    """Thresholds of all models, and the corruption errors of those swept beside a baseline."""
    where = f"On {WHERE[study.simulated]} images."
    st.subheader("Thresholds")
    st.caption(
        "Linear between the grid's intensities, first crossing; 95 % intervals draw whole patients with their whole "
        f"curves. {where}"
    )
    table(threshold_table(study), "Thresholds beside the thesis's limits", "thresholds")
    st.subheader("Corruption errors")
    errors = pd.concat([error_table(part) for part in parts])
    if errors.empty:
        st.info("No sweep shown was made with --baseline MODEL, so there are none.", icon=":material/functions:")
        return
    st.caption(
        "Errors over five severities divided by the baseline's (ImageNet-C, arXiv 1903.12261); the relative one takes "
        f"the clean errors off first. Below 1 is better than the baseline. 95 % intervals by patient. {where}"
    )
    table(errors, "Corruption errors", "corruption_errors")


def show_downloads(study: Study) -> None:
    with st.container(horizontal=True):
        st.download_button(
            "Curves (CSV)",
            study.curves.to_csv(index=False),
            file_name="sweep.csv",
            mime="text/csv",
            icon=":material/download:",
        )
        for name, content in (("thresholds", study.thresholds), ("sweep", study.summary)):
            st.download_button(
                f"{name.capitalize()} (JSON)",
                json.dumps(content, indent=1),
                file_name=f"{name}.json",
                mime="application/json",
                icon=":material/download:",
            )


link.begin_with_app()
st.title("Sweeps")
st.markdown("Choose images, models and corruptions, and compare how far each model can be trusted as images get worse.")
notice_of_damaged()
known = readable()
if not cache.described_cards():
    st.error("No model is installed; train one with python -m core train --help.", icon=":material/error:")
elif not known:
    st.info("No sweep has been recorded with the models yet.", icon=":material/timeline:")
    show_command()
else:
    with st.container(border=True):
        options = list(known)
        key = linked(
            st.selectbox,
            "Images",
            options,
            key=SWEEP,
            default=options[0],
            parse=one_of(options),
            format_func=lambda name: title_of(known[name]) if name in known else name,
        )
        studies = known.get(key) or known[options[0]]
        names = [model for study in studies for model in study.models]
        models = linked(
            st.pills,
            "Models",
            names,
            key=SWEEP_MODELS,
            default=names,
            parse=some_of(names),
            selection_mode="multi",
        )
        all_kinds = list(dict.fromkeys(kind for study in studies for kind in study.kinds))
        kinds = linked(
            st.pills,
            "Corruptions",
            all_kinds,
            key=SWEEP_KINDS,
            default=all_kinds,
            parse=some_of(all_kinds),
            selection_mode="multi",
            format_func=lambda kind: get_corruption(kind).title,
        )
        ssim = linked(
            st.selectbox,
            "Similarity",
            SSIM_COLUMNS,
            key=SWEEP_SSIM,
            default=SSIM_COLUMNS[0],
            parse=one_of(SSIM_COLUMNS),
            format_func=ssim_title,
            help="; ".join(f"{name}: {definition.title}" for name, definition in DEFINITIONS.items()),
        )
    chosen = [study for study in studies if set(study.models) & set(models or ())]
    if not chosen or not set(kinds or ()) & {kind for study in chosen for kind in study.kinds}:
        st.info("Choose at least one model and one corruption it was swept over.", icon=":material/touch_app:")
    else:
        for study in chosen:
            one = study.summary
            st.caption(
                f"{', '.join(study.models)}: {WHERE[study.simulated]} images, n = {one['n']} of {one['patients']} "
                f"patients or examinations"
                + (f", and {one['n_beside']} frames beside the head" if one["n_beside"] else "")
                + f"; grid {one['settings']['grid']}, corrupted "
                + (f"at {one['settings']['side']} pixels" if one["settings"]["side"] else "at the frame's own pixels")
                + ". 95 % intervals by patient."
            )
        shown = merged(chosen).only(models, kinds)
        show_figures(shown, ssim)
        show_tables(shown, [study.only(models, kinds) for study in chosen])
        show_downloads(shown)
        st.subheader("How these were made")
        for study in chosen:
            st.code(study.summary["command"], language="bash", wrap_lines=True)
