"""A head in a real browser: upload it, type the size of a pixel, read millimetres, distort it."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import pytest
from playwright.sync_api import Page, expect

LONG = 90_000
SEED = 5


@pytest.fixture(scope="module")
def phantom(tmp_path_factory) -> tuple[Path, float]:
    """A simulated head as a file, and the size of its pixels in mm."""
    from core.phantom import generate

    made = generate("BPD", SEED, size=None, settings="unseen")
    path = tmp_path_factory.mktemp("head") / "head.png"
    cv2.imwrite(str(path), made.image)
    return path, made.pixel_size_mm


def test_a_head_is_measured_in_millimetres_and_distorted(page: Page, server: str, settle, phantom: tuple[Path, float]):
    path, pixel_mm = phantom
    page.goto(f"{server}/head_circumference")
    expect(page.locator("h1")).to_have_text("Head circumference", timeout=LONG)
    settle(page)
    page.get_by_role("button", name="Upload").first.click()
    # The page has another uploader, for annotations.
    page.get_by_test_id("stPopoverBody").locator("input[type=file]").set_input_files(str(path))
    # Only now: a list that closes takes an upload with it that is still under way.
    expect(page.get_by_text("The size of a pixel is not known")).to_be_visible(timeout=LONG)
    page.keyboard.press("Escape")
    settle(page)
    size = page.get_by_role("spinbutton", name="Size of a pixel").first
    size.fill(f"{pixel_mm:.4f}")
    size.press("Enter")
    expect(page).to_have_url(re.compile("pixel_size="))
    settle(page)
    # Of an accepted head in a metric, of a refused one in small print: millimetres either way.
    expect(page.get_by_text(re.compile(r"\d+\.\d mm")).first).to_be_visible(timeout=LONG)
    expect(page.get_by_alt_text(re.compile("with outline"))).to_be_visible()

    page.get_by_text("Under distortion").click()
    picture = page.get_by_alt_text("The distorted frame with its outline")
    expect(picture).to_be_visible(timeout=LONG)
    settle(page)
    before = picture.get_attribute("src")
    slider = page.locator(".live input")
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 0.2 * box["width"], middle)
    page.mouse.down()
    for share in (0.4, 0.6, 0.8):
        page.mouse.move(box["x"] + share * box["width"], middle, steps=3)
    page.mouse.up()
    expect(page.locator(".live")).to_have_attribute("data-resting", "true", timeout=LONG)
    expect(page).to_have_url(re.compile("intensity_noise="), timeout=LONG)
    expect(picture).not_to_have_attribute("src", before)
    expect(page.get_by_text("HC error against noise")).to_be_visible(timeout=LONG)
    expect(page.get_by_text("Traceback")).to_have_count(0)
