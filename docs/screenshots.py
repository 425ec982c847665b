"""Write the screenshots of a report: python docs/screenshots.py logs/<run>/report.html."""

from __future__ import annotations

import sys
from pathlib import Path

from browser import chromium, opened

HERE = Path(__file__).resolve().parent
SHOTS = {"report.png": (1280, "light"), "report-dark.png": (1280, "dark"), "report-phone.png": (360, "light")}


def main() -> None:
    """Open the given page and write a screenshot of each kind."""
    page = Path(sys.argv[1]).resolve()
    with chromium() as browser:
        for name, (width, scheme) in SHOTS.items():
            with opened(browser, page, width, scheme) as look:
                look.page.screenshot(path=HERE / name)


if __name__ == "__main__":
    main()
