"""The parts of an answer: reasoning, text and function calls."""

from collections.abc import Iterable
from dataclasses import dataclass

OPENING, CLOSING = "<think>", "</think>"
"""The markers around reasoning that models of DeepSeek, Qwen and others write."""


@dataclass(frozen=True, slots=True)
class Reasoning:
    """Further reasoning."""

    text: str


@dataclass(frozen=True, slots=True)
class Content:
    """Further text."""

    text: str


@dataclass(frozen=True, slots=True)
class CallBegun:
    """A function call, whose arguments follow. index: its number in the answer."""

    index: int
    name: str


@dataclass(frozen=True, slots=True)
class CallArguments:
    """Further characters of the arguments of a call."""

    index: int
    text: str


Part = Reasoning | Content | CallBegun | CallArguments


def joined(parts: Iterable[Part]) -> list[Part]:
    """The same parts, with adjacent ones of one kind merged."""
    found: list[Part] = []
    for part in parts:
        match found[-1] if found else None, part:
            case (Content(before), Content(text)):
                found[-1] = Content(before + text)
            case (Reasoning(before), Reasoning(text)):
                found[-1] = Reasoning(before + text)
            case (CallArguments(index, before), CallArguments(same, text)) if index == same:
                found[-1] = CallArguments(index, before + text)
            case _:
                found.append(part)
    return found
