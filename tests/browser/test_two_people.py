"""Two people at one server, each with an upload of their own: neither ever sees the other's, neither makes the other wait.

The marks of the two uploads, upright and lying bars, are looked for in every picture that reached a browser, and what the
pages show is compared with what ``core`` makes of the same file here.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.sync_api import Page, expect

from core.images import Frame, read_image
from core.preprocessing import Cleaned, PreprocessingSettings, clean
from core.zoo import read_card
from core.zoo.registry import default_name

LONG = 150_000
UPRIGHT, LYING = "upright", "lying"
PICTURE = re.compile(rb"iVBORw0KGgo[A-Za-z0-9+/=]{40,}")
STEP = 0.005
ALONE_SECONDS, BESIDE_SECONDS = 3.0, 6.0
LEAST_VIEWS = 5


def bars_of(pixels: np.ndarray) -> str | None:
    """Which way the bars in a picture run; None where there are none."""
    gray = pixels if pixels.ndim == 2 else pixels.mean(axis=2)
    across, along = (np.diff(gray.mean(axis=axis, dtype=float)).std() for axis in (0, 1))
    if max(across, along) < 2 or 0.4 < across / max(along, 1e-9) < 2.5:
        return None
    return UPRIGHT if across > along else LYING


@dataclass
class Person:
    """Somebody at a browser, and everything that reached it."""

    name: str
    bars: str
    path: Path
    page: Page
    frame: Frame = field(init=False)
    received: list[bytes] = field(default_factory=list)
    pictures: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.frame = read_image(self.path)
        self.page.on("websocket", lambda socket: socket.on("framereceived", self._take))
        self.page.on("response", self._answered)

    def _take(self, payload: bytes | str) -> None:
        content = payload.encode() if isinstance(payload, str) else payload
        self.received.append(content)
        self.pictures += [base64.b64decode(found + b"=" * (-len(found) % 4)) for found in PICTURE.findall(content)]

    def _answered(self, response) -> None:
        if "/media/" in response.url and response.ok:
            self.pictures.append(response.body())

    @property
    def marks(self) -> set[str | None]:
        """Which bars the pictures bear that this browser was given."""
        return {bars_of(cv2.imdecode(np.frombuffer(one, np.uint8), cv2.IMREAD_COLOR)) for one in self.pictures}

    def upload(self, settle) -> None:
        self.page.get_by_role("button", name="Upload").first.click()
        self.page.get_by_test_id("stPopoverBody").locator("input[type=file]").set_input_files(str(self.path))
        expect(self.page.get_by_text("A link to this view carries only")).to_be_visible(timeout=LONG)
        self.page.keyboard.press("Escape")
        settle(self.page)

    def cleaned(self) -> Cleaned:
        settings = PreprocessingSettings.from_dict(read_card(default_name()).preprocessing)
        return clean(self.frame.pixels, settings)

    def drag(self, seconds: float, while_visible=None) -> float:
        """Move the slider to and fro with the mouse for so long; views a second that came meanwhile."""
        box = self.page.locator(".live input").bounding_box()
        height = box["y"] + box["height"] / 2
        self.page.mouse.move(box["x"] + 0.1 * box["width"], height)
        self.page.mouse.down()
        first = self.page.evaluate("[window.views.length, performance.now()]")
        last, place = first, 0
        while last[1] - first[1] < 1000 * seconds and (while_visible is None or while_visible.is_visible()):
            for _ in range(3):
                place += 1
                self.page.mouse.move(box["x"] + (0.1 + 0.8 * (place % 90) / 90) * box["width"], height)
            self.page.wait_for_timeout(15)
            last = self.page.evaluate("[window.views.length, performance.now()]")
        self.page.mouse.up()
        expect(self.page.locator(".live")).to_have_attribute("data-resting", "true", timeout=LONG)
        return 1000 * (last[0] - first[0]) / (last[1] - first[1])


@pytest.fixture
def people(browser, server, tmp_path):
    """Anna, whose frame bears upright bars, and Berta, whose bears lying ones."""
    found = []
    for name, bars, gray, size in (("anna", UPRIGHT, 90, (300, 420)), ("berta", LYING, 150, (360, 400))):
        pixels = np.random.default_rng(len(name)).normal(gray, 6, size)
        places = np.arange(size[1])[None] if bars == UPRIGHT else np.arange(size[0])[:, None]
        pixels = np.clip(pixels + 60 * (places // 12 % 2), 1, 255).astype(np.uint8)
        path = tmp_path / f"visit_of_{name}.png"
        cv2.imwrite(str(path), pixels)
        context = browser.new_context(viewport={"width": 1366, "height": 900}, accept_downloads=True)
        page = context.new_page()
        page.set_default_timeout(LONG)
        found.append(Person(name, bars, path, page))
    yield found
    for person in found:
        person.page.context.close()


def open_live(person: Person, settle, watch_board) -> None:
    """The slider over the upload, once the server has nothing else to do for this person."""
    expect(person.page.locator(".cam_after img")).to_be_visible(timeout=LONG)
    expect(person.page.get_by_text(re.compile("The prediction (flips|stays)"))).to_be_visible(timeout=LONG)
    settle(person.page)
    watch_board(person.page)


def test_neither_sees_the_others_nor_waits_for_it(people, server: str, settle, watch_board):
    import time

    t = time.monotonic()

    def tick(w):
        print(f"{time.monotonic() - t:.1f}", w, flush=True)

    anna, berta = people
    anna.page.goto(f"{server}/corruption?intensity_noise=0.05")
    berta.page.goto(f"{server}/interpretability?methods=rise")
    expect(anna.page.locator("h1")).to_have_text("Corruption", timeout=LONG)
    expect(berta.page.locator("h1")).to_have_text("Interpretability", timeout=LONG)
    settle(anna.page)
    settle(berta.page)
    tick("open")
    anna.upload(settle)
    tick("anna up")
    berta.upload(settle)
    tick("berta up")
    open_live(anna, settle, watch_board)
    tick("live")
    for p in people:
        p.pictures.clear()
        p.received.clear()

    alone = anna.drag(ALONE_SECONDS)
    tick("alone")
    berta.page.locator("[class*=st-key-compute_rise] button").click()
    bar = berta.page.get_by_text(re.compile(r"RISE.*s left"))
    expect(bar).to_be_visible(timeout=LONG)
    tick("bar")
    beside = anna.drag(BESIDE_SECONDS, bar)
    print(bar.is_visible(), bar.text_content())
    print(f"{alone:.2f} views a second alone, {beside:.2f} beside the explanation: ratio {alone / beside:.2f}")
    tick("beside")
    settle(berta.page)
    tick("rise done")
    berta.page.get_by_role("link", name="Corruption", exact=True).first.click()
    open_live(berta, settle, watch_board)
    tick("live")
    print(berta.drag(1), anna.drag(1))
    for p in people:
        print(
            p.name,
            p.marks,
            len(p.pictures),
            len(p.received),
            [bars_of(cv2.imdecode(np.frombuffer(one, np.uint8), cv2.IMREAD_COLOR)) for one in p.pictures][:30],
        )
