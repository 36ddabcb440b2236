"""What a visitor does, in a real browser: upload a scanner screen and follow it through every page.

With ``PLANELAB_SCREENSHOTS=DIR`` each page is photographed in light and dark, wide and narrow.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import cv2
import pytest
from playwright.sync_api import Page, expect

REAL_SCREEN = Path(__file__).resolve().parents[3] / "shared" / "data" / "raw_frames" / "brain_tv.png"
PAGES = ("", *sorted(path.stem for path in Path("pages").resolve().glob("*.py") if path.stem != "laboratory"))
WIDE_PAGES = ("", "head_circumference", "results", "screening")
LOOKS = ((390, "dark"), (1366, "light"))
LONG = 120_000


@pytest.fixture(scope="module")
def screen(tmp_path_factory) -> Path:
    """A real scanner screen where the project's material lies beside the checkout, else a simulated one."""
    if REAL_SCREEN.is_file():
        return REAL_SCREEN
    from core.phantom import raw_screen

    path = tmp_path_factory.mktemp("screen") / "screen.png"
    cv2.imwrite(str(path), cv2.cvtColor(raw_screen("BPD", 3, scanner="ge").pixels, cv2.COLOR_RGB2BGR))
    return path


def open_page(page: Page, address: str) -> None:
    page.goto(address)
    expect(page.locator("h1")).to_be_visible(timeout=LONG)


def go_to(page: Page, settle, title: str) -> None:
    page.get_by_role("link", name=title, exact=True).first.click()
    expect(page.locator("h1")).to_have_text(title, timeout=LONG)
    settle(page)


def upload(page: Page, settle, *paths: Path) -> None:
    settle(page)
    page.get_by_role("button", name="Upload").first.click()
    page.locator("input[type=file]").set_input_files([str(path) for path in paths])
    settle(page)
    page.keyboard.press("Escape")


def no_failure(page: Page) -> None:
    expect(page.get_by_text("Traceback")).to_have_count(0)
    expect(page.get_by_text("encountered an error")).to_have_count(0)


def test_first_screen_is_usable_before_the_model_is_there(page: Page, server: str, settle):
    open_page(page, server)
    expect(page.get_by_role("slider", name=re.compile("Intensity"))).to_be_visible()
    expect(page.get_by_text("SSIM in the sector")).to_be_visible()
    settle(page)
    # The network comes when it is loaded, and nothing need be drawn until then.
    expect(page.get_by_text("The network says")).to_be_visible(timeout=LONG)
    expect(page.get_by_text(re.compile("flips from|answer stays"))).to_be_visible(timeout=LONG)
    no_failure(page)


