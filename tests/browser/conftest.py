"""A real server and a real browser. Without a Chromium the journeys are reported as not run, or fail where required."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
START_SECONDS = 120
EXPECT_MILLISECONDS = 60_000
SETTLE_MILLISECONDS = 120_000
QUIET_MILLISECONDS = 500
"""A run that a click or the loaded model has just asked for may not have begun yet, what it sent may not be drawn."""
IS_QUIET = """
(milliseconds) => {
  const app = document.querySelector('[data-testid="stApp"]')
  const main = document.querySelector('[data-testid="stMain"]')
  const loads = /is loading; this takes some seconds|that measure heads are loading/.test(document.body.textContent)
  const drawn = `${main?.scrollHeight} ${main?.querySelectorAll("*").length}`
  if (app?.dataset.testScriptState !== "notRunning" || loads || drawn !== window.drawnBefore) {
    window.drawnBefore = drawn
    window.quietSince = performance.now()
  }
  return performance.now() - window.quietSince >= milliseconds
}
"""

WATCH_BOARD = """
() => {
  window.views = []
  const find = (root) => {
    for (const element of root.querySelectorAll("*")) {
      if (element.matches(".board")) return element
      const inside = element.shadowRoot && find(element.shadowRoot)
      if (inside) return inside
    }
  }
  const look = () => {
    const board = find(document)
    const { image, ssim, map, intensity } = board ? board.dataset : {}
    if (image && window.views.at(-1)?.image !== image) {
      window.views.push({ image, ssim, map, intensity, at: performance.now() })
    }
    requestAnimationFrame(look)
  }
  look()
}
"""


def find_chromium() -> str | None:
    return next((path for path in map(shutil.which, CHROMIUM_NAMES) if path), None)


@pytest.fixture(scope="session")
def chromium_path() -> str:
    path = find_chromium()
    if path is None:
        if os.environ.get("PLANELAB_REQUIRE_BROWSER"):
            pytest.fail("PLANELAB_REQUIRE_BROWSER is set and no Chromium was found; install one.")
        pytest.skip("not run: no Chromium was found on this machine")
    return path


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """The app on a free port of this machine; its log is printed if it does not come up."""
    reviews = tmp_path_factory.mktemp("reviews") / "reviews.sqlite"
    environment = os.environ | {"PLANELAB_DATABASE": f"sqlite:///{reviews}"}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true"]
    command += ["--server.address=127.0.0.1", f"--server.port={port}"]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    address = f"http://127.0.0.1:{port}"
    started = time.monotonic()
    while True:
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=1) as answer:
                if answer.read() == b"ok":
                    break
        except OSError:
            if process.poll() is not None or time.monotonic() - started > START_SECONDS:
                process.kill()
                pytest.fail(f"the server did not start:\n{process.communicate()[0]}")
            time.sleep(0.2)
    yield address
    # Asked to terminate it would first wait for what it still computes; it has nothing to save.
    process.kill()
    process.communicate()


@pytest.fixture(scope="session")
def browser(chromium_path):
    from playwright.sync_api import expect, sync_playwright

    # Pages compute on the server, and a loaded machine takes its time.
    expect.set_options(timeout=EXPECT_MILLISECONDS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def settle() -> Callable[..., None]:
    """``settle(page)``: wait until no model loads, no script has run and nothing has been drawn for a while."""

    def wait(page) -> None:
        page.evaluate("window.drawnBefore = undefined")
        page.wait_for_function(IS_QUIET, arg=QUIET_MILLISECONDS, polling=100, timeout=SETTLE_MILLISECONDS)

    return wait


@pytest.fixture(scope="session")
def watch_board() -> Callable[..., None]:
    """``watch_board(page)``: from now on every view of the live board is kept in ``window.views``, with its time."""
    return lambda page: page.evaluate(WATCH_BOARD)


@pytest.fixture
def page(browser, server):
    context = browser.new_context(viewport={"width": 1366, "height": 900}, accept_downloads=True)
    page = context.new_page()
    page.set_default_timeout(EXPECT_MILLISECONDS)
    yield page
    context.close()
