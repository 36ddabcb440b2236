"""How large is the head? Circumference with its interval, outline and diameters; under distortion; how good it is."""

import streamlit as st

from core import cache
from pages.components import link
from pages.components.head_distortion import show_distortion
from pages.components.head_frame import pick_head_frame, take_annotation
from pages.components.head_quality import pick_measured, show_quality
from pages.components.head_reader import pick_head_models, reader_of, reader_when_ready
from pages.components.head_result import show_result
from pages.components.link import linked_choice
from pages.components.state import HEAD_VIEW

MEASURE, DISTORT, QUALITY = "measure", "distort", "quality"
VIEWS = {MEASURE: "Measure", DISTORT: "Under distortion", QUALITY: "How good it is"}

link.begin_with_app()
st.title("Head circumference")
st.markdown("Pick or upload a frame of a fetal head, give the size of a pixel, and read how large the head is.")
view = linked_choice("Show", VIEWS, key=HEAD_VIEW, default=MEASURE, label_visibility="collapsed")

if view == QUALITY:
    card, rows = pick_measured()
    show_quality(card, rows, reader_of(card))
else:
    with st.container(border=True):
        head = pick_head_frame()
        cards = pick_head_models()
    reader = reader_when_ready(cards) if head else None
    if reader:
        frame = head.picked.frame
        source = cache.cleaned(frame.sha256, frame.pixels, reader.settings)
        if view == DISTORT:
            show_distortion(head, source, reader)
        else:
            show_result(head, reader, cache.head_reading(reader, frame.sha256, source, head.pixel_size_mm))
            with st.expander("Compare with an annotation", icon=":material/edit:"):
                take_annotation(head.picked)
