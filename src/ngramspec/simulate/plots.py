"""Plots as SVG text, in the colours of the page around them."""

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

WIDTH, HEIGHT = 480, 300
LEFT, RIGHT, TOP, BOTTOM = 62, 14, 14, 46
NUM_TICKS = 4


class Line(NamedTuple):
    """A line of a plot: its name, the class that colours it, and its points by x."""

    name: str
    style: str
    points: Sequence[tuple[float, float]]


class Axis(NamedTuple):
    """An axis: what it shows, its ends, and the values that are written beside it."""

    name: str
    low: float
    high: float
    ticks: Sequence[float]
    is_logarithmic: bool = False

    def share(self, value: float) -> float:
        """The relative position of a value between the ends, from 0 to 1."""
        low, high = self.low, self.high
        if self.is_logarithmic:
            value, low, high = (math.log(each) for each in (value, low, high))
        return (value - low) / (high - low) if high > low else 0.5


def nice_axis(name: str, most: float) -> Axis:
    """An axis from 0 to a round number that is at least `most`."""
    if most <= 0.0:
        return Axis(name, 0.0, 1.0, (0.0, 1.0))
    power = 10.0 ** math.floor(math.log10(most / NUM_TICKS))
    step = next(factor * power for factor in (1.0, 2.0, 2.5, 5.0, 10.0, 20.0) if factor * power * NUM_TICKS >= most)
    return Axis(name, 0.0, step * NUM_TICKS, [step * tick for tick in range(NUM_TICKS + 1)])


def line_plot(x: Axis, y: Axis, lines: Sequence[Line], title: str) -> str:
    """Lines over `x`, each with a dot at each point; title: read out by screen readers."""
    drawn = []
    for line in lines:
        points = [(_across(x, left), _up(y, top)) for left, top in line.points]
        path = " ".join(f"{left:.1f},{top:.1f}" for left, top in points)
        dots = "".join(f'<circle class="{line.style}" cx="{left:.1f}" cy="{top:.1f}" r="4"/>' for left, top in points)
        drawn.append(f'<polyline class="{line.style}" points="{path}"/>{dots}')
    return _framed(x, y, "".join(drawn), title)


def bar_plot(x: Axis, y: Axis, heights: Sequence[float], title: str) -> str:
    """A bar for each of `heights`, at 1, 2, … of `x`."""
    width = (WIDTH - LEFT - RIGHT) / max(len(heights), 1)
    bars = []
    for index, height in enumerate(heights):
        top = _up(y, height)
        bars.append(
            f'<rect class="on" x="{LEFT + index * width:.1f}" y="{top:.1f}" width="{max(width - 2, 1):.1f}"'
            f' height="{HEIGHT - BOTTOM - top:.1f}"/>'
        )
    return _framed(x, y, "".join(bars), title)


def _across(x: Axis, value: float) -> float:
    return LEFT + x.share(value) * (WIDTH - LEFT - RIGHT)


def _up(y: Axis, value: float) -> float:
    return HEIGHT - BOTTOM - y.share(value) * (HEIGHT - TOP - BOTTOM)


def _framed(x: Axis, y: Axis, drawn: str, title: str) -> str:
    marks = []
    for tick in y.ticks:
        top = _up(y, tick)
        marks.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{top:.1f}" y2="{top:.1f}"/>'
            f'<text x="{LEFT - 7}" y="{top + 5:.1f}" text-anchor="end">{tick:g}</text>'
        )
    for tick in x.ticks:
        marks.append(
            f'<text x="{_across(x, tick):.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{tick:g}</text>'
        )
    middle = (LEFT + WIDTH - RIGHT) / 2
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
        f'{"".join(marks)}{drawn}<text x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">{escape(x.name)}</text></svg>'
    )
