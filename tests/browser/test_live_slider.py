"""The slider that follows the finger, in a real browser: dragged once, by keyboard, played.

What went over the wire is read from the WebSocket itself, apart from what the component says of itself; what was drawn
is read from the board at every frame of the browser.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Page, expect
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from core.corruption import corrupt
from core.library import EXAMPLE, open_sample
from core.live import LiveSubject
from core.preprocessing import PreprocessingSettings, clean
from core.zoo import read_card
from core.zoo.registry import default_name

LONG = 300_000
VIEWS = 20
DRAG_SECONDS_AT_MOST = 240


@dataclass
class Wire:
    """Moves sent to the server and answers to them, in the order in which they passed."""

    events: list[tuple[str, int, dict]] = field(default_factory=list)

    def listen(self, page: Page) -> None:
        page.on("websocket", lambda socket: (socket.on("framesent", self.sent), socket.on("framereceived", self.got)))

    def sent(self, payload: bytes | str) -> None:
        if isinstance(payload, str):
            return
        message = BackMsg.FromString(payload)
        if message.WhichOneof("type") != "rerun_script":
            return
        for state in message.rerun_script.widget_states.widgets:
            if state.WhichOneof("value") == "json_value" and '"move"' in state.json_value:
                move = json.loads(state.json_value)["move"]
                if ("sent", move["serial"]) not in [event[:2] for event in self.events]:
                    self.events.append(("sent", move["serial"], move))

    def got(self, payload: bytes | str) -> None:
        if isinstance(payload, str):
            return
        message = ForwardMsg.FromString(payload)
        if message.WhichOneof("type") != "delta":
            return
        element = message.delta.new_element
        if element.WhichOneof("type") != "bidi_component":
            return
        data = json.loads(element.bidi_component.mixed.json or element.bidi_component.json or "{}")
        if "serial" in data:
            self.events.append(("answered", data["serial"], data))

    @property
    def moves(self) -> list[dict]:
        return [data for name, _, data in self.events if name == "sent"]

    @property
    def most_under_way(self) -> int:
        under_way, most = set(), 0
        for name, serial, _ in self.events:
            if name == "sent":
                under_way.add(serial)
            else:
                under_way -= {other for other in under_way if other <= serial}
            most = max(most, len(under_way))
        return most


@pytest.fixture
def wire(page: Page) -> Wire:
    wire = Wire()
    wire.listen(page)
    return wire


def open_live(page: Page, server: str, watch_board, **link: str) -> None:
    """The page with its model loaded and the curve of this image drawn, so that the server has nothing else to do."""
    query = "&".join(f"{key}={value}" for key, value in link.items())
    page.goto(f"{server}/corruption?{query}")
    expect(page.locator(".cam_after img")).to_be_visible(timeout=LONG)
    expect(page.get_by_text(re.compile("The prediction (flips|stays)"))).to_be_visible(timeout=LONG)
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning", timeout=LONG)
    watch_board(page)


def wait_until_answered(page: Page) -> None:
    """Until the finger's last value has come back: the slider rests and its script has ended."""
    expect(page.locator(".live")).to_have_attribute("data-resting", "true", timeout=LONG)
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning", timeout=LONG)


def digests_at(kind: str, intensity: float) -> dict[str, str]:
    """What ``core`` computes of the example by itself, here and not on the server."""
    settings = PreprocessingSettings.from_dict(read_card(default_name()).preprocessing)
    source = clean(open_sample(EXAMPLE).frame.pixels, settings)
    move = LiveSubject(source).move(kind, intensity)
    assert (move.image == corrupt(source.gray, kind, intensity, 0, source.sector)).all()
    return move.digests


def test_one_drag_shows_twenty_views_with_one_request_at_a_time(page: Page, server: str, wire: Wire, watch_board):
    open_live(page, server, watch_board, intensity_noise="0.05")
    wait_until_answered(page)
    box = page.locator(".live input").bounding_box()
    height = box["y"] + box["height"] / 2
    wire.events.clear()
    page.mouse.move(box["x"] + 0.1 * box["width"], height)
    page.mouse.down()
    # As long as a loaded machine needs for twenty answers; on an idle one some seconds.
    started, places = time.monotonic(), 0
    while len(page.evaluate("window.views")) <= VIEWS and time.monotonic() - started < DRAG_SECONDS_AT_MOST:
        for _ in range(3):
            places += 1
            page.mouse.move(box["x"] + (0.1 + 0.8 * (places % 90) / 90) * box["width"], height)
        page.wait_for_timeout(15)
    page.mouse.move(box["x"] + 0.73 * box["width"], height)
    page.mouse.up()
    wait_until_answered(page)

    views = page.evaluate("window.views")
    print(f"{places} moves of the finger, {len(wire.moves)} requests, {len(views)} views")
    for view in views:
        print(view["intensity"], view["image"], view["ssim"], view["map"])
    for name in ("image", "ssim", "map"):
        assert len({view[name] for view in views}) >= VIEWS
    assert wire.most_under_way == 1
    # Overtaken moves were dropped: far fewer requests than the finger had places.
    assert len(wire.moves) < places
    # What is shown in the end is of the last value, by a computation of our own.
    last = float(page.locator(".live input").input_value())
    assert wire.moves[-1]["value"] == last == float(views[-1]["intensity"])
    assert {name: views[-1][name] for name in ("image", "ssim", "map")} == digests_at("noise", last)
    expect(page).to_have_url(re.compile(rf"intensity_noise={last:g}\b"))


def test_keys_move_the_slider_and_the_last_value_stands(page: Page, server: str, wire: Wire, watch_board):
    open_live(page, server, watch_board, kind="contrast", intensity_contrast="40")
    slider = page.get_by_role("slider", name=re.compile("Intensity"))
    slider.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowRight", "PageUp", "End", "ArrowLeft"):
        page.keyboard.press(key)
    wait_until_answered(page)
    expect(slider).to_have_value("94.5")
    assert slider.get_attribute("aria-valuetext") == "94.5 %"
    expect(page.locator(".board")).to_have_attribute("data-intensity", "94.5", timeout=LONG)
    page.keyboard.press("Home")
    wait_until_answered(page)
    expect(page.locator(".board")).to_have_attribute("data-intensity", re.compile("^0(.0)?$"), timeout=LONG)
    assert wire.most_under_way == 1
    expect(page).to_have_url(re.compile(r"intensity_contrast=0\b"))


def test_presets_play_and_the_plain_slider(page: Page, server: str, wire: Wire, watch_board):
    open_live(page, server, watch_board, intensity_noise="0.1")
    page.get_by_role("button", name="Limit of the thesis").click()
    slider = page.get_by_role("slider", name=re.compile("Intensity"))
    expect(slider).to_have_value("0.18", timeout=LONG)
    expect(page.locator(".board")).to_have_attribute("data-intensity", "0.18", timeout=LONG)
    page.get_by_role("button", name="Play").click()
    expect(slider).to_have_value("0.5", timeout=LONG)
    wait_until_answered(page)
    expect(page.locator(".board")).to_have_attribute("data-intensity", "0.5", timeout=LONG)
    assert wire.most_under_way == 1
    page.get_by_text("Seed, chain, slider").click()
    page.get_by_text("Plain slider").click()
    expect(page.locator(".live")).to_have_count(0, timeout=LONG)
    expect(page.get_by_role("slider", name=re.compile("Intensity"))).to_have_value("0.5")
