"""What was measured in a frame: numbers, picture, distance from the truth, and files to take away."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import streamlit as st

from core.biometry.assessment import dice, hausdorff
from core.biometry.drawing import annotation, draw_heads, outline
from core.biometry.growth import SOURCE as AGE_SOURCE
from core.biometry.reading import Estimate, HeadReader, HeadReading
from core.images import encode_png
from pages.components.frame import DISCLAIMER
from pages.components.head_frame import HeadFrame
from pages.components.pictures import picture

OUTER = (
    "From the outer to the outer border of the skull, as the ellipse runs. The thesis measures the biparietal diameter "
    "from outer to inner border, which is shorter by the thickness of the bone."
)
NOTHING = "not found"


def show_result(head: HeadFrame, reader: HeadReader, reading: HeadReading) -> None:
    """Picture and numbers side by side."""
    drawn = drawing_of(head, reading)
    left, right = st.columns([3, 2])
    with left:
        found = "outline" if reading.ellipse else "no outline"
        picture(drawn, alt=f"{head.picked.title} with {found}", max_side=1100)
    with right:
        if reading.refusals:
            reasons = "\n".join(f"- {reason}" for reason in reading.refusals)
            st.warning(f"**Not to be used: this frame is refused.**\n{reasons}", icon=":material/block:")
            _numbers_aside(reader, reading)
        else:
            _numbers(reader, reading)
        _disagreement(reading)
        if head.truth:
            _distance(head, reader, reading)
        _downloads(head, reader, reading)


def drawing_of(head: HeadFrame, reading: HeadReading) -> Any:
    """The frame (H, W, 3) uint8 with what is known under what was found."""
    lines = [annotation(head.truth, head.truth_name)] if head.truth else []
    if reading.ellipse:
        name = "outline found" if reading.accepted else "outline found, not to be used"
        lines.append(outline(reading.ellipse, name))
    return draw_heads(head.picked.frame.pixels, lines)


def length(pixels: float | None, pixel_size_mm: float | None) -> str:
    """A length of the frame for people: millimetres, or pixels where there are none."""
    if pixels is None:
        return NOTHING
    return f"{pixels:.1f} pixels" if pixel_size_mm is None else f"{pixels * pixel_size_mm:.1f} mm"


def interval_text(estimate: Estimate | None) -> str:
    """``168.9 to 179.8 mm`` with its level; what is missing is said."""
    if estimate is None:
        return ""
    if estimate.low_pixels is None:
        return "no interval was calibrated"
    low = length(estimate.low_pixels, estimate.pixel_size_mm).split(" ")[0]
    return f"{low} to {length(estimate.high_pixels, estimate.pixel_size_mm)} (90 %)"


def _numbers(reader: HeadReader, reading: HeadReading) -> None:
    for title, estimate, text in _circumferences(reader, reading):
        with st.container(border=True):
            st.metric(title, _value(estimate), help=text)
            if estimate:
                st.caption(f"90 % interval: {interval_text(estimate).removesuffix(' (90 %)')}")
    size = reading.pixel_size_mm
    with st.container(horizontal=True):
        st.metric("BPD", length(reading.bpd_pixels, size), border=True, help=OUTER)
        st.metric("OFD", length(reading.ofd_pixels, size), border=True, help=OUTER)
    st.caption("BPD and OFD from outer to outer border of the skull; the thesis's BPD is outer to inner.")
    _age(reading)


def _numbers_aside(reader: HeadReader, reading: HeadReading) -> None:
    """The numbers of a refused frame: there, but not to be mistaken for a measurement."""
    size = reading.pixel_size_mm
    said = [
        f"{title}: {_value(estimate)}{f', {interval_text(estimate)}' if estimate else ''}"
        for title, estimate, _ in _circumferences(reader, reading)
    ]
    said.append(f"BPD {length(reading.bpd_pixels, size)}, OFD {length(reading.ofd_pixels, size)} (outer to outer)")
    st.caption("What the networks answer all the same, not to be used:  \n" + "  \n".join(said))


def _circumferences(reader: HeadReader, reading: HeadReading) -> list[tuple[str, Estimate | None, str]]:
    """Title, estimate and explanation of each network that is there."""
    direct = ("HC (regression)", reading.regression, "As a network says it at once, without an outline.")
    traced = ("HC (outline)", reading.segmentation, "Of the ellipse through the outline that a network draws.")
    return [one for one, model in ((direct, reader.regressor), (traced, reader.segmenter)) if model]


def _value(estimate: Estimate | None) -> str:
    return NOTHING if estimate is None else length(estimate.pixels, estimate.pixel_size_mm)


def _age(reading: HeadReading) -> None:
    age = reading.age
    if age is None:
        if reading.why_no_age:
            st.caption(f":material/info: {reading.why_no_age}")
        return
    with st.container(border=True):
        st.metric("Gestational age by HC", str(age), help=AGE_SOURCE)
        st.caption(
            f"± {age.spread:.1f} weeks (two standard deviations of single fetuses); {AGE_SOURCE}, for 12 to 42 weeks."
        )


def _disagreement(reading: HeadReading) -> None:
    if reading.disagreement is None:
        return
    share = f"The two networks differ by {100 * reading.disagreement:.1f} % of their mean."
    if reading.disagrees:
        st.warning(f"{share} Their intervals do not touch: measure by hand.", icon=":material/compare_arrows:")
    else:
        st.caption(share)


def _distance(head: HeadFrame, reader: HeadReader, reading: HeadReading) -> None:
    """How far from the annotation, or from what was simulated."""
    truth = head.truth.circumference
    lines = [f"HC of the {head.truth_name}: {length(truth, head.pixel_size_mm)}"]
    for title, estimate, _ in _circumferences(reader, reading):
        if estimate:
            difference = estimate.pixels - truth
            sign = "+" if difference >= 0 else "−"
            lines.append(
                f"{title} differs by {sign}{length(abs(difference), head.pixel_size_mm)} "
                f"({100 * difference / truth:+.1f} %)"
            )
    if reading.ellipse:
        farthest = length(hausdorff(reading.ellipse, head.truth), head.pixel_size_mm)
        lines.append(f"Outlines: at most {farthest} apart (Hausdorff), Dice {dice(reading.ellipse, head.truth):.3f}")
    with st.container(border=True):
        st.markdown(f"**Distance from the {head.truth_name}**")
        st.markdown("  \n".join(lines))


def record_of(head: HeadFrame, reader: HeadReader, reading: HeadReading) -> dict[str, Any]:
    """What was measured in which frame by which networks, in JSON's types."""
    models = (reader.regressor, reader.segmenter, reader.detector, reader.anatomy)
    return {
        "source": head.picked.frame.source,
        "sha256": head.picked.frame.sha256,
        "models": [
            {"name": model.card.name, "weights_sha256": model.card.weights["sha256"]} for model in models if model
        ],
        "pixel_size_from": head.source,
        **reading.to_dict(),
        "truth": asdict(head.truth) | {"called": head.truth_name} if head.truth else None,
        "note": DISCLAIMER,
    }


def _downloads(head: HeadFrame, reader: HeadReader, reading: HeadReading) -> None:
    with st.container(horizontal=True):
        st.download_button(
            "Picture",
            lambda: encode_png(drawing_of(head, reading)),
            file_name="head.png",
            mime="image/png",
            icon=":material/download:",
            on_click="ignore",
        )
        st.download_button(
            "Numbers (JSON)",
            json.dumps(record_of(head, reader, reading), indent=2, ensure_ascii=False),
            file_name="head.json",
            mime="application/json",
            icon=":material/download:",
            on_click="ignore",
        )
