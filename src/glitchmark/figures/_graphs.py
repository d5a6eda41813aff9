"""Directed graphs without cycles, drawn in layers, as Sugiyama et al., IEEE Trans. SMC 1981, lay them out."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path

from glitchmark.figures._style import PAGE, WIDTH

Graph = dict[str, set[str]]  # a node and what it reads
STEP, WIDE = 0.62, 1.2  # inches, from layer to layer and from box to box
BOX = (0.95, 0.34)  # inches, width and height
PASSING = 0.3  # of a box's place, what an edge takes that passes a layer


def without_shortcuts(upstream: Graph, order: list[str]) -> Graph:
    """The transitive reduction: the edges that no longer path replaces. order: topological."""
    above: Graph = {}  # all that a node depends on
    for node in order:
        above[node] = upstream[node].union(*(above[read] for read in upstream[node]))
    return {node: reads.difference(*(above[read] for read in reads)) for node, reads in upstream.items()}


def draw_layers(order: list[str], upstream: Graph, notes: dict[str, str]) -> Figure:
    """Boxes named like the nodes, in layers from the top, with arrows from what each reads, around other boxes.

    order: topological. notes: a second line in each box.
    """
    depth = _depths(order, upstream)
    nodes, edges, paths = _with_passing(order, upstream, depth)
    layers = [[node for node in nodes if nodes[node] == level] for level in range(max(depth.values()) + 1)]
    place, widest = _places(layers, edges, set(order))
    width = float(np.clip(WIDE * widest, WIDTH, PAGE))
    slot = width / widest  # inches
    wide, tall = min(BOX[0], 0.94 * slot) / slot, BOX[1] / STEP
    figure = Figure(figsize=(width, STEP * len(layers)))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-widest / 2, widest / 2), ylim=(len(layers) - 0.5, -0.5))
    axes.set_axis_off()
    for path in paths:
        points = [(place[path[0]], depth[path[0]] + tall / 2)]
        for passed in path[1:-1]:  # straight down, past the boxes of the layer
            points += [(place[passed], nodes[passed] - tall / 2), (place[passed], nodes[passed] + tall / 2)]
        points.append((place[path[-1]], depth[path[-1]] - tall / 2))
        axes.add_patch(FancyArrowPatch(path=Path(points), arrowstyle="-|>", mutation_scale=7, color="0.35", lw=0.8))
    for node in order:
        corner = (place[node] - wide / 2, depth[node] - tall / 2)
        axes.add_patch(FancyBboxPatch(corner, wide, tall, boxstyle="square,pad=0", fc="#E8F1F8", ec="#0072B2", lw=0.8))
        axes.text(place[node], depth[node], f"{node}\n{notes[node]}", ha="center", va="center", fontsize=7)
    return figure


def _depths(order: list[str], upstream: Graph) -> dict[str, int]:
    """The layer of each node: below all that it reads. One that reads nothing stands just above what reads it."""
    depth: dict[str, int] = {}
    for node in order:
        depth[node] = 1 + max((depth[read] for read in upstream[node]), default=-1)
    for node in order:
        readers = [depth[other] for other in order if node in upstream[other]]
        if not upstream[node] and readers:
            depth[node] = min(readers) - 1
    return depth


def _with_passing(
    order: list[str], upstream: Graph, depth: dict[str, int]
) -> tuple[dict[str, int], Graph, list[list[str]]]:
    """A place in each layer that an edge passes: layers of all nodes, edges between neighbours, and paths of nodes."""
    nodes, edges, paths = dict(depth), {node: set() for node in order}, []
    for node in order:
        for read in sorted(upstream[node]):
            path = [read]
            for level in range(depth[read] + 1, depth[node]):
                passing = f"{read} > {node} at {level}"
                nodes[passing], edges[passing] = level, {path[-1]}
                path.append(passing)
            edges[node].add(path[-1])
            paths.append([*path, node])
    return nodes, edges, paths


def _places(layers: list[list[str]], upstream: Graph, boxes: set[str]) -> tuple[dict[str, float], float]:
    """Where each node is from left to right, in boxes, and how many boxes wide the widest layer is.

    Each layer is ordered by the mean place of the neighbours above, then of those below, a few times.
    """
    downstream: Graph = {node: {other for other in upstream if node in upstream[other]} for node in upstream}
    place = {node: 0.0 for layer in layers for node in layer}
    for neighbours, turn in ((upstream, 1), (downstream, -1)) * 4 + ((upstream, 1),):
        for layer in layers[::turn]:
            wanted = {n: float(np.mean([place[other] for other in sorted(neighbours[n])] or [place[n]])) for n in layer}
            layer.sort(key=wanted.get)
            right = 0.0
            for node in layer:
                size = 1 if node in boxes else PASSING
                place[node], right = right + size / 2, right + size
            for node in layer:
                place[node] -= right / 2
    widest = max(sum(1 if node in boxes else PASSING for node in layer) for layer in layers)
    return place, widest
