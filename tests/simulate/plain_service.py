"""A slow, obvious simulator without drafts: rows are two numbers, and passes are counted explicitly."""

from collections.abc import Sequence
from dataclasses import dataclass

from ngramspec.decoding import Shape
from ngramspec.simulate import Arrivals, Machine


@dataclass(slots=True)
class Plain:
    """A request: tokens of its prompt that are not read, tokens that are, tokens to be written and written."""

    unread: int
    cached: int
    length: int
    arrival: float
    written: int = 0
    first: float = 0.0
    end: float = 0.0


def plain_times(sizes: Sequence[tuple[int, int]], machine: Machine, arrivals: Arrivals) -> list[Plain]:
    """Arrival, first token and end of requests with so many tokens of prompt and output; each has one of output."""
    seconds, now = machine.passes.seconds, 0.0
    found: dict[int, Plain] = {}
    running: list[Plain] = []
    while len(found) < len(sizes) or running:
        while len(running) < machine.max_rows and arrivals.next_time() <= now:
            time, request = arrivals.take()
            prompt, length = sizes[request]
            found[request] = Plain(max(prompt, 1), 0, length, time)
            running.append(found[request])
        if not running:
            now = arrivals.next_time()
            continue
        writing = [each for each in running if each.written]
        reading = [each for each in running if not each.written][:1]
        for each in reading:
            part = min(each.unread, machine.max_prompt_tokens) if writing else each.unread
            now += seconds(Shape(1, part, part, each.cached))
            each.unread, each.cached = each.unread - part, each.cached + part
            each.written = int(each.unread == 0)
        if writing:
            now += seconds(Shape(len(writing), 1, len(writing), max(each.cached for each in writing)))
            for each in writing:
                each.written, each.cached = each.written + 1, each.cached + 1
        for each in running:
            each.first = each.first or (now if each.written else 0.0)
        for each in [each for each in running if each.written == each.length]:
            each.end = now
            running.remove(each)
            arrivals.ended(now)
    return [found[request] for request in range(len(sizes))]
