"""One tenant's text is not drafted for another; and requests without a key are refused."""

import asyncio
import contextlib
import hmac
from typing import Any

import pytest

from ngramspec import FixedBudget, Speculator
from ngramspec.pico import repeat_prompt
from ngramspec.serve.app import keys
from ngramspec.serve.endpoints.prepared_request import Tenant
from ngramspec.serve.wire.errors import ApiError
from tests.serve.serving import NAME, Reply, generated, serving, text_of

KEYS = {"ada": "key of ada", "ben": "key of ben"}
PROMPT = repeat_prompt("The answer is in the history of its own tenant, and of its own segment.")
EXPECTED = text_of(generated(PROMPT, max_new_tokens=60))


def headers(key: str | None) -> dict[str, str]:
    return {} if key is None else {"Authorization": f"Bearer {key}"}


def asked(*requests: tuple[str | None, dict[str, Any]], **settings: Any) -> list[Reply]:
    async def ask() -> list[Reply]:
        async with serving(spec=Speculator(budget=FixedBudget(10)), **settings) as client:
            return [
                await client.ask(
                    "/v1/completions",
                    {"model": NAME, "prompt": PROMPT, "max_tokens": 60, **fields},
                    headers=headers(key),
                )
                for key, fields in requests
            ]

    return asyncio.run(ask())


def acceptance(reply: Reply) -> dict[str, Any]:
    """How drafts did, of a text that is the right one."""
    assert EXPECTED == reply.json["choices"][0]["text"]
    found: dict[str, Any] = reply.json["metrics"]["speculative_decoding"]
    return found


SEGMENT = {"metadata": {"segment": "s"}}


def test_a_later_request_of_a_segment_drafts_from_its_answers() -> None:
    first, second, other = map(
        acceptance, asked((None, SEGMENT), (None, SEGMENT), (None, {"metadata": {"segment": "t"}}))
    )
    assert second["mean_acceptance_length"] > first["mean_acceptance_length"]
    assert first == other


@pytest.mark.parametrize(
    ("one", "another"),
    [
        ((None, {"cache_salt": "a"}), (None, {"cache_salt": "b"})),
        ((None, {"cache_salt": "a"}), (None, {})),
        (("key of ada", {}), ("key of ben", {})),
        (("key of ada", {"cache_salt": "a"}), ("key of ada", {"cache_salt": "b"})),
        (("key of ada", {"cache_salt": "a"}), ("key of ada", {})),
        (("key of ada", {"cache_salt": "a"}), ("key of ben", {"cache_salt": "a"})),
    ],
)
def test_no_history_crosses_a_tenant_or_a_salt(one: Any, another: Any) -> None:
    keys = {} if one[0] is None else KEYS
    requests = [(key, {**fields, **SEGMENT}) for key, fields in (one, another, another)]
    first, other, own = map(acceptance, asked(*requests, api_keys=keys))
    assert first == other
    assert own["mean_acceptance_length"] > other["mean_acceptance_length"]


def test_the_beginning_of_a_prompt_is_read_once_for_a_tenant_and_no_other() -> None:
    requests: list[tuple[str | None, dict[str, Any]]] = [
        (key, {}) for key in ("key of ada", "key of ben", "key of ada")
    ]
    reply = [each.json["usage"] for each in asked(*requests, api_keys=KEYS)]
    num_prompt = reply[0]["prompt_tokens"]
    assert [0, 0, num_prompt - 1] == [usage["prompt_tokens_details"]["cached_tokens"] for usage in reply]


def test_no_two_tenants_and_salts_have_one_salt_together() -> None:
    names = ["a", "1:a", "a1", "", "11:a"]
    salts = [None, "", "a", "1:a", "1"]
    made = [Tenant(name).salt(salt) for name in names for salt in salts if salt != ""]
    assert len(made) == len(set(made))
    assert (None, "a") == (Tenant().salt(None), Tenant().salt("a"))


@pytest.mark.parametrize("key", [None, "", "key of eve", "key of ad", "key of ada "])
def test_a_request_without_a_key_is_a_401(key: str | None) -> None:
    reply = asked((key, {}), api_keys=KEYS)[0]
    if key == "key of ada ":  # a header has no blanks at its end
        assert 200 == reply.status
        return
    assert (401, "invalid_api_key", "Bearer") == (reply.status, reply.error["code"], reply.headers["www-authenticate"])


@pytest.mark.parametrize(
    ("path", "key", "status"),
    [
        ("/health", None, 200),
        ("/v1/models", None, 401),
        ("/v1/models", "key of ada", 200),
        ("/metrics", None, 401),
        ("/metrics", "key of ada", 403),
        ("/metrics", "key of the operator", 200),
    ],
)
def test_who_has_no_key_is_told_whether_it_lives_and_metrics_are_the_operators(
    path: str, key: str | None, status: int
) -> None:
    async def ask() -> Reply:
        async with serving(api_keys=KEYS | {"operator": "key of the operator"}) as client:
            return await client.ask(path, headers=headers(key))

    assert status == asyncio.run(ask()).status


def test_another_scheme_is_no_key() -> None:
    async def ask() -> Reply:
        async with serving(api_keys=KEYS) as client:
            return await client.ask("/v1/models", headers={"Authorization": "Basic key of ada"})

    assert 401 == asyncio.run(ask()).status


@pytest.mark.parametrize("origins", [(), ("https://example.org",)])
def test_other_web_pages_may_call_only_if_they_are_allowed(origins: tuple[str, ...]) -> None:
    async def ask() -> Reply:
        async with serving(allow_origins=origins) as client:
            return await client.ask("/v1/models", headers={"Origin": "https://example.org"})

    assert (origins[0] if origins else None) == asyncio.run(ask()).headers.get("access-control-allow-origin")


@pytest.mark.parametrize("given", ["", "sk-1", "sk-100", "sk-300", "sk-1000000", "\xff"])
def test_each_key_is_compared_whole_whatever_is_given(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a function that takes the same time for all texts of one length, and digests have one."""
    compared: list[tuple[int, int]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return hmac.compare_digest(one, other)

    monkeypatch.setattr(keys, "compare_digest", compare)
    known = {"ada": "sk-100", "ben": "sk-200", "eve": "sk-300"}
    with contextlib.suppress(ApiError):
        assert known[keys.Keys(known).tenant(f"Bearer {given}").name or ""] == given
    assert [(32, 32)] * 3 == compared
