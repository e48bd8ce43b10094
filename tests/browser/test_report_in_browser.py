"""The report page in a real browser: it renders, sorts and filters, loads nothing, and keeps nobody out."""

from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import page_of
from result_folders import HOSTILE, Folder

WIDE, NARROW = {"width": 1280, "height": 800}, {"width": 400, "height": 800}
#: Contrast is that of the colours in use, so each scheme is looked at.
SCHEMES = ("light", "dark")


@contextmanager
def opened(browser, path: Path, size=WIDE, **options):
    """The page, and a list of what went wrong: errors of the console, and requests for anything but the file."""
    context = browser.new_context(viewport=size, **options)
    page, wrong = context.new_page(), []
    page.on("console", lambda message: wrong.append(message.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith(("data:", path.as_uri()))
            else wrong.append(f"asked for {request.url}")
        ),
    )
    page.goto(path.as_uri())
    yield page, wrong
    context.close()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_it_renders_within_its_width_and_asks_for_nothing(browser, report, size, scheme):
    with opened(browser, report, size, color_scheme=scheme) as (page, wrong):
        assert page.locator("h1").is_visible()
        assert page.locator("#answer svg").is_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        dark = (
            page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
        )
        assert dark == (scheme == "dark")
        # A sentence of the answer is on the first screen.
        assert page.locator(".lead p").first.bounding_box()["y"] < size["height"] / 2
        assert wrong == []


def test_the_figure_is_on_the_first_screen(browser, report):
    with opened(browser, report) as (page, _):
        box = page.locator("#answer svg").bounding_box()
        assert box["y"] + box["height"] <= WIDE["height"]


def test_a_click_on_a_heading_sorts_by_numbers_and_a_second_one_turns_the_order(browser, report):
    with opened(browser, report) as (page, wrong):
        table = page.locator("#results table").first
        column = table.locator("th").all_inner_texts().index("accuracy")
        cells = table.locator(f"tbody tr td:nth-child({column + 1})")
        heading = table.locator("th").nth(column)
        heading.locator("button").click()
        up = cells.all_inner_texts()
        assert [text.split()[0] for text in up] == ["60.00", "71.00", "79.00", "91.00", "92.00"]
        assert heading.get_attribute("aria-sort") == "ascending"
        heading.locator("button").press("Enter")
        assert cells.all_inner_texts() == up[::-1]
        assert heading.get_attribute("aria-sort") == "descending"
        assert wrong == []


def test_cells_without_a_number_come_last(browser, report):
    with opened(browser, report) as (page, _):
        table = page.locator("#results table").first
        column = table.locator("th").all_inner_texts().index("reported")
        cells = table.locator(f"tbody tr td:nth-child({column + 1})")
        for _ in range(2):
            table.locator("th button").nth(column).click()
            assert cells.all_inner_texts() == ["97.90", "–", "–", "–", "–"]


def test_a_table_is_filtered_by_all_words(browser, tmp_path):
    folder = Folder(tmp_path).write()
    with (tmp_path / "leakage/compared.csv").open("a", encoding="utf-8") as table:
        table.writelines(f"cells,train,9,cells,part{n},{n},true,0,0,0,0,0\n" for n in range(8))
    with opened(browser, page_of(folder)) as (page, wrong):
        box = page.locator("div.table[data-filter]")
        shown = box.locator("tbody tr:visible")
        assert shown.count() == 8
        box.locator("input").fill("TRAIN part3")
        assert shown.count() == 1
        assert box.locator("output").inner_text() == "1 of 8"
        box.locator("input").fill("")
        assert shown.count() == 8
        assert wrong == []


def test_it_can_be_read_without_a_script(browser, report):
    with opened(browser, report, java_script_enabled=False) as (page, _):
        assert page.locator("th button").count() == 0
        assert page.locator("#results table").first.is_visible()
        page.locator("#models summary").first.click()
        assert page.locator("#models table").first.is_visible()


def test_a_hostile_name_stays_text(browser, tmp_path):
    with opened(browser, page_of(Folder(tmp_path, ["10"], name=HOSTILE).write())) as (page, wrong):
        assert page.title() == f"Few labels: {HOSTILE}"
        assert page.locator("img").count() == 0
        assert HOSTILE in page.locator("#confusion").inner_text()
        assert HOSTILE in page.locator("#classes svg").first.text_content()
        assert wrong == []


def test_all_of_it_is_printed_within_a4(browser, report):
    with opened(browser, report) as (page, _):
        assert page.pdf(format="A4").startswith(b"%PDF")
        page.emulate_media(media="print")
        page.set_viewport_size({"width": 688, "height": 1000})  # 182 mm between the margins
        assert page.evaluate("document.documentElement.scrollWidth") <= 688
        assert not page.locator("nav").is_visible()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_axe_finds_nothing_serious(browser, report, axe, size, scheme):
    # The page's own policy lets no other script in.
    options = {"color_scheme": scheme, "bypass_csp": True}
    with opened(browser, report, size, **options) as (page, _):
        for part in page.locator("details").all():
            part.evaluate("part => { part.open = true; }")
        page.evaluate(axe)
        found = page.evaluate("axe.run()")["violations"]
        told = [
            f"{one['id']}: {one['nodes'][0]['html'][:200]} ({len(one['nodes'])})"
            for one in found
            if one["impact"] in ("serious", "critical")
        ]
        assert told == []
