"""The report of a simulation as one page of HTML, which loads nothing else."""

from collections.abc import Callable, Iterable, Sequence
from html import escape

from ngramspec.printing import on_one_line
from ngramspec.simulate.drafting import Reliability
from ngramspec.simulate.figures import Figures
from ngramspec.simulate.plots import Axis, Line, bar_plot, line_plot, nice_axis
from ngramspec.simulate.simulation import LoadResult, Pair, Simulation
from ngramspec.simulate.verdict import Verdict
from ngramspec.stats import Counters

_STYLE = """
:root{--back:#fff;--text:#1b1f24;--dim:#5b6470;--line:#d9dee4;--card:#f5f7f9;--on:#0b7a4b;--off:#8a5a00;--bad:#b3261e}
@media (prefers-color-scheme:dark){:root{--back:#14171a;--text:#e7eaee;--dim:#a0a9b4;--line:#333a42;--card:#1d2126;
--on:#4fd19a;--off:#e0a33e;--bad:#ff8a80}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1060px;padding:20px 16px 60px;background:var(--back);color:var(--text);
font:16px/1.5 system-ui,sans-serif}
h1{font-size:1.5rem;margin:.2em 0}h2{font-size:1.15rem;margin:2em 0 .5em}p{margin:.4em 0}
.dim{color:var(--dim)}.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));gap:16px}
figure{margin:0;background:var(--card);border-radius:8px;padding:12px}figcaption{font-weight:600}
svg{width:100%;height:auto;display:block}svg text{fill:var(--dim);font-size:15px}
svg .grid{stroke:var(--line)}svg polyline{fill:none;stroke-width:2.5}
polyline.on{stroke:var(--on)}circle.on,rect.on{fill:var(--on)}polyline.off{stroke:var(--off)}circle.off{fill:var(--off)}
polyline.p95{stroke-dasharray:6 5}polyline.ideal{stroke:var(--dim);stroke-dasharray:2 5}circle.ideal{fill:none}
.key{color:var(--dim);font-size:.9rem}.key b.on{color:var(--on)}.key b.off{color:var(--off)}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,300px),1fr));gap:12px}
.card{background:var(--card);border-radius:8px;padding:10px 14px;border-left:4px solid var(--dim);
overflow-wrap:anywhere}
.card.on{border-color:var(--on)}.card.off{border-color:var(--bad)}.card h3{margin:.1em 0;font-size:1rem}
.wide{overflow-x:auto;margin-top:14px}table{font-size:.9rem;border-collapse:collapse;font-variant-numeric:tabular-nums;width:100%}
th,td{padding:5px 6px;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}
th{font-weight:600;color:var(--dim)}td:first-child,th:first-child{text-align:left}
"""

COLUMNS = (
    "p50",
    "p95",
    "p99",
    "first token",
    "per token",
    "tokens/s",
    "tokens per pass",
    "acceptance",
    "wasted",
    "host",
)

UNKNOWN = "-"
"""Shown for a figure that was not measured, and for a time of zero."""


def page(simulation: Simulation, about: Sequence[str], title: str = "Speculation at your load") -> str:
    """The page; about: sentences that say what was simulated or measured."""
    parts = [
        f"<h1>{_text(title)}</h1>",
        *(f'<p class="dim">{_text(line)}</p>' for line in about),
        "<h2>Verdict</h2>",
        f'<div class="cards">{_card("all requests", simulation.total)}'
        f"{''.join(_card(name, each) for name, each in simulation.segments.items())}</div>",
        "<h2>All requests</h2>",
        f'<div class="plots">{"".join(_plots(simulation))}</div>',
        _table(simulation.unit, [(result.load, result.total) for result in simulation.results]),
        *_formulas(simulation),
    ]
    for name in simulation.segments:
        pairs = [(result.load, result.segments[name]) for result in simulation.results]
        parts += [f"<h2>{_text(name)}</h2>", _table(simulation.unit, pairs)]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content='
        f'"light dark"><title>{_text(title)}</title><style>{_STYLE}</style></head><body>'
        f"{''.join(parts)}</body></html>\n"
    )


def _text(shown: str) -> str:
    return escape(on_one_line(shown))


def _card(name: str, verdict: Verdict) -> str:
    advice = verdict.advice.value
    what, _, more = _text(verdict.words).partition(". ")
    return f'<div class="card {advice}"><h3>{_text(name)}</h3><p><b>{what}.</b> {more}</p></div>'


def _plots(simulation: Simulation) -> Iterable[str]:
    results = simulation.results
    key = '<p class="key"><b class="on">with drafts</b>, <b class="off">plain</b>; p50 drawn through, p95 dashed</p>'
    latency = _by_load(simulation, "latency in seconds", lambda figures: figures.latency_s.p50,
                       lambda figures: figures.latency_s.p95)  # fmt: skip
    yield _figure("Latency", latency + key)
    rates = _by_load(simulation, "tokens per second", lambda figures: figures.tokens_per_second)
    yield _figure("Throughput", rates + '<p class="key"><b class="on">with drafts</b>, <b class="off">plain</b></p>')
    lightest = results[0]
    yield _figure(f"Accepted, by position of the draft, at {_load(simulation, lightest)}", _positions(lightest))
    if lightest.reliability is not None:
        at = _load(simulation, lightest)
        yield _figure(f"Survival, predicted and observed, at {at}", _reliability(lightest.reliability))
    if simulation.segments:
        yield _figure(f"Gain by segment, at {_load(simulation, lightest)}", _gains(lightest))


