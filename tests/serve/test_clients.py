"""Many clients, some of which disconnect: nothing is decoded for a client that has gone, and none waits forever."""

import asyncio
import copy
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
from transformers import LogitsProcessor

from ngramspec import Guard, ModelEngine, RefusedError
from ngramspec.decoding import Plan, Reading
from ngramspec.hf.target.ragged import RaggedTarget
from ngramspec.pico import repeat_prompt
from ngramspec.serve.app.clients import EventStream
from ngramspec.serve.endpoints.completion import CompletionEndpoint
from tests.serve.serving import Client, Reply, generated, pico, serving, text_of

PROMPT = repeat_prompt("One client goes,\nand another one stays until the end.")
EXPECTED = text_of(generated(PROMPT, max_new_tokens=100))


PATIENCE = 120
"""Seconds until something counts as hanging; nobody waits that long."""


async def nothing_is_left(client: Client) -> None:
    """All commands so far are obeyed once a later request has been answered: then no row and no answer is left."""
    reply = await client.complete(PROMPT, max_tokens=100)
    assert EXPECTED == reply.json["choices"][0]["text"]
    engine = client.service.engine.engine
    assert engine is not None
    assert (0, 0, 0) == (engine.num_running, engine.num_waiting, client.service.admission.num_open)
    assert engine.is_idle


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("goes_after", [0, 1, 3])
def test_the_rows_of_clients_that_go_are_free(stream: bool, goes_after: int) -> None:
    async def go() -> list[Reply]:
        async with serving(max_rows=4, max_waiting=100) as client:
            asked: Any = {"max_tokens": 100, "n": 2, "speculate": False}  # or samples would be complete in a few pieces
            reply = await asyncio.gather(
                *(client.complete(PROMPT, stream=stream, goes_after=goes_after, **asked) for _ in range(20))
            )
            await nothing_is_left(client)
            return reply

    for reply in asyncio.run(go()):
        assert not any(b"[DONE]" in piece for piece in reply.pieces)


def test_a_row_ends_with_the_step_in_which_its_client_goes() -> None:
    """The client goes with its first token. The fifth step lasts until it has, so there is no sixth one of its row."""

    async def go() -> int:
        async with serving() as client:
            service, has_gone, count = client.service, threading.Event(), 0
            engine, drop = service.engine.engine, service.engine.drop
            assert engine is not None
            step = engine.step

            def drops(jobs: Any) -> None:
                drop(jobs)
                has_gone.set()

            def waits() -> Any:
                nonlocal count
                count += 1
                assert count != 5 or has_gone.wait(PATIENCE)
                return step()

            engine.step, service.engine.drop = waits, drops  # type: ignore[method-assign]
            fields = {"ignore_eos": True, "speculate": False, "metadata": {"segment": "gone"}}
            reply = await client.complete(PROMPT, max_tokens=900, stream=True, goes_after=1, **fields)
            assert 200 == reply.status
            await nothing_is_left(client)
            return engine.spec.stats.segments["gone"].tokens

    assert 1 <= asyncio.run(go()) <= 5


def test_requests_above_the_bound_are_told_when_to_come_again() -> None:
    async def go() -> list[Reply]:
        async with serving(max_rows=1, max_waiting=3) as client:
            reply = await asyncio.gather(*(client.complete(PROMPT, max_tokens=100) for _ in range(6)))
            await nothing_is_left(client)
            return reply

    reply = asyncio.run(go())
    assert [200] * 4 + [429] * 2 == [each.status for each in reply]
    assert ("1", "rate_limit_exceeded", "rate_limit_error") == (
        reply[-1].headers["retry-after"],
        reply[-1].error["code"],
        reply[-1].error["type"],
    )


@dataclass
class SlowCompile:
    """Guards that are compiled only when a test lets them be."""

    monkeypatch: pytest.MonkeyPatch
    has_begun: threading.Event = field(default_factory=threading.Event)
    may_end: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        choice = Guard.choice

        def slow(*arguments: Any, **options: Any) -> Guard:
            self.has_begun.set()
            assert self.may_end.wait(PATIENCE)
            return choice(*arguments, **options)

        self.monkeypatch.setattr(Guard, "choice", slow)

    async def begun(self) -> None:
        await asyncio.to_thread(self.has_begun.wait, PATIENCE)


