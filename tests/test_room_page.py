"""The reading room as people use it: a real page in Chromium."""

import pathlib
import shutil
import socket
import threading
import time

import pytest
import uvicorn

from cmr_jax.search.room import app
from cmr_jax.search.room.audit import Audit
from cmr_jax.search.room.guard import Rules

playwright = pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.usefixtures("hasty")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
EVIL = "<img src=x onerror=\"document.title='harmed'\"><script>document.title='harmed'</script>"


@pytest.fixture(scope="module")
def address(exams):
    """The room on a free port; one impression holds markup."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    room = app.build(exams, Rules(frozenset({f"127.0.0.1:{port}"})), Audit(None))
    server = uvicorn.Server(uvicorn.Config(room, port=port, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}/"
    server.should_exit = True
    thread.join(10)


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here: it drives the real page")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(params=[1280, 390])
def page(request, browser, address):
    page = browser.new_page(viewport={"width": request.param, "height": 844})
    said: list[str] = []
    page.on("console", lambda m: said.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(address)
    page.wait_for_selector("#examples button")
    yield page
    width = page.evaluate("document.documentElement.scrollWidth")
    page.close()
    assert said == []
    assert width <= request.param  # nothing hangs out sideways


def until(page, expression: str) -> None:
    """Polls: the page's own policy forbids what `wait_for_function` does."""
    end = time.monotonic() + 30
    while not page.evaluate(expression):
        assert time.monotonic() < end, expression
        page.wait_for_timeout(50)


def search(page, words: str) -> None:
    page.fill("#words", words)
    page.keyboard.press("Enter")
    page.wait_for_selector(".hit img")


def test_words_find_exams_and_filters_narrow_them(page):
    search(page, "dilated left ventricle")
    assert "LV dilation" in page.text_content("#status")
    many = page.locator(".hit").count()
    assert many > 5
    page.click("#filters summary")
    kinds = page.locator("#has optgroup").evaluate_all("all => all.map(x => x.label)")
    assert kinds == ["a view", "a kind", "both"]
    page.select_option("#sex", "F")
    until(page, f"document.querySelectorAll('.hit').length < {many}")
    women = page.locator(".hit").all_text_contents()
    assert women
    assert all("F, " in text for text in women)
    page.go_back()
    until(page, f"document.querySelectorAll('.hit').length === {many}")
    assert page.input_value("#sex") == ""


def test_what_was_not_understood_and_what_nobody_has_is_said(page, address):
    search(page, "something odd with LGE")
    told = page.text_content("#status")
    assert "Understood: late enhancement. By likeness to the words alone: something odd." in told
    page.click("#filters summary")
    page.select_option("#sex", "F")
    until(page, "document.querySelector('#filters summary').textContent === 'Filters (1)'")
    page.locator("a.open").first.click()
    page.wait_for_selector("canvas[data-phase]")
    page.click("text=Back to the search")
    page.wait_for_selector(".hit img")
    assert page.input_value("#sex") == "F"
    page.goto(f"{address}#/?words=LGE&age_from=90")
    until(page, "document.getElementById('status').textContent.includes('loosen')")
    assert page.locator("#filters").get_attribute("open") is not None


def test_a_late_answer_does_not_replace_a_newer_one(page, address):
    """The first search is held back until the second was answered."""
    held = []
    page.route("**/api/search", lambda route: held.append(route) if not held else route.continue_())
    page.goto(f"{address}#/?words=LGE")
    while not held:
        page.wait_for_timeout(20)
    page.goto(f"{address}#/?words=LGE&age_from=90")
    until(page, "document.getElementById('status').textContent.includes('loosen')")
    held[0].continue_()
    page.wait_for_timeout(1500)
    assert "loosen" in page.text_content("#status")
    assert page.locator(".hit").count() == 0


def test_hearts_move(page):
    search(page, "LGE")
    until(page, "document.querySelector('.hit img').naturalWidth > 100")
    first = page.locator(".hit img").first
    seen = set()
    for _ in range(6):
        seen.add(first.screenshot())
        page.wait_for_timeout(150)
    assert len(seen) > 1


