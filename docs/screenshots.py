"""Write the screenshots of a report and of terminals: python docs/screenshots.py CAPTURES."""

from __future__ import annotations

import contextlib
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

import terminal_page
from browser import chromium, opened, program
from palette import smaller

HERE = Path(__file__).resolve().parent
SHOTS = {"report": (1280, "light"), "report-dark": (1280, "dark"), "report-phone": (360, "light")}
# How many lines to show from the beginning of a long capture, by name. Of other long captures, show only the end.
HEADS = {"dry-run": 36}
# The size of A4 in CSS pixels, without the edge pixels that Chromium's PDF viewer darkens. The viewer leaves space
# (BESIDE) on both sides of the page, and space (ABOVE) above the page.
A4 = (792, 1121)
BESIDE, ABOVE = 6, 4


def write(name: str, page: Page, image: bytes) -> None:
    """Reduce a screenshot of ``page``, and write it to ``name``.png in this directory."""
    (HERE / f"{name}.png").write_bytes(smaller(page, image))


def reported(written: str) -> str:
    """Return the path of the report, as the run printed it on the terminal."""
    return str(re.findall(r"logs/[\w-]+/report\.html", written)[-1])


def of_report(browser: Browser, report: Path, directory: Path) -> Path:
    """Write the screenshots of a report, and return the path of a PDF file with the printed report."""
    page, printed = directory / "report.html", directory / "report.pdf"
    # The report contains the path of the backup's copy. Omit the directory of this checkout from this path.
    page.write_text(report.read_text().replace(f"{HERE.parent}/", ""))
    for name, (width, scheme) in SHOTS.items():
        with opened(browser, page, width, scheme) as look:
            write(name, look.page, look.page.screenshot())
            look.page.pdf(path=printed, prefer_css_page_size=True)
    return printed


def of_terminals(browser: Browser, captures: Path, directory: Path) -> None:
    """Write a screenshot of each capture."""
    for capture in sorted(captures.iterdir()):
        name, _, columns = capture.name.rpartition("-")
        shown = directory / "terminal.html"
        written = capture.read_bytes().decode()
        shown.write_text(terminal_page.page(written, int(columns), HEADS.get(name, 0)))
        with opened(browser, shown, 1280, "dark") as look:
            write(f"terminal-{capture.name}", look.page, look.page.locator("pre").screenshot())


@contextlib.contextmanager
def viewer() -> Iterator[Page]:
    """Yield a page of a Chromium that shows PDF files.

    This needs the new headless mode, because the old mode downloads PDF files.
    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program(), args=["--no-sandbox", "--headless=new"], ignore_default_args=["--headless"]
        )
        yield browser.new_page(viewport={"width": A4[0] + 2 * BESIDE, "height": A4[1] + 2 * ABOVE})
        browser.close()


def of_print(printed: Path) -> None:
    """Write a screenshot of the first page of a PDF file."""
    with viewer() as page:
        page.goto(f"{printed.as_uri()}#toolbar=0&navpanes=0&view=FitH")
        # The viewer does not report when it has drawn the page, so wait until three screenshots in a row are the same.
        clip, seen = {"x": BESIDE, "y": ABOVE, "width": A4[0], "height": A4[1]}, [b""]
        while len(seen) < 3 or len(set(seen[-3:])) > 1:
            page.wait_for_timeout(500)
            seen.append(page.screenshot(clip=clip))  # type: ignore[arg-type]
        # Images cannot be decoded in the page of a PDF viewer.
        page.goto("about:blank")
        write("report-print", page, seen[-1])


def main() -> None:
    """Write the screenshots of all captures, and of the report of the last captured run."""
    captures = Path(sys.argv[1])
    report = HERE.parent / reported(sorted(captures.glob("run-*"))[-1].read_text())
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        with chromium() as browser:
            printed = of_report(browser, report, directory)
            of_terminals(browser, captures, directory)
        of_print(printed)


if __name__ == "__main__":
    main()
