"""Pages in Chromium, as wide as on a phone or a desktop, with a light or dark color scheme."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

# The Makefile lists the same browsers and installs the first if none is installed.
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WIDTHS = (360, 1280)
SCHEMES = ("light", "dark")


def program() -> str:
    """Return the path of the first installed browser."""
    for path in map(shutil.which, BROWSERS):
        if path:
            return path
    raise FileNotFoundError(f"No browser is on the PATH ({', '.join(BROWSERS)}): apt-get install chromium.")


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Yield Chromium or Chrome. Its sandbox is disabled, because it may run as root in a container."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program(), args=["--no-sandbox"])
        yield browser
        browser.close()


@dataclass
class Look:
    """An open page, with Chromium's errors and network requests."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def overflow(self) -> int:
        """Return the number of pixels by which the page is wider than the window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))

    def inaccessible(self) -> list[str]:
        """Unfold all details of the page, and return the accessibility faults that axe-core finds."""
        self.page.evaluate("document.querySelectorAll('details').forEach(element => { element.open = true })")
        found: list[dict[str, Any]] = Axe().run(self.page).response["violations"]
        return [f"{item['id']}: {node['html'][:200]}" for item in found for node in item["nodes"]]


@contextlib.contextmanager
def opened(browser: Browser, path: Path, width: int, scheme: str) -> Iterator[Look]:
    """Open a file in a window with the given width and color scheme."""
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
    look = Look(context.new_page())
    look.page.on("console", lambda message: look.complaints.append(message.text))
    look.page.on("pageerror", lambda error: look.complaints.append(str(error)))
    look.page.on("request", lambda request: look.requests.append(request.url))
    look.page.goto(path.as_uri())
    yield look
    context.close()