def test_an_exam_plays_stops_and_is_scrubbed_by_keys(page):
    search(page, "LGE")
    page.locator("a.open").first.click()
    page.wait_for_selector("canvas[data-phase]")
    phases = "[...document.querySelectorAll('canvas')].map(c => c.dataset.phase).join()"
    before = page.evaluate(phases)
    until(page, f"{phases} !== '{before}'")
    page.keyboard.press("Space")
    page.wait_for_timeout(200)
    assert page.text_content("#play") == "Play"
    still = page.evaluate(phases)
    page.wait_for_timeout(300)
    assert page.evaluate(phases) == still
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    assert page.evaluate(phases) != still
    shown = "document.querySelector('canvas').dataset.slice"
    before = page.evaluate(shown)
    page.keyboard.press("ArrowUp")
    until(page, f"{shown} === '{int(before) + 1}'")
    assert f"slice {int(before) + 2} of" in page.locator("figcaption").first.text_content()
    dark = "document.querySelector('canvas').toDataURL()"
    drawn = page.evaluate(dark)
    page.keyboard.press("=")
    assert page.evaluate(dark) != drawn
    assert page.locator("tbody tr").count() > 10
    page.keyboard.press("Escape")
    page.wait_for_selector(".hit img")


def test_evidence_is_marked(page):
    search(page, "dilated left ventricle")
    page.locator("a.open").first.click()
    page.wait_for_selector("canvas[data-phase]")
    page.get_by_role("button", name="Mark evidence").click()
    until(page, "document.querySelector('section p[role=status]').textContent.length > 40")
    marked = page.locator("figure.carries").count()
    assert marked == min(marked, 3)
    assert (page.locator(".marks button").count() > 0) == (marked > 0)


def test_two_exams_beat_side_by_side(page):
    search(page, "LGE")
    for i in (0, 1):
        page.get_by_role("button", name="Compare").nth(i).click()
    page.wait_for_selector(".both section:nth-child(2) canvas[data-phase]")
    assert page.locator("h1").count() == 2


def test_the_keyboard_alone_is_enough(page):
    page.keyboard.press("/")
    page.keyboard.type("LGE")
    page.keyboard.press("Enter")
    page.wait_for_selector(".hit img")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    page.wait_for_selector("canvas[data-phase]")
    assert page.evaluate("document.activeElement.tagName") == "H1"


def test_markup_in_an_impression_is_text(page, exams, monkeypatch):
    honest = exams.tell

    def evil(exam_id):
        return honest(exam_id) | {"impression": EVIL, "vendor": EVIL}

    monkeypatch.setattr(exams, "tell", evil)
    page.goto(f"{page.url.split('#')[0]}#/exam/{exams.index.ids()[0]}")
    page.wait_for_selector("canvas[data-phase]")
    assert EVIL in page.locator(".panel p").all_text_contents()
    assert page.title() != "harmed"
    assert page.locator("article img[src=x]").count() == 0


def test_that_it_is_research_is_always_seen(page, exams):
    page.goto(f"{page.url.split('#')[0]}#/exam/{exams.index.ids()[0]}")
    page.wait_for_selector("canvas[data-phase]")
    page.mouse.wheel(0, 5000)
    page.wait_for_timeout(200)
    box = page.locator(".only").bounding_box()
    assert 0 <= box["y"] < 844


def test_readers_of_screens_find_no_serious_fault(page):
    import axe_playwright_python.sync_playwright as axe

    # Read by the browser itself: the page's own policy lets no foreign script in.
    script = pathlib.Path(axe.__file__).with_name("axe.min.js").read_text()

    def faults() -> list[str]:
        page.evaluate(script)
        found = page.evaluate("axe.run()")["violations"]
        return [f"{v['id']}: {v['help']}" for v in found if v["impact"] in ("serious", "critical")]

    assert faults() == []
    search(page, "dilated left ventricle")
    assert faults() == []
    page.locator("a.open").first.click()
    page.wait_for_selector("canvas[data-phase]")
    assert faults() == []