def _load(simulation: Simulation, result: LoadResult) -> str:
    return f"{result.load:g} {simulation.unit}"


def _figure(caption: str, content: str) -> str:
    return f"<figure><figcaption>{_text(caption)}</figcaption>{content}</figure>"


def _by_load(simulation: Simulation, name: str, *of: Callable[[Figures], float]) -> str:
    results = simulation.results
    loads = [result.load for result in results]
    x = Axis(simulation.unit, loads[0], loads[-1], loads, is_logarithmic=True)
    lines = []
    for number, value in enumerate(of):
        for arm in ("off", "on"):
            points = [(result.load, value(getattr(result.total, arm))) for result in results]
            lines.append(Line(arm, f"{arm} p95" if number else arm, points))
    y = nice_axis(name, max(top for line in lines for _, top in line.points))
    return f'<p class="key">{escape(name)}</p>{line_plot(x, y, lines, f"{name} by load")}'


def _positions(result: LoadResult) -> str:
    shares = result.total.on.acceptance_by_position
    ticks = sorted({1, *range(5, len(shares) + 1, max(5, len(shares) // 25 * 5))}) if shares else []
    x = Axis("token of the draft", 0.5, len(shares) + 0.5, ticks)
    drafts = '<p class="key">share of the drafts whose token there was accepted</p>'
    return drafts + bar_plot(x, nice_axis("", max(shares, default=0.0)), shares, "acceptance by position")


def _formulas(simulation: Simulation) -> list[str]:
    found = [(result, result.formula) for result in simulation.results if result.formula is not None]
    heading = ["<h2>The formula of the field</h2>"] if found else []
    return heading + [f"<p>{_text(f'{_load(simulation, result)}: {formula}')}</p>" for result, formula in found]


def _reliability(reliability: Reliability) -> str:
    tenths = reliability.as_dicts()
    fifths = [each / 5 for each in range(6)]
    axis = Axis("predicted", 0.0, 1.0, fifths)
    lines = [
        Line("ideal", "ideal", [(0.0, 0.0), (1.0, 1.0)]),
        Line("found", "on", [(each["predicted"], each["accepted"]) for each in tenths]),
    ]
    key = '<p class="key">accepted share of the tokens of each tenth; on the dotted line predictions are right</p>'
    return key + line_plot(axis, Axis("", 0.0, 1.0, fifths), lines, "reliability")


def _gains(result: LoadResult) -> str:
    pairs = sorted(result.segments.items(), key=lambda named: -named[1].gain.ratio)
    rows = "".join(
        f"<tr><td>{_text(name)}</td><td>{pair.on.requests}</td><td>{pair.gain.ratio:.2f}</td>"
        f"<td>{pair.gain.low:.2f} to {pair.gain.high:.2f}</td></tr>"
        for name, pair in pairs
    )
    return (
        '<div class="wide"><table><tr><th>segment</th><th>requests</th><th>gain</th><th>95 %</th></tr>'
        f"{rows}</table></div>"
    )


def _table(unit: str, pairs: Sequence[tuple[float, Pair]]) -> str:
    heads = "".join(f"<th>{escape(name)}</th>" for name in (unit, *COLUMNS))
    rows = "".join(
        f"<tr><td>{load:g}, {_text(words)}</td>{''.join(f'<td>{cell}</td>' for cell in cells(figures))}</tr>"
        for load, pair in pairs
        for words, figures in (("with drafts", pair.on), ("plain", pair.off), *pair.others.items())
    )
    return f'<div class="wide"><table><tr>{heads}</tr>{rows}</table></div>'


def cells(figures: Figures) -> list[str]:
    """The figures of an arm in the order of COLUMNS, each with its unit."""
    counters = figures.counters
    return [
        seconds(figures.latency_s.p50),
        seconds(figures.latency_s.p95),
        seconds(figures.latency_s.p99),
        _known(figures.first_token_s.p50),
        _known(figures.per_token_s.p50),
        f"{figures.tokens_per_second:.0f}",
        *_drafts(counters),
        _known(figures.host_seconds),
    ]


def _drafts(counters: Counters) -> list[str]:
    """Tokens per pass, acceptance and wasted tokens, where passes were counted."""
    if not counters.target_passes:
        return [UNKNOWN] * 3
    wasted = counters.num_draft_tokens - counters.num_accepted_tokens
    return [f"{counters.tokens_per_pass:.2f}", f"{counters.acceptance_rate:.2f}", f"{wasted}"]


def _known(value: float) -> str:
    return seconds(value) if value else UNKNOWN


def seconds(value: float) -> str:
    """A time in three digits, with its unit."""
    for factor, unit in ((1.0, "s"), (1e3, "ms")):
        if value * factor >= 1.0:
            return f"{value * factor:.3g} {unit}" if value * factor < 1000 else f"{value * factor:.0f} {unit}"
    return f"{value * 1e6:.3g} µs" if value else "0"