def test_a_screen_through_every_page(page: Page, server: str, settle, screen: Path):
    open_page(page, server)
    upload(page, settle, screen)
    fingerprint = re.compile("image=upload-[0-9a-f]{16}")
    expect(page).to_have_url(fingerprint)
    assert screen.stem not in page.url

    go_to(page, settle, "Preprocessing")
    expect(page.get_by_text("3. Annotation mask")).to_be_visible()
    divider = page.get_by_role("slider", name=re.compile("Divider"))
    divider.focus()
    before = page.locator(".compare .line").evaluate("line => line.style.left")
    for _ in range(10):
        page.keyboard.press("ArrowLeft")
    assert page.locator(".compare .line").evaluate("line => line.style.left") != before

    go_to(page, settle, "Corruption")
    board = page.locator(".board")
    old = board.get_attribute("data-image")
    slider = page.get_by_role("slider", name=re.compile("Intensity"))
    slider.focus()
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    expect(board).not_to_have_attribute("data-image", old, timeout=LONG)
    expect(page).to_have_url(re.compile("intensity_noise="))
    expect(page.get_by_text("Prediction:")).to_be_visible()
    expect(page.get_by_text(re.compile("The prediction (flips|stays)"))).to_be_visible(timeout=LONG)

    go_to(page, settle, "Prediction")
    expect(page).to_have_url(fingerprint)
    expect(page.get_by_text("What the network sees:")).to_be_visible()
    expect(page.get_by_test_id("stMain").get_by_text("Entropy", exact=True)).to_be_visible()

    go_to(page, settle, "Interpretability")
    page.get_by_role("button", name="Compute").click()
    expect(page.get_by_role("button", name="Compute")).to_have_count(0, timeout=LONG)
    settle(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Map (.npy)").first.click()
    assert download.value.suggested_filename.endswith(".npy")
    no_failure(page)


def test_a_click_on_a_cell_shows_it_and_an_image_opens(page: Page, server: str, settle):
    open_page(page, f"{server}/confusion_matrix")
    settle(page)
    squares = page.locator(".js-plotly-plot .scatterlayer .point")
    expect(squares).to_have_count(9, timeout=LONG)
    squares.nth(4).click(force=True)
    expect(page.get_by_role("heading", name=re.compile("True CRL, predicted CRL"))).to_be_visible(timeout=LONG)
    settle(page)
    page.reload()
    expect(page.get_by_role("heading", name=re.compile("True CRL, predicted CRL"))).to_be_visible(timeout=LONG)
    settle(page)
    page.get_by_role("button", name="Open on").first.click()
    page.get_by_role("button", name="Prediction", exact=True).first.click()
    expect(page.locator("h1")).to_have_text("Prediction", timeout=LONG)
    expect(page).to_have_url(re.compile("image=phantom-CRL-unseen-"))
    no_failure(page)


def test_errors_are_enlarged_and_stepped_through_by_arrow_keys(page: Page, server: str, settle):
    open_page(page, f"{server}/confusion_matrix")
    settle(page)
    page.get_by_text("Show the images with their maps").click()
    settle(page)
    expect(page.get_by_text("One image large, two cells beside each other")).to_be_visible(timeout=LONG)
    settle(page)
    page.locator(".st-key-enlarge_CRL_NT_2").get_by_role("button").click()
    expect(page.get_by_text(re.compile(r"^2 of \d+$"))).to_be_visible(timeout=LONG)
    settle(page)
    page.locator("h1").click()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_text(re.compile(r"^3 of \d+$"))).to_be_visible(timeout=LONG)
    expect(page).to_have_url(re.compile("cell_place=3"))
    expect(page.get_by_text(re.compile("Relevance for NT"))).to_be_visible()
    settle(page)
    page.reload()
    expect(page.get_by_text(re.compile(r"^3 of \d+$"))).to_be_visible(timeout=LONG)
    no_failure(page)


def test_a_doctor_reads_blind_sees_the_prediction_and_finds_the_cause_again(page: Page, server: str, settle):
    def sign(name: str) -> None:
        page.get_by_role("textbox", name="Your name").fill(name)
        page.get_by_role("textbox", name="Your name").press("Enter")
        settle(page)

    open_page(page, f"{server}/reviews?position=2")
    settle(page)
    # Digits are answers by keyboard: none of them may fall into a name that is being typed.
    page.get_by_role("textbox", name="Your name").press_sequentially("Dr. 123")
    page.get_by_role("textbox", name="Your name").press("Enter")
    expect(page.get_by_role("heading", name="What do you see?")).to_be_visible(timeout=LONG)
    sign("Dr. Ada")
    expect(page.get_by_text("Image 2 of")).to_be_visible()
    expect(page.get_by_text("network said")).to_have_count(0)
    page.locator("h1").click()
    page.keyboard.press("2")
    expect(page.get_by_text(re.compile("You read CRL"))).to_be_visible(timeout=LONG)
    settle(page)
    page.get_by_role("radio", name="no", exact=True).click()
    page.get_by_role("button", name="Too much zoom").click()
    page.get_by_role("textbox", name="Comment").fill("only the face in view 123")
    page.get_by_role("textbox", name="Comment").press("Control+Enter")
    expect(page.get_by_text("Image 3 of")).to_be_visible(timeout=LONG)
    settle(page)
    page.locator("h1").click()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_text("Image 2 of")).to_be_visible(timeout=LONG)
    settle(page)
    page.reload()
    expect(page.get_by_text("Enter your name above to begin")).to_be_visible(timeout=LONG)
    sign("Dr. Ada")
    expect(page.get_by_text(re.compile("You read CRL"))).to_be_visible(timeout=LONG)
    expect(page.get_by_role("button", name="Too much zoom")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("radio", name="no", exact=True)).to_be_checked()
    expect(page.get_by_role("textbox", name="Comment")).to_have_value("only the face in view 123")
    assert "Ada" not in page.url
    no_failure(page)


