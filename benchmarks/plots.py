"""The plots of docs/performance.md: ratios against what must be, and latency against callers."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

from benchmarks.figures import Figure

INK, GOOD, BAD, LIMIT = "#1f2933", "#2b6cb0", "#c05621", "#718096"


def ratios(figures: Sequence[Figure], file: Path) -> None:
    """Each figure's ratio divided by what must be (for latencies the inverse), on a log scale: right of 1 holds."""
    rows = list(reversed(figures))
    margins = [f.ratio / f.must if f.higher_is_better else f.must / f.ratio for f in rows]
    plot, axes = plt.subplots(figsize=(9, 0.42 * len(rows) + 1.2), layout="constrained")
    axes.barh([f.name for f in rows], margins, color=[GOOD if m >= 1 else BAD for m in margins], height=0.62)
    axes.axvline(1, color=INK, linewidth=1)
    axes.set_xscale("log")
    axes.set_xticks([0.25, 0.5, 1, 2, 5, 10], labels=["0.25", "0.5", "1", "2", "5", "10"])
    axes.minorticks_off()
    axes.set_xlabel("margin over what must be (1 = exactly met, log scale)")
    for place, margin in enumerate(margins):
        beside = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}  # over the line at 1, not under it
        axes.annotate(f"{margin:.2f}", (margin, place), (4, 0), textcoords="offset points", va="center", color=INK, fontsize=8, bbox=beside)
    axes.margins(x=0.12, y=0.01)
    axes.spines[["top", "right"]].set_visible(False)
    plot.savefig(file, dpi=110)
    plt.close(plot)


def lines(
    title: str, x_label: str, y_label: str, series: Mapping[str, tuple[Sequence[float], Sequence[float]]], file: Path, *, log_x: bool
) -> None:
    """One line per series: xs and ys."""
    plot, axes = plt.subplots(figsize=(8, 4), layout="constrained")
    for name, (xs, ys) in series.items():
        axes.plot(xs, ys, marker="o", linewidth=1.6, label=name)
    if log_x:
        axes.set_xscale("log")
        measured = sorted({x for xs, _ in series.values() for x in xs})
        axes.set_xticks(measured, labels=[f"{x:,.0f}" for x in measured])
        axes.minorticks_off()
    axes.set_ylim(bottom=0)
    axes.set_title(title, loc="left", color=INK)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e2e8f0")
    if len(series) > 1:
        axes.legend(frameon=False)
    plot.savefig(file, dpi=110)
    plt.close(plot)
