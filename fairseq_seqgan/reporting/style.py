"""How the pictures look: the same system has the same colour in both."""

from __future__ import annotations

import io
from collections.abc import Iterable

from matplotlib import rc_context
from matplotlib.colors import hsv_to_rgb, to_hex
from matplotlib.figure import Figure

INK, GRID, ORACLE = "#333333", "#e3e3e3", "#2a7f3f"
RC = {
    "font.size": 11,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "text.parse_math": False,  # a label such as "costs $5, $6" is no formula
}
# Known systems have colours of their own, so that pictures of several reports look alike.
_COLOURS = {
    "mle": "#555555",
    "scheduled_sampling": "#8c6bb1",
    "pg_bleu": "#e08a00",
    "seqgan": "#c8422b",
    "constant_reward": "#2b6cb0",
    "random_reward": "#17a2b8",
    "mle_continued": "#a0a0a0",
    "random_uniform": "#c0a030",
    "random_unigram": "#7f6020",
    "oracle": ORACLE,
    "real": ORACLE,
}
_OTHERS = ("#d45087", "#4b9b5f", "#6a51a3", "#b15928", "#1f78b4", "#e7298a", "#66a61e", "#a6761d")


def colours(names: Iterable[str]) -> dict[str, str]:
    """Return a colour for every system in *names*."""
    others = sorted(set(names) - set(_COLOURS))
    palette = _OTHERS
    if len(others) > len(palette):  # all around the colour circle, in two brightnesses
        hues = (hsv_to_rgb((i / len(others), 0.9, (0.85, 0.6)[i % 2])) for i in range(len(others)))
        palette = tuple(to_hex(colour) for colour in hues)
    return _COLOURS | dict(zip(others, palette, strict=False))


def legend_columns(labels: Iterable[str], width: float) -> int:
    """Return in how many columns a legend of *labels* fits into *width* inches, at most 4."""
    longest = max(map(len, labels), default=0)
    return max(1, min(4, int(11.5 * width) // (longest + 6)))


def figure(width: float, height: float) -> Figure:
    """Return an empty picture, *width* and *height* in inches."""
    return Figure(figsize=(width, height), layout="constrained")


def png(picture: Figure) -> bytes:
    """Return *picture* as a PNG file; the same picture gives the same bytes."""
    content = io.BytesIO()
    # Without its name matplotlib's version does not get into the file.
    picture.savefig(content, dpi=150, format="png", metadata={"Software": None})
    return content.getvalue()


def styled() -> rc_context:
    """Return the context in which pictures are drawn."""
    return rc_context(RC)
