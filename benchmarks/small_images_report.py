"""Table and figure of the results of `small_images.py`."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from skconv.reports.style import BLUE, GREY, new_figure
from skconv.text import format_duration

LABELS = {
    "skconv": "skconv",
    "resnet18": "ResNet-18",
    "keras": "Keras example",
    "skorch": "skorch, T1",
    "logistic": "logistic regression, pixels",
    "features": "logistic regression, frozen features",
}
_MARKERS = dict(zip(LABELS, "osD^vP", strict=True))
_OUR_STYLE = {"color": BLUE, "lw": 2, "ms": 6, "zorder": 3}
_STYLE = {"color": GREY, "lw": 0.8, "ms": 4}
_N_COLUMNS = 3  # panels per row
_LOG_RANGE = 4  # ratio of the largest to the smallest error from which an axis is logarithmic


def format_table(figures: dict) -> str:
    """Return a Markdown table: a row per data set and time limit, a column per classifier."""
    runs: list[dict] = figures["runs"]
    arms = [arm for arm in LABELS if any(run["arm"] == arm for run in runs)]
    lines = [
        f"| data, test images | limit | {' | '.join(LABELS[arm] for arm in arms)} |",
        f"|---|---|{'---|' * len(arms)}",
    ]
    for name in dict.fromkeys(run["set"] for run in runs):
        n_test = figures["sets"][name]["test images"]
        for limit in sorted({run["limit"] for run in runs if run["set"] == name}):
            groups = [select_runs(runs, set=name, limit=limit, arm=arm) for arm in arms]
            best = max((mean for mean in map(_find_mean, groups) if mean is not None), default=None)
            cells = [_format_cell(group, is_best=_find_mean(group) == best) for group in groups]
            lines.append(f"| {name}, {n_test:,} | {format_duration(limit)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def select_runs(runs: Sequence[dict], **fields: Any) -> list[dict]:
    """Return the runs with the given values."""
    return [run for run in runs if all(run[name] == value for name, value in fields.items())]


def _find_mean(runs: Sequence[dict]) -> float | None:
    accuracies = [run["accuracy"] for run in runs if "accuracy" in run]
    return statistics.fmean(accuracies) if accuracies else None


def _format_cell(runs: Sequence[dict], *, is_best: bool) -> str:
    """Return mean and standard deviation of the accuracy, median seconds, and the runs without an accuracy."""
    scored = [run for run in runs if "accuracy" in run]
    parts = []
    if scored:
        accuracies = [run["accuracy"] for run in scored]
        spread = f" ± {statistics.stdev(accuracies):.4f}" if len(scored) > 1 else ""
        mean = f"{statistics.fmean(accuracies):.4f}"
        seconds = statistics.median(run["seconds"] for run in scored)
        parts.append(f"{f'**{mean}**' if is_best else mean}{spread}, {seconds:.0f} s")
    lost = Counter(run["end"] for run in runs if "accuracy" not in run)
    parts += [f"{count} {end}" for end, count in lost.items()]
    return "; ".join(parts) or "–"


def draw_figure(figures: dict) -> Figure:
    """Return a figure with a panel per data set: mean test accuracy over whole seconds, both axes logarithmic."""
    runs = [run for run in figures["runs"] if "accuracy" in run]
    names = list(dict.fromkeys(run["set"] for run in runs))
    n_rows = -(-len(names) // _N_COLUMNS)
    figure = new_figure(max(3.4 * min(len(names), _N_COLUMNS), 6.8), 2.9 * n_rows + 0.5)
    panels = figure.subplots(n_rows, min(len(names), _N_COLUMNS), squeeze=False).ravel()
    for axes, name in zip(panels, names, strict=False):
        _draw_panel(axes, select_runs(runs, set=name), figures["sets"][name])
        axes.set_title(f"{name}, n = {figures['sets'][name]['test images']:,}", fontsize=9)
    for axes in panels[len(names) :]:
        axes.set_axis_off()
    lines = {line.get_label(): line for axes in panels for line in axes.get_lines()}
    labels = [label for label in LABELS.values() if label in lines]
    figure.legend([lines[label] for label in labels], labels, loc="outside upper center", ncols=3, fontsize=8)
    figure.supxlabel("seconds from start to predictions", fontsize=9)
    figure.supylabel("test accuracy, %", fontsize=9)
    return figure


def _draw_panel(axes: Any, runs: Sequence[dict], facts: dict) -> None:
    """Draw a line per classifier, with bars of one standard deviation if there are several seeds."""
    smallest = 50 / facts["test images"]  # per cent: a logarithmic axis has no zero
    errors = []
    for arm, label in LABELS.items():
        of_arm = [run for run in runs if run["arm"] == arm and "same as" not in run]
        groups = [select_runs(of_arm, limit=limit) for limit in sorted({run["limit"] for run in of_arm})]
        if not groups:
            continue
        seconds = [statistics.fmean(run["seconds"] for run in group) for group in groups]
        means = [max(100 - 100 * statistics.fmean(run["accuracy"] for run in group), smallest) for group in groups]
        spreads = [
            100 * statistics.stdev([run["accuracy"] for run in group]) if len(group) > 1 else 0.0 for group in groups
        ]
        style: dict[str, Any] = _OUR_STYLE if arm == "skconv" else _STYLE
        axes.plot(seconds, means, marker=_MARKERS[arm], label=label, **style)
        if any(spreads):
            low = [min(spread, mean - smallest / 2) for spread, mean in zip(spreads, means, strict=True)]
            axes.errorbar(seconds, means, yerr=[low, spreads], fmt="none", ecolor=style["color"], lw=0.8)
        errors += means
    _format_axes(axes, errors)


def _format_axes(axes: Any, errors: Sequence[float]) -> None:
    """Set scales and ticks; the axis of the error is labelled with the accuracy."""
    axes.set_xscale("log")
    axes.margins(0.12)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda second, _: f"{second:g}"))
    if max(errors) > _LOG_RANGE * min(errors):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    else:
        axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda error, _: f"{100 - error:.{_count_digits(error)}f}"))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(NullLocator())
        axis.set_minor_formatter(NullFormatter())
    axes.invert_yaxis()
    axes.tick_params(labelsize=8)
    axes.grid(lw=0.3)


def _count_digits(error: float) -> int:
    """Return the number of decimals that show an error of one digit, such as 0.02."""
    return max(0, -math.floor(math.log10(error) + 1e-9)) if 0 < error < 1 else (0 if error % 1 == 0 else 1)
