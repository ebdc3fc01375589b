"""Pictures of a run, as SVG: bars with quartiles, curves over many cells, the path of one cell."""

from __future__ import annotations

from itertools import pairwise
from math import ceil, floor, log10
from xml.sax.saxutils import escape

from farside.annotations import TYPE_CHECKING, Any
from farside.bench.figures import spread
from farside.bench.report import headings, number
from farside.bench.rows import TITLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from farside.bench.rows import Row

# Colours that differ in lightness too (Okabe and Ito).
_COLOURS = ("#0072b2", "#56b4e9", "#009e73", "#e69f00", "#d55e00", "#cc79a7", "#999999", "#f0e442")
_WIDTH, _LEFT, _RIGHT = 960, 370, 90
_BAR, _GAP, _TOP = 12, 14, 60
_FONT = 'font-family="sans-serif" font-size="11"'


def _colour(key: str) -> str:
    return _COLOURS[list(TITLES).index(key) % len(_COLOURS)]


def _text(x: float, y: float, text: str, anchor: str = "start", more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {more}>{escape(text)}</text>'


def _document(width: float, height: float, parts: Sequence[str]) -> str:
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}"'
            f' viewBox="0 0 {width:.0f} {height:.0f}" {_FONT}>',
            '<rect width="100%" height="100%" fill="white"/>',
            *parts,
            "</svg>\n",
        ]
    )


def _legend(keys: Sequence[str], x: float, y: float) -> Iterator[str]:
    for key in keys:
        yield f'<rect x="{x:.1f}" y="{y - 9:.1f}" width="10" height="10" fill="{_colour(key)}"/>'
        yield _text(x + 14, y, TITLES[key])
        x += 24 + 6.2 * len(TITLES[key])


class _Scale:
    """A logarithmic scale from a power of ten to another."""

    def __init__(self, values: Sequence[float], begin: float, end: float) -> None:
        positive = [value for value in values if value > 0] or [1.0]
        self.low = floor(log10(min(positive)))
        self.high = max(self.low + 1, ceil(log10(max(positive))))
        self._begin = begin
        self._length = end - begin

    def at(self, value: float) -> float:
        """Return where a value lies; what is not positive lies at the beginning."""
        if value <= 0:
            return self._begin
        return self._begin + self._length * (log10(value) - self.low) / (self.high - self.low)

    def ticks(self) -> list[float]:
        """Return the powers of ten."""
        return [10.0**power for power in range(self.low, self.high + 1)]


def bars(title: str, rows: Sequence[Row]) -> str:
    """Return rows of one unit as bars on a logarithmic scale: medians, with quartiles as lines."""
    keys = [key for key in headings(rows) if any(row.samples.get(key) for row in rows)]
    unit = rows[0].unit
    found = {
        (index, key): spread(row.samples[key])
        for index, row in enumerate(rows)
        for key in keys
        if row.samples.get(key)
    }
    values = [value for each in found.values() for value in (each.first, each.third)]
    scale = _Scale(values, _LEFT, _WIDTH - _RIGHT)
    parts = [_text(10, 20, f"{title}, {unit}", more='font-weight="bold"'), *_legend(keys, 10, 40)]
    y = float(_TOP)
    body: list[str] = []
    for index, row in enumerate(rows):
        body.append(_text(_LEFT - 8, y + _BAR, row.name, "end"))
        for key in keys:
            each = found.get((index, key))
            if each is None:
                continue
            end, middle = scale.at(each.median), y + _BAR / 2
            body.append(
                f'<rect x="{_LEFT}" y="{y:.1f}" width="{max(1.0, end - _LEFT):.1f}"'
                f' height="{_BAR - 2}" fill="{_colour(key)}"/>'
            )
            body.append(
                f'<line x1="{scale.at(each.first):.1f}" x2="{scale.at(each.third):.1f}"'
                f' y1="{middle - 1:.1f}" y2="{middle - 1:.1f}" stroke="black"/>'
            )
            right = max(end, scale.at(each.third))
            body.append(_text(right + 4, y + _BAR - 3, number(each.median)))
            y += _BAR
        y += _GAP
    for tick in scale.ticks():
        x = scale.at(tick)
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP - 4}" y2="{y:.1f}" stroke="#ddd"/>'
        )
        parts.append(_text(x, y + 12, f"{tick:g}", "middle"))
    return _document(_WIDTH, y + 24, parts + body)


