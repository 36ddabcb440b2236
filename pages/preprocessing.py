"""From the scanner's screen to what the network sees, stage by stage."""

import io
import json
import zipfile

import streamlit as st

from core import cache
from core.figures import histogram_figure
from core.images import encode_png
from core.preprocessing import histogram
from pages.components import link
from pages.components.compare import compare
from pages.components.image_picker import pick_image
from pages.components.link import linked_choice
from pages.components.pictures import picture
from pages.components.preprocessing_settings import pick_settings
from pages.components.state import CHAIN

CHAIN_TITLES = {"plane": "Plane chain", "detector": "Detector chain"}
COLUMNS = 4

link.begin_with_app()
st.title("Preprocessing")
st.markdown("Pick or upload a scanner's screen and follow it stage by stage to what the network sees.")
with st.container(border=True):
    picked = pick_image()
if picked:
    with st.container(border=True):
        settings = pick_settings()
    chain = linked_choice(
        "Chain",
        CHAIN_TITLES,
        key=CHAIN,
        default="plane",
        help="Both share the cleaning. The plane chain goes on with stretch and median; the detector chain only "
        "resizes, because a median would erase the very noise it looks for.",
    )
    frame = picked.frame
    result = cache.preprocessed(frame.sha256, json.dumps(settings.to_dict()), chain, frame.pixels, settings)
    for note in result.notes:
        st.info(note, icon=":material/info:")

    before, after = result.stage("crop"), result.stage("fill")
    if before.image.shape == after.image.shape:
        st.subheader("Annotations before and after")
        left, right = st.columns([3, 2])
        with left:
            compare(before.image, after.image, "with annotations", "cleaned", key="compare_cleaning")
        with right:
            picture(frame.pixels, alt=picked.title, caption=f"{picked.title}, {frame.width} × {frame.height} pixels")
            st.metric("Annotation pixels found", f"{result.stage('annotation_mask').changed_pixels:,}")

    st.subheader("Stages")
    grid = st.grid(COLUMNS, min_column_width=260, border=True)
    for number, stage in enumerate(result.stages):
        with grid.cell():
            st.markdown(f"**{number + 1}. {stage.title}**")
            picture(stage.image, alt=stage.title, max_side=600)
            st.plotly_chart(
                histogram_figure(histogram(stage.image)),
                key=f"histogram_{stage.name}",
                config={"displayModeBar": False},
                alt=f"Histogram of gray values after {stage.title.lower()}",
            )
            st.caption(f"{stage.changed_pixels:,} pixels. {stage.description}")

    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for number, stage in enumerate(result.stages, start=1):
            file.writestr(f"{number:02d}_{stage.name}.png", encode_png(stage.image))
        file.writestr("settings.json", json.dumps(settings.to_dict(), indent=2))
    st.download_button(
        "Download all stages and settings (.zip)",
        archive.getvalue(),
        file_name=f"stages_{frame.sha256[:12]}.zip",
        mime="application/zip",
        icon=":material/download:",
    )
