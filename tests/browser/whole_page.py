"""What a page of the platform's own must be: reachable by keyboard, right on a telephone, without a grave fault."""

import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from headless import Browser
from playwright.sync_api import Page

AXE = "axe-core@4.14.1"
GRAVE = ("serious", "critical")
# More presses than any page has stops.
MOST_PRESSES = 1500
CONTROLS = "a[href], button, input, select, textarea, summary, [tabindex='0']"
NOTED = """
window.stops = [];
document.addEventListener("focusin", event => {
  const style = getComputedStyle(event.target);
  const ring = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
  event.target.reached = true;
  window.stops.push([event.target.tagName, event.target.outerHTML.slice(0, 200), ring]);
});
"""
# A part of the page that is seen and ends beyond the window's edge, unless it is in one that scrolls by itself.
BEYOND = """
() => {
  const width = document.documentElement.clientWidth;
  const scrolls = part => ["auto", "scroll"].includes(getComputedStyle(part).overflowX);
  const heldBack = part => { for (let up = part; up; up = up.parentElement)
    if (up.matches(".heard, .skip") || (up !== part && scrolls(up))) return true; return false; };
  return [...document.body.querySelectorAll("*")]
    .filter(part => part.checkVisibility() && part.getBoundingClientRect().right > width + 1 && !heldBack(part))
    .map(part => part.outerHTML.slice(0, 150));
}
"""
# matplotlib draws letters as outlines and tells the text of each in a comment. A row that begins with a name of the
# study file has words of that file, beside the title of the parameter in its second cell.
SAID = """
() => {
  const coded = row => row.cells.length > 2 && /^[a-z_]+[a-z_.0-9]*$/.test(row.cells[0].innerText.trim());
  const titles = [...document.querySelectorAll("tr")].filter(coded).map(row => {
    const title = row.cells[1].innerText;
    row.remove();
    return title;
  });
  const heard = ["alt", "aria-label", "title"].flatMap(name =>
    [...document.querySelectorAll(`[${name}]`)].map(part => part.getAttribute(name)));
  const pictures = [...document.images].map(image => image.src).filter(source => source.startsWith("data:image/svg"))
    .map(source => Uint8Array.from(atob(source.split(",")[1]), letter => letter.charCodeAt(0)))
    .map(bytes => new TextDecoder().decode(bytes))
    .flatMap(picture => [...picture.matchAll(/<!--(.*?)-->/gs)].map(found => found[1]));
  return [document.title, document.body.innerText, ...titles, ...heard, ...pictures];
}
"""


@cache
def axe_source() -> str:
    """axe-core's script, fetched by npm."""
    if shutil.which("npm") is None:
        pytest.exit("Pages are examined by axe-core, which npm fetches; as root: apt-get install npm", returncode=2)
    with tempfile.TemporaryDirectory(prefix="axe-") as folder:
        command = ["npm", "pack", "--silent", AXE]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode:
            pytest.exit(f"npm could not fetch {AXE}, which examines pages: {done.stderr.strip()}", returncode=2)
        with tarfile.open(next(Path(folder).glob("*.tgz"))) as archive:
            script = archive.extractfile("package/axe.min.js")
            assert script is not None
            return script.read().decode()


def unfold(page: Page) -> None:
    """Open whatever is folded."""
    page.evaluate("() => document.querySelectorAll('details').forEach(part => part.open = true)")


def grave_faults(browser: Browser, address: str, width: int, colours: str) -> list[str]:
    """The serious and critical faults that axe-core finds, with everything unfolded."""
    page = browser.page(width, colours, axe_source())
    page.goto(address)
    unfold(page)
    found: dict[str, Any] = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    page.context.close()
    assert found["passes"], "axe-core looked at nothing"
    return [
        f"{fault['id']} ({fault['impact']}): {node['html'][:200]} {json.dumps(node['any'][:1])[:300]}"
        for fault in found["violations"]
        if fault["impact"] in GRAVE
        for node in fault["nodes"]
    ]


def keyboard_faults(browser: Browser, address: str) -> list[str]:
    """What Tab does not reach or reaches without a mark that is seen; what is folded is opened by Enter on the way."""
    page = browser.page(script=NOTED)
    page.goto(address)
    for _ in range(MOST_PRESSES):
        page.keyboard.press("Tab")
        state = page.evaluate(
            "() => [document.activeElement === document.body, "
            "document.activeElement.matches('details:not([open]) > summary')]"
        )
        if state[0]:  # the end of the page
            break
        if state[1]:
            page.keyboard.press("Enter")
    unmarked = [html for name, html, ring in page.evaluate("() => window.stops") if not ring]
    unreached = (
        page.locator(CONTROLS)
        .filter(visible=True)
        .evaluate_all("parts => parts.filter(part => !part.reached).map(part => part.outerHTML.slice(0, 200))")
    )
    folded = page.locator("details:not([open])").count()
    page.context.close()
    return [
        *(f"focus is not seen on {html}" for html in unmarked),
        *(f"Tab does not reach {html}" for html in unreached),
        *(["a part stayed folded"] if folded else []),
    ]


def width_faults(browser: Browser, address: str, width: int) -> list[str]:
    """Whether the page itself scrolls sideways at a width, with everything unfolded, and what juts out."""
    page = browser.page(width)
    page.goto(address)
    unfold(page)
    wide: int = page.evaluate("() => document.documentElement.scrollWidth")
    jutting: list[str] = page.evaluate(BEYOND)
    page.context.close()
    return [*jutting, *([f"the page is {wide} pixels wide"] if wide > width else [])]


def all_that_is_said(page: Page) -> str:
    """Every text of a page: what is seen, what is heard, and what its pictures say; not the names that are code."""
    unfold(page)
    said: list[str] = page.evaluate(SAID)
    return "\n".join(said)


def keep_picture(page: Page, name: str) -> None:
    """The page as a picture, in the folder that PARCOURS_SCREENSHOTS names (default: screenshots/ of the project)."""
    folder = Path(os.environ.get("PARCOURS_SCREENSHOTS") or Path(__file__).resolve().parents[2] / "screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / f"{name}.png")
