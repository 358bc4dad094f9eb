"""The page at `/`: it offers the jobs of the demo, and sends requests only to the service."""

import asyncio
import base64
import hashlib
import json
import re
from functools import cache

import pytest

from ngramspec import Guard
from ngramspec.pico.demo_inputs import demo_inputs
from ngramspec.serve.text.chats import PICO_TEMPLATE
from tests.serve.serving import Reply, pico, serving


@cache
def page() -> Reply:
    async def ask() -> Reply:
        async with serving(api_keys={"ada": "a key"}) as client:
            return await client.ask("/")

    return asyncio.run(ask())


@cache
def text() -> str:
    return b"".join(page().pieces).decode()


def jobs() -> dict[str, dict[str, object]]:
    found = re.search(r'<script type="application/json" id="demo">(.*?)</script>', text())
    assert found is not None
    return {job["name"]: job for job in json.loads(found.group(1))}


def test_the_page_needs_no_key() -> None:
    assert (200, "text/html; charset=utf-8") == (page().status, page().headers["content-type"])


def test_the_page_names_no_other_address() -> None:
    assert [] == re.findall(r"(?:https?:)?//[a-z][^\s\"']*", text())
    assert {"data:,"} == set(re.findall(r"(?:src|href|action)=\"([^\"]*)\"", text()))
    assert {"v1/models", "v1/chat/completions", "metrics"} == set(re.findall(r'fetch\("([^"]*)"', text()))


@pytest.mark.parametrize("tag", ["script", "style"])
def test_a_browser_runs_the_pages_own_script_and_style_and_no_other(tag: str) -> None:
    [content] = re.findall(rf"<{tag}>(.*?)</{tag}>", text(), re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
    assert f"{tag}-src 'sha256-{digest}';" in page().headers["content-security-policy"]
    assert page().headers["content-security-policy"].startswith("default-src 'none'; connect-src 'self';")
    assert [] == re.findall(r"\son[a-z]+=|\sstyle=", text())


def test_the_jobs_are_those_of_the_demo() -> None:
    template = pico()[1]
    prompts = {
        name: template.apply_chat_template(
            [{"role": "user", "content": job["prompt"]}], chat_template=PICO_TEMPLATE, tokenize=False
        ).removeprefix("<s>")
        for name, job in jobs().items()
    }
    assert {each.name: each.prompt for each in demo_inputs()} == prompts


def test_the_schema_of_the_extraction_fits_its_right_answer() -> None:
    [expected] = [each.expected for each in demo_inputs() if each.name == "extract"]
    assert Guard.json_schema(jobs()["extract"]["schema"], pico()[1]).accepts(expected)
    assert {None} == {jobs()[name]["schema"] for name in ("edit", "rewrite")}
