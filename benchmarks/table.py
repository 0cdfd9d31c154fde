"""Write the figures of results/*.json as a table into README.md, between its two marks: python table.py."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from skconv.files import atomic_write

HERE = Path(__file__).parent
BEGIN, END = "<!-- figures: written by table.py -->", "<!-- end of the figures -->"
Row = tuple[str, str]


def _startup(figures: dict) -> Iterator[Row]:
    for name, question in (("help", "`skconv --help`"), ("import", "`import skconv`"), ("step", "first training step")):
        if name in figures:
            row = figures[name]
            yield question, f"{row['median']:.2f} s ({row['least']:.2f} to {row['most']:.2f}, n = {row['n']})"


def _overhead(figures: dict) -> Iterator[Row]:
    ratios = figures["ratios"]
    yield (
        f"`CNNClassifier.fit` over a bare loop of the same steps, recipe `{figures['recipe']}`",
        f"{figures['ratio_median_of_pairs']:.2f} times the time ({min(ratios):.2f} to {max(ratios):.2f}, "
        f"n = {len(ratios)} pairs)",
    )


def _arithmetic(figures: dict) -> Iterator[Row]:
    share = figures["share of the fit"]
    yield (
        f"its convolutions alone over the whole fit, recipe `{figures['recipe']}`, {figures['precision']}",
        f"{share['median']:.0%} ({share['least']:.0%} to {share['most']:.0%}, n = {figures['runs']}) "
        f"at {figures['convolutions alone, GFLOP/s']:.0f} GFLOP/s",
    )


def _throughput(figures: dict) -> Iterator[Row]:
    rates = figures["images a second"]
    yield "training, images a second: ours", f"{rates['ours']:,.0f} (median of {figures['runs']})"
    for name in rates:
        if name.startswith("ours"):
            continue
        ours, plain = figures["times as fast"][name], figures["times as fast, ours in fp32"][name]
        yield f"training, ours over {name}", f"{ours:.2f} times as fast; {plain:.2f} in fp32"


def _prediction(figures: dict) -> Iterator[Row]:
    rates = figures["images a second"]
    yield "prediction, images a second: ours", f"{rates['ours']:,.0f} (median of {figures['runs']})"
    for name in ("bare onnxruntime", "skorch", "Keras"):
        yield f"prediction, ours over {name}", f"{figures['times as fast'][name]:.2f} times as fast"


def _growth(figures: dict) -> Iterator[Row]:
    rows = figures["sizes"]
    for kind in ("training", "prediction"):
        costs = " / ".join(f"{row[kind]['microseconds an image']:.0f}" for row in rows)
        ratios = " / ".join(f"{row[kind]['over 10,000 images']:.2f}" for row in rows)
        memory = max(row[kind]["MiB above the start"] for row in rows)
        yield (
            f"{kind}, {' / '.join(format(row['images'], ',') for row in rows)} images",
            f"{ratios} times the time an image of 10,000 beside it ({costs} µs); "
            f"at most {memory:.0f} MiB above the start",
        )


def _time_to_99(figures: dict) -> Iterator[Row]:
    n = figures["seeds"]
    yield (
        "`fast`: MNIST test accuracy",
        f"{figures['fast_accuracy_mean']:.5f} ± {figures['fast_accuracy_sd']:.5f} (n = {n} seeds)",
    )
    seconds = figures["fast_seconds"]
    yield (
        "`fast`: seconds from images in memory to final weights",
        f"median {figures['fast_seconds_median']:.2f} ({min(seconds):.2f} to {max(seconds):.2f}, n = {n})",
    )
    for name, other in figures["others"].items():
        first = other["runs"][0]
        kind = "loop" if "training_seconds" in first else "own example"
        if "seconds_ratio" in other:
            answer = f"{other['seconds_median']:.0f} s, {other['seconds_ratio']:.0f} × `fast`"
            if "training_seconds_ratio" in other:
                answer += (
                    f"; without its scoring {other['training_seconds_median']:.0f} s, "
                    f"{other['training_seconds_ratio']:.0f} ×"
                )
            answer += f" (n = {len(other['runs'])})"
        else:
            last = next(run for run in other["runs"] if run["seconds"] is None)["curve"][-1]
            answer = f"not reached: {last['accuracy']:.4f} after {last['seconds']:.0f} s"
        yield f"{name}'s {kind} to 99.0 %", answer


ROWS: dict[str, Callable[[dict], Iterator[Row]]] = {
    "startup": _startup,
    "overhead": _overhead,
    "arithmetic": _arithmetic,
    "throughput": _throughput,
    "prediction": _prediction,
    "growth": _growth,
    "time_to_99": _time_to_99,
}


def write(results: Path = HERE / "results") -> None:
    """Put a table of all results that are there into README.md."""
    lines, machines = ["| question | figure |", "|---|---|"], set()
    for name, make in ROWS.items():
        path = results / f"{name}.json"
        if path.exists():
            content = json.loads(path.read_text())
            machine = content["environment"]
            machines.add(
                f"{machine['processor']}, {machine['threads']} threads, {machine['system']}, "
                f"torch {machine['versions']['torch']}, skconv {machine['versions']['skconv']}"
            )
            lines += [f"| {question} | {figure} |" for question, figure in make(content["figures"])]
    readme = HERE / "README.md"
    before, rest = readme.read_text().split(BEGIN)
    after = rest.split(END)[1]
    text = "\n\n".join([BEGIN, "; ".join(sorted(machines)) + ".", "\n".join(lines), END])
    with atomic_write(readme) as beside:
        beside.write_text(before + text + after)


if __name__ == "__main__":
    write()