SLOW: Any = {"structured_outputs": {"choice": ["yes", "no"]}}


def test_others_do_not_wait_for_forms_that_take_long_to_compile(monkeypatch: pytest.MonkeyPatch) -> None:
    compiling = SlowCompile(monkeypatch)

    async def go() -> list[Reply]:
        async with serving() as client:
            slow = [asyncio.create_task(client.complete(PROMPT, **SLOW)) for _ in range(20)]
            await compiling.begun()
            others = [
                await client.complete(PROMPT, max_tokens=100),
                await client.complete(PROMPT, structured_outputs={"regex": "a+b"}),
            ]
            assert not any(task.done() for task in slow)
            compiling.may_end.set()
            return [*others, *await asyncio.gather(*slow)]

    free, regex, *slow = asyncio.run(go())
    assert EXPECTED == free.json["choices"][0]["text"]
    assert 200 == regex.status
    assert {"yes", "no"} >= {reply.json["choices"][0]["text"] for reply in slow}


def test_others_do_not_wait_while_long_texts_are_tokenised(monkeypatch: pytest.MonkeyPatch) -> None:
    prompts, may_end = CompletionEndpoint.prompts, threading.Event()

    def slow(endpoint: CompletionEndpoint, request: Any, served: Any) -> Any:
        assert len(request.prompt) < 1000 or may_end.wait(PATIENCE)
        return prompts(endpoint, request, served)

    monkeypatch.setattr(CompletionEndpoint, "prompts", slow)

    async def go() -> tuple[Reply, list[Reply]]:
        async with serving() as client:
            long = [asyncio.create_task(client.complete("a" * (1 << 17))) for _ in range(20)]
            async with asyncio.timeout(PATIENCE):
                while client.service.admission.num_open < len(long):
                    await asyncio.sleep(0)
            other = await client.complete(PROMPT, max_tokens=100)
            assert not any(task.done() for task in long)
            may_end.set()
            return other, await asyncio.gather(*long)

    other, long = asyncio.run(go())
    assert EXPECTED == other.json["choices"][0]["text"]
    assert {"context_length_exceeded"} == {reply.error["code"] for reply in long}


def test_who_goes_while_a_form_is_compiled_keeps_a_seat_until_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    compiling = SlowCompile(monkeypatch)

    async def go() -> list[int]:
        async with serving(max_rows=1, max_waiting=0) as client:
            gone = asyncio.Event()
            slow = asyncio.create_task(client.complete(PROMPT, **SLOW, goes_after=gone))
            await compiling.begun()
            gone.set()
            assert 499 == (await slow).status
            statuses = [(await client.complete(PROMPT, max_tokens=5)).status]
            compiling.may_end.set()
            async with asyncio.timeout(PATIENCE):
                while client.service.admission.num_open:
                    await asyncio.sleep(0.001)
            return [*statuses, (await client.complete(PROMPT, max_tokens=5)).status]

    assert [429, 200] == asyncio.run(go())