def curves(title: str, unit: str, points: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """Return curves over the number of cells, both axes logarithmic.

    Args:
        title: of the picture.
        unit: of the values.
        points: by column, (cells, value) in order.
    """
    height, bottom = 420.0, 380.0
    across = _Scale([x for each in points.values() for x, _ in each], 70, _WIDTH - 30)
    up = _Scale([y for each in points.values() for _, y in each], bottom, _TOP)
    parts = [_text(10, 20, f"{title}, {unit}", more='font-weight="bold"')]
    parts += _legend(list(points), 10, 40)
    for tick in across.ticks():
        x = across.at(tick)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{bottom}" stroke="#ddd"/>')
        parts.append(_text(x, bottom + 14, f"{tick:,.0f} cells", "middle"))
    for tick in up.ticks():
        y = up.at(tick)
        parts.append(f'<line x1="70" x2="{_WIDTH - 30}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
        parts.append(_text(64, y + 4, f"{tick:g}", "end"))
    for key, each in points.items():
        places = [(across.at(x), up.at(y)) for x, y in each]
        for (x1, y1), (x2, y2) in pairwise(places):
            parts.append(
                f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
                f' stroke="{_colour(key)}" stroke-width="2"/>'
            )
        parts += [
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{_colour(key)}"/>' for x, y in places
        ]
    return _document(_WIDTH, height, parts)


def flame(title: str, events: Sequence[Mapping[str, Any]]) -> str:
    """Return the path of one cell: spans below those that hold them, a lane for each process.

    Args:
        title: of the picture.
        events: of a trace: the names of the processes, and the spans of one cell.
    """
    names = {each["pid"]: each["args"]["name"] for each in events if each["name"] == "process_name"}
    spans = [each for each in events if each["ph"] == "X"]
    begin = min(each["ts"] for each in spans)
    end = max(each["ts"] + each["dur"] for each in spans)
    width, left, step = 1100.0, 20.0, 20.0
    per_micro = (width - 2 * left) / (end - begin)
    y = float(_TOP)
    parts = [_text(10, 20, f"{title}: {end - begin:,.0f} µs", more='font-weight="bold"')]
    for colour, (pid, name) in zip(_COLOURS, names.items(), strict=False):
        own = sorted((s for s in spans if s["pid"] == pid), key=lambda s: (s["ts"], -s["dur"]))
        if not own:
            continue
        parts.append(_text(left, y - 5, name))
        open_until: list[float] = []
        deepest = 0
        for each in own:
            # Half a microsecond is what rounding may take from a span that holds another.
            while open_until and open_until[-1] <= each["ts"] + 0.5:
                open_until.pop()
            depth = len(open_until)
            deepest = max(deepest, depth)
            open_until.append(each["ts"] + each["dur"])
            x = left + (each["ts"] - begin) * per_micro
            size = max(0.5, each["dur"] * per_micro)
            top = y + depth * step
            what = f"{each['name']}: {each['dur']:,.0f} µs"
            parts.append(
                f'<g><title>{escape(what)}</title><rect x="{x:.1f}" y="{top:.1f}"'
                f' width="{size:.1f}" height="{step - 2}" fill="{colour}" fill-opacity="0.6"'
                ' stroke="white" stroke-width="0.5"/>'
            )
            if size > 6.2 * len(what):
                parts.append(_text(x + 3, top + 13, what))
            elif size > 6.2 * len(each["name"]):
                parts.append(_text(x + 3, top + 13, each["name"]))
            parts.append("</g>")
        y += (deepest + 1) * step + 24
    return _document(width, y, parts)
