"""Links in the README, CONTRIBUTING.md and docs/ have targets, on GitHub and on the site (`make docs`)."""

import re
import tomllib
import unicodedata
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from markdown_it import MarkdownIt  # comes with rich

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
SITE = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))["project"]


def named(pages: list[Path]) -> list[Any]:
    return [pytest.param(page, id=page.relative_to(ROOT).as_posix()) for page in pages]


@cache
def parsed(page: Path) -> list[Any]:
    return MarkdownIt().enable("table").parse(page.read_text(encoding="utf-8"))


def links(page: Path) -> Iterator[str]:
    """Targets within the repository, of links and images."""
    for block in parsed(page):
        for token in block.children or ():
            target = token.attrGet("href") or token.attrGet("src")
            if target and not re.match(r"[a-z]+:", target):
                yield unquote(target)


def slug_on_github(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def slug_on_the_site(heading: str) -> str:
    plain = unicodedata.normalize("NFKD", heading).encode("ascii", "ignore").decode()
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", plain).strip().lower())


@cache
def anchors(page: Path) -> set[str]:
    """Of the headings that have the same anchor on GitHub and on the site."""
    headings = [content for opened, content in pairwise(parsed(page)) if opened.type == "heading_open"]
    texts = ["".join(child.content for child in heading.children) for heading in headings]
    return {slug_on_github(text) for text in texts} & {slug_on_the_site(text) for text in texts}


def mentioned(nav: list[Any]) -> Iterator[str]:
    for entry in nav:
        for target in entry.values():
            yield from [target] if isinstance(target, str) else mentioned(target)


def dead_links(page: Path) -> list[str]:
    dead = []
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        is_page = target.suffix == ".md" and target.is_file()
        if not target.exists() or (anchor and not (is_page and anchor in anchors(target))):
            dead.append(link)
    return dead


@pytest.mark.parametrize("page", named(PAGES))
def test_each_relative_link_and_anchor_leads_somewhere(page: Path) -> None:
    assert [] == dead_links(page)


@pytest.mark.parametrize("page", named([page for page in PAGES if page.is_relative_to(DOCS)]))
def test_a_page_links_to_what_the_site_has(page: Path) -> None:
    targets = {link: (page.parent / link.partition("#")[0]).resolve() for link in links(page)}
    assert [] == [link for link, target in targets.items() if not target.is_relative_to(DOCS)]


def test_a_dead_link_and_a_dead_anchor_are_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    text = "[a](#a-heading) [b](#another) ![c](none.svg) `[d](none.md)`\n\n| [e](page.md#b) |\n|---|\n"
    page.write_text(f"# A heading\n\n{text}")
    assert ["#another", "none.svg", "page.md#b"] == dead_links(page)


def test_the_navigation_of_the_site_has_each_page_once_and_no_other() -> None:
    pages = [page.relative_to(DOCS).as_posix() for page in PAGES if page.is_relative_to(DOCS)]
    assert sorted(pages) == sorted(mentioned(SITE["nav"]))
