"""What all figures share: sizes, fonts, colours, and how they are written."""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator, StrMethodFormatter

from visatb.errors import VisatbError
from visatb.runtime.files import atomic_path

COLUMN, PAGE = 3.3, 6.9
"""Widths in inches of a column and of a page with two columns."""

FONT_SIZE = 7.0
CHARACTER = 0.059
"""Mean width in inches of a character at `FONT_SIZE`."""
LINE_HEIGHT = 0.12
"""Height in inches of a line of a footnote."""

OKABE_ITO = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#000000", "#404040")
MARKERS = ("o", "s", "^", "v", "P", "X", "<")
LINES = ("-", "--", ":", "-.")
GREY, LIGHT, ACCENT = "#666666", "#E8E8E8", "#D55E00"

STYLE = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Arial", "Helvetica"],
    "font.size": FONT_SIZE,
    "axes.labelsize": FONT_SIZE,
    "axes.titlesize": FONT_SIZE + 1,
    "legend.fontsize": FONT_SIZE,
    "legend.frameon": False,
    "legend.handlelength": 1.6,
    "xtick.labelsize": FONT_SIZE,
    "ytick.labelsize": FONT_SIZE,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "xtick.major.width": 0.6,
    "xtick.color": GREY,
    "xtick.labelcolor": "black",
    "ytick.major.size": 0,
    "lines.linewidth": 1.0,
    "axes.axisbelow": True,
    "text.parse_math": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "visatb",
    "savefig.dpi": 300,
}
styled = matplotlib.rc_context(STYLE)  # type: ignore[arg-type]
"""Decorator of every function that draws: text is literal (a ``$`` in a task's name too) and sized for paper."""


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of a size in inches that lays itself out."""
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.03, h_pad=0.03)  # type: ignore[union-attr,call-arg]
    return figure


def label_width(names: Iterable[str]) -> float:
    """Return the inches that the longest name takes."""
    return max((len(name) for name in names), default=0) * CHARACTER


def figure_width(names: Iterable[str], content: float) -> float:
    """Return the width of a column, or of a page if ``names`` beside ``content`` inches need more."""
    return COLUMN if label_width(names) + content <= COLUMN else PAGE


def name_rows(axes: Axes, names: Sequence[str]) -> None:
    """Turn the y axis into a list of names, the first on top."""
    axes.set_yticks(range(len(names)), list(names))
    axes.set_ylim(len(names) - 0.4, -0.6)


def add_footnote(figure: Figure, text: str) -> None:
    """Make the figure higher by as many lines as ``text`` takes, and write it into them."""
    size = FONT_SIZE - 1
    per_line = max(10, int(figure.get_figwidth() / (CHARACTER * size / FONT_SIZE)))
    lines = textwrap.wrap(text, per_line)
    room, height = len(lines) * LINE_HEIGHT, figure.get_figheight()
    figure.set_figheight(height + room)
    share = room / (height + room)
    figure.get_layout_engine().set(rect=(0, share, 1, 1 - share))  # type: ignore[union-attr,call-arg]
    figure.text(0.01, share * 0.9, "\n".join(lines), fontsize=size, color=GREY, ha="left", va="top")


@styled
def save_figure(figure: Figure, paths: Iterable[str | Path], notes: Sequence[str] = ()) -> None:
    """Write a figure, with ``notes`` below it, to every path (.svg or .png). The same one gives the same bytes."""
    if notes:
        add_footnote(figure, " ".join(notes))
    for path in map(Path, paths):
        kind = path.suffix.lower().lstrip(".")
        if kind not in ("svg", "png"):
            raise VisatbError(f"{path}: figures are written as .svg or .png; name the file so")
        metadata = {"Date": None, "Creator": "visatb"} if kind == "svg" else {"Software": "visatb"}
        with atomic_path(path) as temporary:
            figure.savefig(temporary, format=kind, metadata=metadata)


def save_figures(figures: Mapping[str, Figure], folder: str | Path, notes: Sequence[str] = ()) -> None:
    """Write each figure as ``<folder>/<name>.svg`` and ``.png``, with ``notes`` below it."""
    for name, figure in figures.items():
        save_figure(figure, [Path(folder) / f"{name}.{kind}" for kind in ("svg", "png")], notes)


def loss_axis(axes: Axes) -> None:
    """Have the y axis show losses on a logarithmic scale, with plain numbers at few places."""
    axes.set_ylabel("loss")
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)) if high > 5 * low else MaxNLocator(4))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
