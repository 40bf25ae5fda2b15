"""A real Chromium without a network, and the pages that it opens."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "twin"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of this folder are marked, so that they can be chosen and left out."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="module")  # and no longer: an event loop of Playwright's runs while it is open
def chromium() -> Iterator[Any]:
    """The browser of the machine; tests are skipped where there is none."""
    sync = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
    named = os.environ.get("TONNAGE_CHROMIUM")
    found = named or shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("needs a Chromium (Debian: apt-get install chromium), or TONNAGE_CHROMIUM")
    with sync.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


class Opened:
    """A page that was opened from a file, and all that it complained about or asked for."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))


@pytest.fixture
def open_page(chromium: Any, tmp_path: Path) -> Iterator[Callable[..., Opened]]:
    """Opens HTML as a file, offline, and waits until it is drawn."""
    contexts = []

    def opened(html: str, *, dark: bool = False, width: int = 1280) -> Opened:
        file = tmp_path / f"page-{len(contexts)}.html"
        file.write_text(html, encoding="utf-8")
        context = chromium.new_context(
            offline=True, color_scheme="dark" if dark else "light", viewport={"width": width, "height": 900}
        )
        contexts.append(context)
        one = Opened(context.new_page())
        one.page.goto(file.as_uri())
        one.page.wait_for_selector("body[data-state=drawn]")
        return one

    yield opened
    for context in contexts:
        context.close()
