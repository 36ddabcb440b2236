"""An archive in a real browser: 200 files, some broken, screened, limits moved, rows taken home."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import cv2
import pytest
from playwright.sync_api import Page, expect

LONG = 150_000
GOOD, BROKEN = 192, 8


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> Path:
    """A ZIP of small frames of two phantoms and of files that are none: single, they would take a browser long."""
    from core.phantom import generate

    folder = tmp_path_factory.mktemp("archive")
    sources = [cv2.resize(generate(plane, 3).image, (128, 128)) for plane in ("BPD", "CRL")]
    for number in range(GOOD):
        shifted = cv2.convertScaleAbs(sources[number % 2], alpha=0.6 + 0.003 * number)
        cv2.imwrite(str(folder / f"{number:03d}.png"), shifted)
    whole = (folder / "000.png").read_bytes()
    for number in range(BROKEN):
        content = b"" if number % 2 else whole[: 100 + number]
        (folder / f"broken_{number}.png").write_bytes(content)
    return Path(shutil.make_archive(str(folder.parent / f"{folder.name}_packed"), "zip", folder))


def test_two_hundred_files_some_broken(page: Page, server: str, settle, archive: Path):
    page.goto(f"{server}/screening", timeout=LONG)
    expect(page.locator("h1")).to_have_text("Screening", timeout=LONG)
    page.locator("input[type=file]").first.set_input_files(str(archive), timeout=LONG)
    start = page.get_by_role("button", name=f"Screen {GOOD + BROKEN} files")
    expect(start).to_be_visible(timeout=LONG)
    start.click()
    expect(page.get_by_text(f"{BROKEN} cannot be read")).to_be_visible(timeout=LONG)
    expect(page.get_by_text(f"of {GOOD + BROKEN} frames").first).to_be_visible()
    expect(page.get_by_test_id("stMetric")).to_have_count(3)
    page.get_by_role("radio", name="Discard").click()
    expect(page).to_have_url(f"{server}/screening?verdict=discard", timeout=LONG)
    before = page.get_by_test_id("stMetricValue").all_inner_texts()
    assert sum(map(int, before)) == GOOD + BROKEN
    handle = page.get_by_role("slider", name="Mean gray level of the sector, below").last
    handle.focus()
    for _ in range(3):
        handle.press("PageUp")
    expect(page.get_by_test_id("stMetricValue").first).not_to_have_text(before[0], timeout=LONG)
    # Three presses are three runs, and what is asked of a button of the second is lost when the third replaces it.
    settle(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Rows (CSV)").click()
    with Path(download.value.path()).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == GOOD + BROKEN
    assert sum(bool(row["error"]) for row in rows) == BROKEN
    expect(page.get_by_text("Traceback")).to_have_count(0)