def test_results_lead_to_the_images_and_give_their_tables(page: Page, server: str, settle):
    open_page(page, f"{server}/results?published=VGG19")
    settle(page)
    expect(page.get_by_role("heading", name="On real images")).to_be_visible()
    expect(page.get_by_text("000 A.3").first).to_be_visible()
    with page.expect_download() as download:
        # By keyboard: tables that are still growing move a button away from under the pointer.
        page.locator(".st-key-csv_plane_simulated").get_by_role("button").press("Enter")
    assert "phantoms of unseen settings_low" in Path(download.value.path()).read_text().splitlines()[0]
    page.get_by_role("link", name="Look at the images of each cell").last.click()
    expect(page.locator("h1")).to_have_text("Confusion matrix", timeout=LONG)
    settle(page)
    expect(page.get_by_text("Accuracy, real images")).to_be_visible()
    no_failure(page)


def test_the_chosen_image_goes_along_to_another_page(page: Page, server: str, settle):
    open_page(page, f"{server}/augmentation?image=sample-nt_000002&augmentation=thesis")
    settle(page)
    expect(page.get_by_text("8: rotation")).to_be_visible()
    go_to(page, settle, "Interpretability")
    expect(page).to_have_url(re.compile("image=sample-nt_000002"))
    no_failure(page)


def test_a_link_opens_the_same_view_even_as_the_first_request(page: Page, server: str, settle):
    open_page(page, f"{server}/corruption?kind=scale_up&intensity_scale_up=9&region=frame")
    settle(page)
    expect(page.get_by_role("slider", name=re.compile("Intensity"))).to_have_value("9")
    expect(page.get_by_role("radio", name="Whole frame")).to_be_checked()
    no_failure(page)


def test_back_undoes_a_choice(page: Page, server: str, settle):
    open_page(page, f"{server}/preprocessing")
    settle(page)
    expect(page.get_by_text("Median filter")).to_be_visible()
    page.get_by_role("radio", name="Detector chain").click(force=True)
    expect(page).to_have_url(re.compile("chain=detector"))
    expect(page.get_by_text("Median filter")).to_have_count(0)
    settle(page)
    page.go_back()
    expect(page.get_by_text("Median filter")).to_be_visible(timeout=LONG)
    expect(page).not_to_have_url(re.compile("chain="))


def test_pages_fit_the_screen(browser, server: str, settle):
    """Nothing sticks out to the side, at phone and then at desktop width; photographs on demand.

    What fits a phone hardly ever sticks out of a desktop, so that only some pages are looked at there too.
    """
    context = browser.new_context()
    page = context.new_page()
    folder = os.environ.get("PLANELAB_SCREENSHOTS")
    try:
        for name in PAGES:
            for width, scheme in LOOKS if folder or name in WIDE_PAGES else LOOKS[:1]:
                page.emulate_media(color_scheme=scheme)
                page.set_viewport_size({"width": width, "height": 900})
                if width == 390:
                    open_page(page, f"{server}/{name}")
                settle(page)
                main = page.get_by_test_id("stMain")
                assert main.evaluate("main => main.scrollWidth - main.clientWidth") <= 1, (name, width)
                no_failure(page)
                if folder:
                    height = main.evaluate("main => main.scrollHeight")
                    page.set_viewport_size({"width": width, "height": min(height + 10, 6000)})
                    page.wait_for_timeout(1000)
                    Path(folder).mkdir(parents=True, exist_ok=True)
                    page.screenshot(path=str(Path(folder) / f"{name or 'laboratory'}_{scheme}_{width}.png"))
    finally:
        context.close()
