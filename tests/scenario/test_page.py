"""The page in a real browser, on real machines: a branch from its first moment to its last line in
the audit log, with nothing but the page.

With GREENROOM_PICTURES=docs/pictures the pictures of docs/page.md are made anew.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright

from tests.real.site import RUN, Site

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
PICTURES = os.environ.get("GREENROOM_PICTURES", "")
PICTURED = (
    "audit-light",
    "booted-dark",
    "booting-light",
    "create-light",
    "drills-light",
    "environment-dark",
    "environment-light",
    "environment-narrow",
    "environments-light",
    "execution-dark",
    "job-light",
)
"""Which of all that is looked at stands in the documentation."""
CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
NARROW = 360
"""CSS pixels: what most telephones have."""
NARROWEST = 320
PATIENCE_MS = 180_000
"""CI's machine is loaded; a state is waited for as long as a boot may take."""
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
TABS_MAX = 150
FOCUS_SEEN = """() => {
  const focused = document.activeElement;
  if (focused === document.body) return true;
  const { outlineStyle, outlineWidth } = getComputedStyle(focused);
  return focused.matches(":focus-visible") && outlineStyle !== "none" && outlineWidth !== "0px";
}"""
"""Past the last link the focus is the browser's own, and comes back to the first."""
JOB = """
jobs:
  count-photos:
    description: Counts the photos that the branch's database holds
    options:
      environment: {type: environment, required: true}
      title: {type: string, default: photos}
    machines: {role: db}
    script: |
      echo "counting $OPTION_TITLE"
      mariadb -N -e 'SELECT COUNT(*) FROM photos.photos'
      echo "counted"
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, driven by playwright."""
    assert Path(CHROMIUM).exists(), "chromium is missing: run scripts/setup tests"
    with sync_playwright() as playwright:
        expect.set_options(timeout=PATIENCE_MS)
        started = playwright.chromium.launch(
            executable_path=CHROMIUM, args=list(FLAGS), timeout=PATIENCE_MS
        )
        yield started
        started.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser that nobody has used, and that tells of every error."""
    made = browser.new_context(
        viewport={"width": 1280, "height": 860}, color_scheme="light", reduced_motion="reduce"
    )
    made.set_default_timeout(PATIENCE_MS)
    yield made
    made.close()


class Visit:
    """A browser at the page, which collects what it complains about."""

    def __init__(self, context: BrowserContext, site: Site) -> None:
        self.page: Page = context.new_page()
        self.complaints: list[str] = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._heard)
        link = site.data("web", "--no-open")["url"]
        self.home = link.partition("/login")[0]
        self.page.goto(link)
        expect(self.page.get_by_role("heading", name="Environments", exact=True)).to_be_visible()

    def _heard(self, message: object) -> None:
        kind, text = getattr(message, "type", ""), getattr(message, "text", "")
        if kind == "error" and "status of 4" not in text:
            self.complaints.append(text)

    def open(self, path: str) -> Page:
        self.page.goto(self.home + path)
        return self.page

    def examine(self, name: str) -> None:
        """Hold the page to WCAG in both schemes, wide and narrow, and take its pictures; nothing
        may need scrolling sideways, also where screens are narrowest (WCAG 2.2, 1.4.10)."""
        before = self.page.viewport_size
        assert before is not None
        for width in (before["width"], NARROW):
            self._resize(width, before["height"])
            for scheme in ("light", "dark"):
                self.page.emulate_media(color_scheme=scheme)
                self._check_rules(f"{name}, {scheme}, {width} px")
                if width != NARROW:
                    self._photograph(f"{name}-{scheme}")
            self.page.emulate_media(color_scheme="light")
            self._check_width(name)
        self._photograph(f"{name}-narrow")
        self._resize(NARROWEST, before["height"])
        self._check_width(name)
        self._resize(before["width"], before["height"])

    def _resize(self, width: int, height: int) -> None:
        self.page.set_viewport_size({"width": width, "height": height})

    def _check_rules(self, where: str) -> None:
        # The page's own policy forbids scripts of others; this one comes through the debugger.
        self.page.evaluate(f"() => {{ {AXE.read_text()} }}")
        found = self.page.evaluate(
            "(tags) => axe.run({runOnly: {type: 'tag', values: tags}})", WCAG
        )
        faults = [
            (fault["id"], [node["html"][:160] for node in fault["nodes"]])
            for fault in found["violations"]
        ]
        assert faults == [], where

    def _check_width(self, name: str) -> None:
        widths = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        shown, has = self.page.evaluate(widths)
        assert shown <= has, f"{name} is {shown} px wide where there are {has}"

    def _photograph(self, name: str) -> None:
        if PICTURES and name in PICTURED:
            self.page.evaluate("window.scrollTo(0, 0)")
            self.page.screenshot(path=str(Path(PICTURES) / f"{name}.png"))


@pytest.fixture
def visit(context: BrowserContext, site: Site) -> Visit:
    return Visit(context, site)


@pytest.fixture
def mine(site: Site, tmp_path: Path) -> Iterator[Site]:
    """A copy of the site to change; for pictures it lies where a team would have it."""
    folder = Path("/srv/photos") if PICTURES else tmp_path / "photos"
    yield site.copied(folder)
    shutil.rmtree(folder)


def test_a_branch_lives_its_whole_life_on_the_page(visit: Visit, site: Site, mine: Site) -> None:
    blueprint = mine.folder / "greenroom.yaml"
    blueprint.write_text(blueprint.read_text() + JOB)
    # Another test may have registered another blueprint's jobs for the stack.
    socket = httpx.HTTPTransport(uds=str(RUN / "daemon.sock"))
    with httpx.Client(transport=socket, base_url="http://greenroom", timeout=60) as daemon:
        answer = daemon.post("/v1/jobs/register", json={"blueprint": str(blueprint)})
        assert answer.status_code == 200, answer.text
    page = visit.page
    visit.examine("environments-before")

    # Create it, and watch it live.
    page.get_by_role("link", name="New environment").click()
    visit.open("/new?blueprint=")
    visit.examine("choose")
    page.get_by_label(re.compile("blueprint")).fill(str(blueprint))
    page.get_by_role("button", name="Go on").click()
    page.get_by_label("Branch", exact=True).fill("feature_page")
    page.get_by_label("How long").select_option("8h")
    visit.examine("create")
    page.get_by_role("button", name="Boot it").click()
    expect(page).to_have_url(re.compile("/operations/"))
    # Gone with the page: what comes from now on comes into the page that is open.
    page.evaluate("window.openedOnce = true")
    expect(page.locator(".bar").first).to_be_visible()
    if PICTURES:
        # The first moments show little; what is looked at by rules may be any of them.
        expect(page.locator(".lane").nth(1)).to_be_visible()
    visit.examine("booting")
    expect(page.get_by_role("heading", name="Up, and proved")).to_be_visible()
    assert page.evaluate("window.openedOnce")
    visit.examine("booted")

    # Open its URL.
    with page.context.expect_page() as opened:
        page.get_by_role("link", name=re.compile("^Open api.")).click()
    shown = opened.value
    shown.wait_for_load_state()
    assert "api.feature-page.photos.localhost" in shown.url
    assert shown.inner_text("body").strip() != ""
    shown.close()

    # Everything about it.
    page.get_by_role("link", name="See everything about it").click()
    expect(page.get_by_role("heading", name="Proved", exact=True)).to_be_visible()
    expect(page.locator(".drawing svg")).to_be_visible()
    expect(page.locator(".log li").first).to_be_attached()
    if PICTURES:
        flows = page.locator("section:has(> #flows)")
        flows.screenshot(path=str(Path(PICTURES) / "flows-light.png"))
    visit.examine("environment")

    # A job on it.
    page.get_by_role("link", name="Jobs").click()
    visit.examine("jobs")
    page.get_by_role("link", name="count-photos").click()
    page.get_by_label("environment").select_option("photos/feature-page")
    visit.examine("job")
    page.get_by_role("button", name="Run it").click()
    expect(page.get_by_role("heading", name=re.compile("count-photos .*succeeded"))).to_be_visible()
    expect(page.locator(".log")).to_contain_text("counting photos")
    expect(page.locator(".log")).to_contain_text("counted")
    visit.examine("execution")

    # A drill, and what it took.
    visit.open("/environments/photos/feature-page")
    page.get_by_text("Drill for an emergency").click()
    page.get_by_role("button", name="Restore from scratch").click()
    expect(page.get_by_role("heading", name="Drill succeeded")).to_be_visible()
    page.get_by_role("link", name="Drills").click()
    expect(page.locator(".plot svg")).to_be_visible()
    expect(page.locator(".plot .series circle").first).to_be_attached()
    expect(page.get_by_role("cell", name="photos/feature-page").first).to_be_visible()
    visit.examine("drills")

    # Everything else that can be looked at.
    for path in ("/inventory", "/tokens", "/environments/photos/nowhere", "/"):
        visit.open(path)
        visit.examine(path.split("/")[-1] or "environments")

    # Extend it, and destroy it.
    page.get_by_role("link", name="feature-page", exact=True).click()
    until = page.locator(".extend time").get_attribute("datetime")
    page.get_by_label("Keep it").select_option("3d")
    page.get_by_role("button", name="Extend").click()
    expect(page.locator(".extend time")).not_to_have_attribute("datetime", until or "")
    page.get_by_text("Destroy this environment").click()
    page.get_by_role("button", name="Destroy photos/feature-page").click()
    expect(page.get_by_role("heading", name="Gone, with nothing left over")).to_be_visible()
    visit.examine("destroyed")
    assert "photos/feature-page" not in [each["name"] for each in site.data("list")]

    # And find it all in the audit log.
    visit.open("/audit?on=photos/feature-page")
    for action in ("create", "extend", "destroy"):
        row = page.get_by_role("row").filter(has_text=f"{action} photos/feature-page")
        expect(row.first).to_be_visible()
    visit.examine("audit")
    visit.open("/audit?on=photos/count-photos")
    rows = page.get_by_role("row").filter(has_text="run-job photos/count-photos")
    # Accepted, and ended.
    expect(rows).to_have_count(2)
    assert visit.complaints == []


def test_the_page_is_left_by_keyboard_alone(visit: Visit) -> None:
    page = visit.page
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to content")
    expect(skip).to_be_focused()
    assert skip.bounding_box() is not None
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.get_by_role("button", name="Sign out").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    visit.examine("login")
    visit.open("/")
    expect(page).to_have_url(re.compile("/login"))


def test_a_branch_is_booted_by_keyboard_alone(visit: Visit, site: Site) -> None:
    page = visit.page
    tab_to(page.get_by_role("link", name="New environment"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=re.compile("^New environment"))).to_be_visible()
    visit.open("/new?blueprint=")
    tab_to(page.get_by_label(re.compile("blueprint", re.IGNORECASE)))
    page.keyboard.type(str(site.folder / "greenroom.yaml"))
    page.keyboard.press("Enter")
    expect(page.get_by_label("Branch", exact=True)).to_be_focused()
    page.keyboard.type("feature_keys")
    press_space_on_database(page)
    tab_to(page.get_by_label("How long"))
    page.keyboard.type("8 h")
    expect(page.get_by_label("How long")).to_have_value("8h")
    tab_to(page.get_by_role("button", name="Boot it"))
    page.keyboard.press("Enter")

    # Without its database the backend cannot be; what was said before is still there.
    expect(page.get_by_role("alert")).to_contain_text("E_NEEDS")
    visit.examine("create-refused")
    expect(page.get_by_label("Branch", exact=True)).to_have_value("feature_keys")
    expect(page.get_by_label("How long")).to_have_value("8h")
    press_space_on_database(page)
    tab_to(page.get_by_role("button", name="Boot it"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Up, and proved")).to_be_visible()

    tab_to(page.get_by_role("link", name="See everything about it"))
    page.keyboard.press("Enter")
    tab_to(page.get_by_role("button", name="Stop", exact=True))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Stop succeeded")).to_be_visible()
    tab_to(page.get_by_role("link", name="To the environment", exact=True))
    page.keyboard.press("Enter")
    expect(page.get_by_text("Proved before the stop")).to_be_visible()
    visit.examine("stopped")
    tab_to(page.locator("summary", has_text="Destroy this environment"))
    page.keyboard.press("Enter")
    tab_to(page.get_by_role("button", name="Destroy photos/feature-keys"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Gone, with nothing left over")).to_be_visible()
    assert visit.complaints == []


def press_space_on_database(page: Page) -> None:
    tick = page.get_by_role("checkbox", name=re.compile("^db "))
    was = tick.is_checked()
    tab_to(tick)
    page.keyboard.press("Space")
    expect(tick).to_be_checked(checked=not was)


def tab_to(target: Locator) -> None:
    """Press Tab until it has the focus, which must be seen wherever it goes."""
    page = target.page
    for _ in range(TABS_MAX):
        if target.evaluate("each => each === document.activeElement"):
            return
        page.keyboard.press("Tab")
        assert page.evaluate(FOCUS_SEEN), page.evaluate("document.activeElement.outerHTML")
    raise AssertionError(f"{TABS_MAX} times Tab do not lead to {target}")


def test_without_scripts_forms_and_pages_still_serve(browser: Browser, site: Site) -> None:
    context = browser.new_context(java_script_enabled=False)
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.goto(site.data("web", "--no-open")["url"])
    page.get_by_role("button", name=re.compile("Colours: auto")).click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.get_by_role("link", name="Tokens").click()
    page.get_by_label("Name").fill("no-script")
    page.get_by_role("button", name="Make it").click()
    expect(page.locator("code.token")).to_have_text(re.compile("^grt_"))
    page.goto(page.url)
    page.get_by_role("button", name="Revoke no-script").click()
    expect(page.get_by_role("row").filter(has_text="no-script")).to_contain_text("revoked")
    context.close()
