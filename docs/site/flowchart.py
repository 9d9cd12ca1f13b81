"""The flow charts of the pages as SVG, so that the site needs no script of others: the part of Mermaid that they use.

Nodes `name["text"]`, also round `(["text"])` and stores `[("text")]`, and edges `-->` or, back against the flow,
`-.->`, with a text as in `-->|"text"|`. Anything else is an error.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from typing import Any

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

NODE = r"""(\w+)(?:(\(\[|\[\(|\[)"([^"]*)"(?:\]\)|\)\]|\]))?"""
LINE = re.compile(rf"""\s*{NODE}(?:\s*(-->|-\.->)(?:\|"([^"]*)"\|)?\s*{NODE})?\s*$""")
LETTER, ROW, PAD, GAP, STEP = 7.4, 18, 12, 26, 62
WIDEST = 5
"""The most layers that stand side by side; more stand below one another."""


@dataclass(eq=False)
class Node:
    """A box: its lines of text, its layer, and the middle of it."""

    text: list[str]
    round: bool
    layer: int = 0
    x: float = 0
    y: float = 0

    @property
    def width(self) -> float:
        return LETTER * max(map(len, self.text)) + 2 * PAD

    @property
    def height(self) -> float:
        return ROW * len(self.text) + PAD


@dataclass(frozen=True)
class Edge:
    """An arrow from one box to another; one that leads back counts in no layer."""

    start: str
    end: str
    text: list[str]
    back: bool


@dataclass(eq=False)
class Chart:
    """A chart as it is read."""

    boxes: dict[str, Node] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)


def read(text: str) -> Chart:
    """Read a chart, or raise `ValueError` with the line that is none."""
    head, *lines = [line for line in text.splitlines() if line.strip()]
    if head.strip() != "flowchart LR":
        raise ValueError(f"a chart begins with `flowchart LR`, not {head.strip()!r}")
    chart = Chart()
    for line in lines:
        found = LINE.match(line)
        if not found:
            raise ValueError(f"not a node or an edge: {line.strip()!r}")
        start, *first, arrow, said, end = found.group(1, 2, 3, 4, 5, 6)
        _add(chart, start, *first)
        if arrow:
            _add(chart, end, *found.group(7, 8))
            chart.edges.append(Edge(start, end, (said or "").split("<br>"), arrow == "-.->"))
    return chart


def _add(chart: Chart, name: str, shape: str | None, text: str | None) -> None:
    if text is not None or name not in chart.boxes:
        chart.boxes[name] = Node((text or name).split("<br>"), shape in ("([", "[("))


def draw(chart: Chart) -> str:
    """The chart as SVG."""
    layers = _layers(chart)
    across = len(layers) <= WIDEST
    _place(layers, across)
    boxes = chart.boxes.values()
    shapes = [_arrow(chart, edge, across) for edge in chart.edges] + [_box(box) for box in boxes]
    right = max(box.x + box.width / 2 for box in boxes) + (0 if across else 24 + LETTER * 16)
    low = max(box.y + box.height / 2 for box in boxes) + (60 if across else 0)
    return (
        f'<svg viewBox="-4 -4 {right + 8:.0f} {low + 8:.0f}" width="{right + 8:.0f}" role="img" '
        'xmlns="http://www.w3.org/2000/svg" font-size="13" fill="currentColor">'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        f'<path d="M0 0L8 4L0 8z"/></marker></defs>{"".join(shapes)}</svg>'
    )


def _layers(chart: Chart) -> list[list[Node]]:
    """The boxes by layer: one behind all that lead to it; where nothing does, just before what it leads to."""
    forward = [(chart.boxes[edge.start], chart.boxes[edge.end]) for edge in chart.edges if not edge.back]
    for _ in chart.boxes:
        for start, end in forward:
            end.layer = max(end.layer, start.layer + 1)
    for box in chart.boxes.values():
        if all(end is not box for _, end in forward):
            box.layer = min((end.layer for start, end in forward if start is box), default=1) - 1
    layers: list[list[Node]] = [[] for _ in range(max(box.layer for box in chart.boxes.values()) + 1)]
    for box in chart.boxes.values():
        layers[box.layer].append(box)
    return layers


def _place(layers: list[list[Node]], across: bool) -> None:
    """Give each box its middle; layers stand side by side, or below one another."""
    spans = [sum((box.height if across else box.width) + GAP for box in layer) - GAP for layer in layers]
    along = 0.0
    for layer, span in zip(layers, spans, strict=True):
        thick = max(box.width if across else box.height for box in layer)
        beside = (max(spans) - span) / 2
        for box in layer:
            length = box.height if across else box.width
            middle = along + thick / 2, beside + length / 2
            box.x, box.y = middle if across else middle[::-1]
            beside += length + GAP
        along += thick + (STEP if across else STEP * 0.85)


def _box(box: Node) -> str:
    left, top = box.x - box.width / 2, box.y - box.height / 2
    first = box.y - ROW * (len(box.text) - 1) / 2 + 4.5
    lines = [
        f'<text x="{box.x:.1f}" y="{first + ROW * i:.1f}" class="line{i}">{html.escape(line)}</text>'
        for i, line in enumerate(box.text)
    ]
    corner = box.height / 2 if box.round else 5
    return (
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" rx="{corner:.1f}" '
        f'class="box"/>{"".join(lines)}'
    )


def _arrow(chart: Chart, edge: Edge, across: bool) -> str:
    start, end = chart.boxes[edge.start], chart.boxes[edge.end]
    if edge.back:
        path, x, y = _around(chart, edge, across)
    elif across:
        x0, x1 = start.x + start.width / 2, end.x - end.width / 2 - 2
        x, y = (x0 + x1) / 2, (start.y + end.y) / 2
        path = f"M{x0:.1f} {start.y:.1f}C{x:.1f} {start.y:.1f} {x:.1f} {end.y:.1f} {x1:.1f} {end.y:.1f}"
    else:
        y0, y1 = start.y + start.height / 2, end.y - end.height / 2 - 2
        bend = (y0 + y1) / 2
        path = f"M{start.x:.1f} {y0:.1f}C{start.x:.1f} {bend:.1f} {end.x:.1f} {bend:.1f} {end.x:.1f} {y1:.1f}"
        x, y = start.x, y0 + 16
    words = "" if edge.text == [""] else _words(edge.text, x, y, across)
    return f'<path d="{path}" class="{"back" if edge.back else "edge"}" marker-end="url(#tip)"/>{words}'


def _around(chart: Chart, edge: Edge, across: bool) -> tuple[str, float, float]:
    """The way back, below the boxes or at their right, and where its text stands."""
    start, end = chart.boxes[edge.start], chart.boxes[edge.end]
    if across:
        y0, y1 = start.y + start.height / 2, end.y + end.height / 2 + 2
        low = max(y0, y1) + 50
        path = f"M{start.x:.1f} {y0:.1f}C{start.x:.1f} {low:.1f} {end.x:.1f} {low:.1f} {end.x:.1f} {y1:.1f}"
        return path, (start.x + end.x) / 2, low + 4
    x0, x1 = start.x + start.width / 2, end.x + end.width / 2 + 2
    far = max(box.x + box.width / 2 for box in chart.boxes.values()) + 24
    path = (
        f"M{x0:.1f} {start.y:.1f}H{far - 12:.1f}Q{far:.1f} {start.y:.1f} {far:.1f} {start.y - 12:.1f}"
        f"V{end.y + 12:.1f}Q{far:.1f} {end.y:.1f} {far - 12:.1f} {end.y:.1f}H{x1:.1f}"
    )
    return path, far, (start.y + end.y) / 2


def _words(text: list[str], x: float, y: float, middle: bool) -> str:
    place = 'text-anchor="middle"' if middle else 'dx="9"'
    return "".join(
        f'<text x="{x:.1f}" y="{y + 14 * i - 2:.1f}" class="said" font-size="11.5" {place}>{html.escape(line)}</text>'
        for i, line in enumerate(text)
    )


class Flowchart(SphinxDirective):
    """A chart as a picture."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """The picture."""
        drawn = draw(read("\n".join(self.content)))
        return [nodes.raw("", f'<figure class="flowchart">{drawn}</figure>', format="html")]


def add_to(app: Any) -> None:
    """Add the directive to Sphinx."""
    app.add_directive("mermaid", Flowchart)
