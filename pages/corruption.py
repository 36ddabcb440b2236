"""Move a distortion and see at once what it does to image, similarity, prediction, detector and explanation."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from core import cache
from core.cache import Distortion
from core.corruption import get as get_corruption
from core.corruption.chain import FORM, Chain
from core.errors import ParameterError
from core.images import encode_png
from core.library import can_be_simulated
from core.preprocessing import Cleaned, PreprocessingSettings
from core.zoo import Card, Classifier
from pages.components import link
from pages.components.distortion import (
    chosen_intensity,
    live_intensity,
    pick_kind,
    pick_seed,
    plain_intensity,
    preset_buttons,
)
from pages.components.frame import errors_as_sentences
from pages.components.header import note_on_classes
from pages.components.image_picker import Picked, pick_image
from pages.components.jobs import watch_jobs
from pages.components.link import linked, linked_choice
from pages.components.live_board import live_board
from pages.components.live_curves import curve_of_image, curve_of_sample, live_curves
from pages.components.live_view import board_of
from pages.components.model_picker import model_when_ready, models_when_ready, pick_model
from pages.components.state import EARLIER, REGION

REGIONS = {"sector": "Sector only", "frame": "Whole frame"}
IMAGE_CURVE = "Following this image"
SAMPLE_CURVE = "Drawing accuracy and similarity over the sample"
RECORDING = "Recording"
WANTED = "background_wanted"


@dataclass(frozen=True)
class Scene:
    """What stays while the slider moves."""

    picked: Picked
    card: Card
    source: Cleaned
    model: Classifier | None
    detector: Classifier | None
    kind: str
    seed: int
    earlier: Chain
    region: str
    plain: bool

    @property
    def sha256(self) -> str:
        return self.picked.frame.sha256

    @property
    def subject(self) -> cache.LiveSubject:
        return cache.live_subject(self.sha256, self.source, self.model, self.detector)


def wanted() -> dict[str, bool]:
    """Which work in the background the user wants: the sample's curve and a recording only when asked for."""
    return st.session_state.setdefault(WANTED, {IMAGE_CURVE: True, SAMPLE_CURVE: False, RECORDING: False})


def want(name: str) -> None:
    wanted()[name] = True


def give_up(name: str) -> None:
    wanted()[name] = False


def detector_when_ready() -> Classifier | None:
    """The default detector; None while it loads or where none is installed."""
    cards = [card for card in cache.cards() if card.task == "corruption"]
    loaded = models_when_ready(cards[:1])
    return loaded[0] if loaded else None


def pick_earlier() -> Chain:
    """Corruptions that come before the slider's, from a line of text."""
    text = linked(
        st.text_input,
        "Corruptions before it",
        key=EARLIER,
        default="",
        parse=lambda text: text,
        placeholder="speckle:0.4,jpeg:60",
        help=f"Several corruptions one after the other; the slider's comes last. Write {FORM}.",
    )
    try:
        return Chain.parse(text or "")
    except ParameterError as error:
        st.error(str(error), icon=":material/error:")
        return cache.NO_CHAIN


def pick_scene() -> Scene | None:
    """The controls beside the pictures, and what they choose; None without an image."""
    link.begin_with_app()
    st.title("Corruption")
    st.markdown("Move the slider and see what the distortion does to the image, the prediction and the explanation.")
    picked = pick_image()
    card = pick_model()
    note_on_classes(picked, card)
    if picked is None:
        return None
    kind = pick_kind()
    region = linked_choice("Similarity in", REGIONS, key=REGION, default="sector")
    with st.expander("Seed, chain, slider", icon=":material/tune:"):
        seed = pick_seed()
        earlier = pick_earlier()
        plain = st.toggle("Plain slider", key="plain_slider", help="Answers when it is let go.")
    settings = PreprocessingSettings.from_dict(card.preprocessing)
    source = cache.cleaned(picked.frame.sha256, picked.frame.pixels, settings)
    model, detector = model_when_ready(card), detector_when_ready()
    return Scene(picked, card, source, model, detector, kind, seed, earlier, region, plain)