class Clock:
    """Says what a test has set."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_is_not_complete_in_time_ends_with_an_error(stream: bool) -> None:
    clock = Clock()

    async def go() -> Reply:
        async with serving(clock=clock, max_seconds=5) as client:
            engine = client.service.engine.engine
            assert engine is not None
            step, count = engine.step, 0

            def slow() -> Any:
                nonlocal count
                count += 1
                clock.now = 6.0 if count == 4 else clock.now
                return step()

            engine.step = slow  # type: ignore[method-assign]
            reply = await client.complete(PROMPT, max_tokens=100, stream=stream, speculate=False)
            clock.now = 0.0
            await nothing_is_left(client)
            return reply

    reply = asyncio.run(go())
    message = "an answer must be complete within max_seconds=5"
    if stream:
        assert 200 == reply.status
        assert message in reply.pieces[-2].decode()
        assert not any(b"[DONE]" in piece for piece in reply.pieces)
    else:
        assert (504, "timeout") == (reply.status, reply.error["code"])
        assert message in reply.error["message"]


class Failing(LogitsProcessor):
    """Fails at its third token."""

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        if input_ids.shape[1] > 5:
            raise RuntimeError("a defect")
        return scores


def test_a_failing_pass_ends_the_requests_in_it_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    read, count = RaggedTarget.read, 0

    def fails(self: RaggedTarget, plans: Sequence[Plan]) -> Reading:
        nonlocal count
        count += 1
        if count == 4:
            raise RuntimeError("a defect")
        return read(self, plans)

    plainly: Any = {"max_tokens": 100, "speculate": False}  # in many passes

    async def go() -> list[Reply]:
        async with serving(max_rows=1) as client:
            monkeypatch.setattr(RaggedTarget, "read", fails)
            reply = await asyncio.gather(*(client.complete(PROMPT, **plainly) for _ in range(3)))
            await nothing_is_left(client)
            return [*reply]

    reply = sorted(asyncio.run(go()), key=lambda each: each.status)
    assert [200, 200, 500] == [each.status for each in reply]
    assert [EXPECTED] * 2 == [each.json["choices"][0]["text"] for each in reply[:2]]
    assert "the model has failed: ask again" == reply[2].error["message"]


def test_what_fails_beside_a_pass_ends_all_requests_and_no_later_one(monkeypatch: pytest.MonkeyPatch) -> None:
    step, count = ModelEngine.step, 0

    def fails(self: ModelEngine) -> Any:
        nonlocal count
        count += 1
        if count == 3:
            raise RuntimeError("a defect")
        return step(self)

    async def go() -> tuple[Reply, Reply]:
        async with serving() as client:
            monkeypatch.setattr(ModelEngine, "step", fails)
            failed = await client.complete(PROMPT, max_tokens=100, speculate=False)
            await nothing_is_left(client)
            return failed, await client.complete(PROMPT, max_tokens=100)

    failed, later = asyncio.run(go())
    assert (500, "the model has failed: ask again") == (failed.status, failed.error["message"])
    assert EXPECTED == later.json["choices"][0]["text"]


@pytest.mark.parametrize("is_idle", [False, True])
def test_a_device_that_is_lost_ends_the_service(monkeypatch: pytest.MonkeyPatch, is_idle: bool) -> None:
    model, tokenizer = pico()
    lost, read = copy.deepcopy(model), RaggedTarget.read

    def loses(self: RaggedTarget, plans: Sequence[Plan]) -> Reading:
        lost.to("meta")  # which has no numbers
        return read(self, plans)

    async def go() -> tuple[Reply, BaseException | None, Reply, Reply]:
        async with serving(lambda: (lost, tokenizer)) as client:
            if is_idle:
                lost.to("meta")
            else:
                monkeypatch.setattr(RaggedTarget, "read", loses)
            reply = await client.complete(PROMPT)
            async with asyncio.timeout(PATIENCE):
                error = await client.service.ended()
            return reply, error, await client.complete(PROMPT), await client.ask("/health")

    reply, error, later, health = asyncio.run(go())
    assert (500 if is_idle else 503) == reply.status
    assert isinstance(error, Exception)
    assert (503, "the service is about to end: ask again") == (later.status, later.error["message"])
    assert (500, "dead") == (health.status, health.error["code"])


def test_a_failing_processor_ends_its_own_request_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ngramspec.serve.endpoints.sampling.Penalties", lambda *_: Failing())

    async def go() -> list[Reply]:
        async with serving() as client:
            return [
                *await asyncio.gather(
                    client.complete(PROMPT, max_tokens=100, presence_penalty=1),
                    client.complete(PROMPT, max_tokens=100),
                )
            ]

    failed, fine = asyncio.run(go())
    assert (500, "the answer could not be completed") == (failed.status, failed.error["message"])
    assert EXPECTED == fine.json["choices"][0]["text"]


def test_a_service_that_ends_tells_those_that_wait() -> None:
    async def go() -> list[Reply]:
        async with serving() as client:
            waiting = asyncio.create_task(client.complete(PROMPT, max_tokens=900, ignore_eos=True, speculate=False))
            async with asyncio.timeout(PATIENCE):
                while not client.service.admission.num_open:
                    await asyncio.sleep(0)
            await client.service.stop()
            return [await waiting, await client.complete(PROMPT)]

    for reply in asyncio.run(go()):
        assert (503, "the service is about to end: ask again", "1") == (
            reply.status,
            reply.error["message"],
            reply.headers["retry-after"],
        )


def test_while_the_model_is_loaded_the_service_is_alive_and_not_ready() -> None:
    async def go() -> tuple[list[Reply], Reply]:
        loop, may_end = asyncio.get_running_loop(), asyncio.Event()

        def load() -> Any:
            asyncio.run_coroutine_threadsafe(may_end.wait(), loop).result()
            return pico()

        async with serving(load, waits=False) as client:
            early = [await client.ask(path) for path in ("/health", "/v1/models", "/metrics")]
            early.append(await client.complete(PROMPT))
            may_end.set()
            await client.service.ready()
            return early, await client.ask("/v1/models")

    early, late = asyncio.run(go())
    assert [200, 503, 200, 503] == [reply.status for reply in early]
    assert "the model is being loaded: ask again" == early[1].error["message"]
    assert 200 == late.status


def test_a_model_that_cannot_be_loaded_is_said_and_the_service_is_dead() -> None:
    def load() -> Any:
        raise OSError("no such model")

    async def go() -> Reply:
        async with serving(load, waits=False) as client:
            with pytest.raises(OSError, match="no such model"):
                await client.service.ready()
            return await client.ask("/health")

    reply = asyncio.run(go())
    assert (500, "dead") == (reply.status, reply.error["code"])


def test_a_model_that_the_engine_cannot_decode_is_refused_at_the_start() -> None:
    def load() -> Any:
        model, tokenizer = pico()
        hooked = copy.deepcopy(model)
        hooked.register_forward_hook(lambda *_: None)
        return hooked, tokenizer

    async def go() -> None:
        async with serving(load, waits=False) as client:
            await client.service.ready()

    with pytest.raises(RefusedError, match="an engine mixes rows of many requests in a pass"):
        asyncio.run(go())


@pytest.mark.parametrize("num_sent", [0, 1, 2])
def test_a_server_may_say_by_an_error_that_nobody_reads(num_sent: int) -> None:
    async def go() -> tuple[int, bool]:
        sent, has_ended = 0, False

        async def events() -> AsyncIterator[str]:
            for number in range(5):
                yield str(number)

        async def receive() -> Any:
            await asyncio.Event().wait()

        async def send(message: Any) -> None:
            nonlocal sent
            if sent > num_sent:
                raise OSError("gone")
            sent += 1

        def end() -> None:
            nonlocal has_ended
            has_ended = True

        ending = ExitStack()
        ending.callback(end)
        await EventStream(events(), ending, PATIENCE)({"type": "http"}, receive, send)
        return sent, has_ended

    assert (num_sent + 1, True) == asyncio.run(go())


def test_a_client_that_does_not_read_loses_its_seat() -> None:
    async def go() -> bool:
        has_ended = False

        async def events() -> AsyncIterator[str]:
            yield "one"

        async def never(message: Any = None) -> Any:
            await asyncio.Event().wait()

        def end() -> None:
            nonlocal has_ended
            has_ended = True

        ending = ExitStack()
        ending.callback(end)
        await EventStream(events(), ending, max_seconds=0.01)({"type": "http"}, never, never)
        return has_ended

    assert asyncio.run(go())


def test_a_body_that_does_not_come_is_a_408() -> None:
    async def go() -> Reply:
        async with serving(max_seconds=0.01) as client:
            return await client.ask("/v1/completions", b"{", is_complete=False)

    reply = asyncio.run(go())
    assert (408, "a body must come within max_seconds=0.01: send it faster") == (reply.status, reply.error["message"])


def test_a_client_that_goes_before_the_end_of_its_body_is_no_defect() -> None:
    async def go() -> Reply:
        async with serving() as client:
            return await client.ask("/v1/completions", b"{", is_complete=False, goes_after=0)

    assert 499 == asyncio.run(go()).status
