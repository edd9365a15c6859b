"""What axe finds in the built pages that keeps people with keys or a screen reader out.

    make docs
    python docs/axe.py axe.min.js                    # every page, 1280 and 390 pixels wide
    python docs/axe.py axe.min.js --dark table.html  # some of them, as they are at night

The script is Deque's and not in this repository: `npm pack axe-core` brings it (`package/axe.min.js`), and so does the
wheel of `axe-playwright-python`. Pages open in headless Chromium. What axe calls serious or critical is printed with
where it is, and ends the program with 1, as does a page that axe did not answer for.
"""

from __future__ import annotations

import argparse
import html
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

SITE = Path(__file__).resolve().parent / "_build" / "html"
GRAVE = ("serious", "critical")
WIDTHS = (1280, 390)
ASK = """
const about = node => node.target.join(" ") + ": " + node.failureSummary;
setTimeout(() => axe.run(document, {resultTypes: ["violations"]}).then(found => {
  const said = document.createElement("pre");
  said.id = "axe-says";
  said.textContent = JSON.stringify(found.violations.map(
    one => ({id: one.id, impact: one.impact, nodes: one.nodes.map(about)})));
  document.body.appendChild(said);
}), 500)
"""


def chromium() -> str | None:
    """The browser, under whichever of its names it is installed."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def dom(browser: str, page: str, width: int = 1280) -> str:
    """A page as it stands once its scripts have run, for as long as 20 s by its own clock."""
    words = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=20000", "--dump-dom"]
    asked = [browser, *words, f"--window-size={width},1000", page]
    return subprocess.run(asked, capture_output=True, text=True, timeout=300, check=True).stdout


def violations(browser: str, page: Path, script: str, width: int, dark: bool = False) -> list[dict[str, Any]] | None:
    """What axe has to say about one page, or None where it said nothing at all."""
    text = page.read_text(encoding="utf-8")
    if dark:  # as if it had been chosen before
        text, chosen = re.subn(r'localStorage\.getItem\("theme"\) \|\| "auto"', '"dark"', text)
        assert chosen, f"{page} does not ask for its theme as it did"
    text = text.replace("<head>", f'<head><base href="{page.as_uri()}">', 1)
    text = text.replace("</body>", f"<script>{script}</script><script>{ASK}</script></body>")
    with tempfile.TemporaryDirectory() as folder:
        asked = Path(folder) / page.name
        asked.write_text(text, encoding="utf-8")
        said = re.search(r'<pre id="axe-says">(.*?)</pre>', dom(browser, asked.as_uri(), width), re.DOTALL)
    return json.loads(html.unescape(said[1])) if said else None


def main(words: Sequence[str] | None = None) -> int:
    """Asks for every page and width; 0 where nothing serious was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("axe", type=Path, help="axe.min.js")
    parser.add_argument("pages", nargs="*", help="of the site, such as table.html (default: all)")
    parser.add_argument("--dark", action="store_true", help="as they are at night")
    chosen = parser.parse_intermixed_args(words)
    browser = chromium()
    if browser is None:
        parser.error("Chromium is needed: apt-get install chromium, or brew install chromium")
    if not chosen.axe.is_file():
        parser.error(f"there is no {chosen.axe}: `npm pack axe-core` brings it, as package/axe.min.js")
    pages = [SITE / page for page in chosen.pages] or sorted(SITE.rglob("*.html"))
    if lost := [str(page) for page in pages if not page.is_file()]:
        parser.error(f"there is no {', '.join(lost)}: `make docs` builds the site")
    if not pages:
        parser.error(f"{SITE} has no pages: `make docs` builds the site")
    script = chosen.axe.read_text(encoding="utf-8")
    jobs = [(page, width) for page in pages for width in WIDTHS]
    bad = 0
    with ThreadPoolExecutor(2) as pool:
        answers = pool.map(lambda job: violations(browser, job[0], script, job[1], chosen.dark), jobs)
        for (page, width), found in zip(jobs, answers, strict=True):
            where = f"{page.relative_to(SITE)} at {width}"
            if found is None:
                bad += 1
                print(f"{where}: axe did not answer")
            for one in found or []:
                grave = one["impact"] in GRAVE
                bad += grave
                print(f"{where}: {one['impact']}: {one['id']}, {len(one['nodes'])} times")
                for node in one["nodes"][:3] if grave else []:
                    print("   ", " ".join(node.split()))
    print(f"{len(pages)} pages, {bad or 'nothing'} serious")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