@st.fragment
def follow(scene: Scene) -> None:
    """All that a move changes. The live slider is drawn last: that is how its browser side knows it was answered."""
    slider = st.container()
    with st.container(horizontal=True):
        preset_buttons(scene.kind)
    if scene.plain:
        with slider:
            intensity = plain_intensity(scene.kind)
    else:
        intensity = chosen_intensity(scene.kind)
    sweep = None
    if scene.model and cache.has_image_sweep(scene.card, scene.sha256, scene.kind, scene.seed):
        sweep = cache.image_sweep(scene.model, scene.sha256, scene.source, scene.kind, scene.seed)
    with errors_as_sentences():
        distortion = Distortion(scene.kind, intensity, scene.seed)
        move = cache.live_move(scene.sha256, scene.subject, distortion, scene.earlier)
        board = board_of(scene.subject, move, scene.kind, intensity, scene.region, sweep)
        live_board(move.pictures, key="board", **board)
        st.caption(
            f"One {'simulated' if scene.picked.simulated else 'uploaded'} image; computed in "
            f"{1000 * move.seconds['total']:.0f} ms on the server. The black background is alike before and after and "
            "raises the similarity of the whole frame; the sector alone tells more."
        )
        curves(scene, sweep, intensity)
        st.download_button(
            "Download the distorted image",
            lambda: encode_png(move.image),
            file_name=f"{scene.kind}_{intensity:g}.png",
            mime="image/png",
            icon=":material/download:",
            on_click="ignore",
        )
    if not scene.plain:
        with slider:
            live_intensity(scene.kind, intensity, sweep.flip if sweep else None)


def curves(scene: Scene, sweep: cache.ImageSweep | None, intensity: float) -> None:
    """Where this intensity lies on the curves of this image and of the sample, as far as they are drawn."""
    corruption = get_corruption(scene.kind)
    drawn = []
    if sweep is not None:
        flips = f"flips to {sweep.after} at {corruption.amount(sweep.flip)}" if sweep.flip is not None else None
        alone = f" under {corruption.title.lower()} alone" if scene.earlier.steps else ""
        note = f"The prediction {flips or f'stays {sweep.before} over the whole range'}{alone}."
        drawn.append(curve_of_image(sweep, scene.model.classes, note))
    if scene.model and cache.has_sample_sweep(scene.card, scene.kind):
        over_sample = cache.sample_sweep(scene.model, scene.kind)
        note = (
            f"n = {over_sample.accuracy[0].n} phantoms of settings the model was not trained on. "
            "Simulated: real images may break earlier."
        )
        drawn.append(curve_of_sample(over_sample, note))
    if drawn:
        live_curves(drawn, corruption.axis_title(), intensity, key="curves")


def in_background(scene: Scene) -> None:
    """What takes longer than a move, while the slider goes on answering: start it, watch it, offer what it made."""
    jobs = {}
    if scene.model:
        if wanted()[IMAGE_CURVE]:
            jobs[IMAGE_CURVE] = cache.image_sweep_job(scene.model, scene.sha256, scene.source, scene.kind, scene.seed)
        jobs[SAMPLE_CURVE] = sample_job(scene)
    if wanted()[RECORDING]:
        jobs[RECORDING] = cache.recording_job(scene.sha256, scene.subject, scene.kind, scene.seed, scene.earlier)
    running = {name: job for name, job in jobs.items() if job is not None}
    if any(job.done for job in running.values()):
        st.rerun()
    with st.container(horizontal=True):
        buttons(scene, running)
    if running:
        watch_jobs(running, give_up)


def sample_job(scene: Scene) -> cache.Job | None:
    if not can_be_simulated(scene.card.classes):
        st.info("None of this model's classes can be simulated, so there is no sample.", icon=":material/info:")
        give_up(SAMPLE_CURVE)
    return cache.sample_sweep_job(scene.model, scene.kind) if wanted()[SAMPLE_CURVE] else None


def buttons(scene: Scene, running: dict[str, cache.Job]) -> None:
    """Ask for what is not there, take away what is."""
    if scene.model:
        if not wanted()[IMAGE_CURVE]:
            st.button("Follow this image", icon=":material/play_arrow:", on_click=want, args=(IMAGE_CURVE,))
        if cache.has_sample_sweep(scene.card, scene.kind):
            st.download_button(
                "Download the curves",
                cache.sample_sweep(scene.model, scene.kind).to_csv(),
                file_name=f"curves_{scene.kind}_{scene.card.name}.csv",
                mime="text/csv",
                icon=":material/download:",
            )
        elif SAMPLE_CURVE not in running and can_be_simulated(scene.card.classes):
            st.button("Draw the sample's curves", icon=":material/play_arrow:", on_click=want, args=(SAMPLE_CURVE,))
    gif = cache.recording(scene.sha256, scene.subject, scene.kind, scene.seed, scene.earlier)
    if gif is None:
        if RECORDING not in running:
            st.button("Record a GIF", icon=":material/videocam:", on_click=want, args=(RECORDING,))
        return
    give_up(RECORDING)
    st.download_button(
        "Download the GIF",
        gif,
        file_name=f"{scene.kind}.gif",
        mime="image/gif",
        icon=":material/download:",
    )
    st.image(gif, caption="The intensity running up, with SSIM's map", width=480)


controls, live = st.columns([3, 10])
with controls:
    scene = pick_scene()
if scene:
    with live:
        follow(scene)
        in_background(scene)
