"""A head under a live distortion: both networks' circumference at this intensity, and their error over all of them."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from core import cache
from core.biometry.distortion import NETWORKS, moved_in_frame
from core.biometry.drawing import annotation, before, draw_heads, outline
from core.biometry.ellipse import Ellipse
from core.biometry.figures import error_figure
from core.biometry.reading import HeadReader, HeadReading
from core.cache import Distortion
from core.corruption import get as get_corruption
from core.preprocessing import Cleaned
from pages.components.distortion import chosen_intensity, live_intensity, pick_kind, pick_seed, preset_buttons
from pages.components.frame import errors_as_sentences
from pages.components.head_frame import HeadFrame
from pages.components.head_result import interval_text, length
from pages.components.jobs import watch_jobs
from pages.components.pictures import picture

CURVES = "Measuring at every intensity"
_WANTED = "head_curves_wanted"


@dataclass(frozen=True)
class Scene:
    """What stays while the slider moves. ``quick`` leaves the detector out: a move must be answered at once."""

    head: HeadFrame
    source: Cleaned
    reader: HeadReader
    quick: HeadReader
    kind: str
    seed: int

    @property
    def sweep(self) -> tuple[float | None, Ellipse | None, str, int]:
        return self.head.pixel_size_mm, self.head.truth, self.kind, self.seed


def show_distortion(head: HeadFrame, source: Cleaned, reader: HeadReader) -> None:
    """The section of the page."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        kind = pick_kind()
        seed = pick_seed()
    quick = HeadReader(reader.regressor, reader.segmenter)
    scene = Scene(head, source, reader, quick, kind, seed)
    _follow(scene)
    _in_background(scene)


@st.fragment
def _follow(scene: Scene) -> None:
    """All that a move changes. The live slider is drawn last: that is how its browser side knows it was answered."""
    slider = st.container()
    with st.container(horizontal=True):
        preset_buttons(scene.kind)
    intensity = chosen_intensity(scene.kind)
    with errors_as_sentences():
        sha256, size = scene.head.picked.frame.sha256, scene.head.pixel_size_mm
        still = cache.head_reading(scene.quick, sha256, scene.source, size)
        gray, reading = cache.head_move(
            scene.quick, sha256, scene.source, size, Distortion(scene.kind, intensity, scene.seed)
        )
        left, right = st.columns([3, 2])
        with left:
            picture(_drawn(scene, gray, still, reading, intensity), alt="The distorted frame with its outline")
        with right:
            _say(scene, still, reading, intensity)
        rows = cache.head_sweep(scene.reader, sha256, *scene.sweep)
        if rows is not None:
            st.markdown(f"**HC error against {get_corruption(scene.kind).title.lower()}**")
            st.plotly_chart(
                error_figure(rows, get_corruption(scene.kind).axis_title(), intensity),
                key="head_error",
                config={"displayModeBar": False},
                alt="Error of both networks against intensity, with 90 % intervals; the download holds the numbers",
            )
            st.caption(_what_error_is(scene))
            st.download_button(
                "Download the curves",
                rows.to_csv(index=False),
                file_name=f"head_{scene.kind}.csv",
                mime="text/csv",
                icon=":material/download:",
                on_click="ignore",
            )
    with slider:
        live_intensity(scene.kind, intensity, None)


def _drawn(scene: Scene, gray, still: HeadReading, reading: HeadReading, intensity: float):
    """The distorted frame, cropped as the networks see it, with the outlines before and now."""
    box = scene.source.box

    def in_crop(ellipse: Ellipse) -> Ellipse:
        return Ellipse(ellipse.x - box.left, ellipse.y - box.top, ellipse.major, ellipse.minor, ellipse.angle)

    def carried(ellipse: Ellipse) -> Ellipse:
        return in_crop(moved_in_frame(ellipse, scene.source, scene.kind, intensity))

    lines = []
    if scene.head.truth:
        lines.append(annotation(carried(scene.head.truth), scene.head.truth_name))
    elif still.ellipse:
        lines.append(before(carried(still.ellipse)))
    if reading.ellipse:
        lines.append(outline(in_crop(reading.ellipse)))
    return draw_heads(gray, lines)


def _say(scene: Scene, still: HeadReading, reading: HeadReading, intensity: float) -> None:
    """Both networks now, beside what they said of the undistorted frame."""
    size = scene.head.pixel_size_mm
    for name, title in NETWORKS.items():
        now, then = getattr(reading, name), getattr(still, name)
        if now is None and then is None:
            continue
        shift = None
        if now and then:
            change = now.pixels - then.pixels
            shift = f"{'-' if change < 0 else '+'}{length(abs(change), size)}"
        with st.container(border=True):
            st.metric(
                f"HC ({title})",
                length(now.pixels if now else None, size),
                delta=shift,
                delta_color="off",
                help="The small number is the change from the undistorted frame.",
            )
            if now:
                st.caption(f"90 % interval: {interval_text(now).removesuffix(' (90 %)')}")
    st.caption(
        f"In this frame: {get_corruption(scene.kind).in_frame(intensity, scene.source.gray.shape)}. While the slider "
        "moves, only these networks can refuse the frame; the crosses below say what the detector refuses too."
    )
    if reading.refusals:
        st.warning("**Refused.** " + " ".join(reading.refusals), icon=":material/block:")


def _what_error_is(scene: Scene) -> str:
    against = f"the {scene.head.truth_name}" if scene.head.truth else "what the network says of the undistorted frame"
    return (
        f"Error against {against}, in the picture as it is now: where a distortion magnifies, the head to be measured "
        "grows with it. Crosses mark intensities at which the frame is refused, with the detector of corruptions asked "
        "too."
    )


def _wanted() -> bool:
    return st.session_state.setdefault(_WANTED, True)


def _want(wanted: bool) -> None:
    st.session_state[_WANTED] = wanted


def _in_background(scene: Scene) -> None:
    """The error over all intensities takes some seconds: it is measured while the slider goes on answering."""
    if cache.head_sweep(scene.reader, scene.head.picked.frame.sha256, *scene.sweep) is not None:
        return
    if not _wanted():
        st.button("Measure at every intensity", icon=":material/play_arrow:", on_click=_want, args=(True,))
        return
    size, truth, kind, seed = scene.sweep
    job = cache.head_sweep_job(scene.reader, scene.head.picked.frame.sha256, scene.source, size, truth, kind, seed)
    if job is None or job.done:
        st.rerun()
    watch_jobs({CURVES: job}, lambda _name: _want(False))
