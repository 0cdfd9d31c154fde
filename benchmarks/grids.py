"""Share of correct cells on generated pages of ruled grids, per kind of page and condition.

    SKCONV_DATA=FOLDER python benchmarks/grids.py [--pages 4] [--split test] [--only KIND ...] [--out FILE.json]

The digits are those of MNIST's test split; `--split train`, for choices, takes the last 10,000 training images. A page
whose rows and columns are not those that were drawn counts as wrong in all cells. Other pages, such as lined and
squared paper, should be read in lines.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np
from grid_other_pages import PAPERS_WITHOUT_GRID, make_other_page
from grid_pages import CONDITIONS, GRIDS, make_page
from report import write_result

from skconv import load_dataset
from skconv.digits.ocr.pages import read_page
from skconv.digits.ocr.readings import NumberReading
from skconv.inference import OnnxClassifier

PLAIN = "none"
N_COMBINED = 2  # conditions of a combined page
PAGES_OF = {"page of 25 × 46": 1}  # times --pages, per condition; pages of few cells are more
PAGES_OF_SMALL = 4


def choose_conditions(name: str, seed: list[int]) -> list[str]:
    """Return the conditions of a page; those of a combined page are drawn."""
    if name == "combined":
        return list(np.random.default_rng([*seed, 1]).choice(list(CONDITIONS), N_COMBINED, replace=False))
    return [] if name == PLAIN else [name]


def count_correct(reading: NumberReading, cells: list[list[str]]) -> tuple[int, bool]:
    """Return the number of correct cells, and whether the layout is correct."""
    shape = len(cells), len(cells[0])
    for grid in reading.grids:
        if (grid.rows, grid.columns) == shape:
            pairs = zip(np.ravel(cells), (text or "" for row in grid.texts for text in row), strict=True)
            return sum(a == b for a, b in pairs), True
    return 0, False


def count_in_lines(text: str, cells: list[list[str]]) -> int:
    """Return the number of digits of the cells in the longest matching sequences of a text."""
    expected = "".join("".join(row) for row in cells)
    found = "".join(text.split())
    matcher = SequenceMatcher(None, expected, found, autojunk=False)
    return sum(block.size for block in matcher.get_matching_blocks())


def measure_grids(model: OnnxClassifier, digits: np.ndarray, labels: np.ndarray, arguments: argparse.Namespace) -> dict:
    """Return the share of correct cells per kind and condition, and the seconds per page."""
    totals: dict[tuple[str, str], np.ndarray] = defaultdict(lambda: np.zeros(5))
    kinds = arguments.only or list(GRIDS)
    for kind_number, kind in enumerate(GRIDS):
        if kind not in kinds:
            continue
        for number, condition in enumerate([PLAIN, *CONDITIONS, "combined"]):
            for k in range(arguments.pages * PAGES_OF.get(kind, PAGES_OF_SMALL)):
                seed = [arguments.seed, kind_number, number, k]
                image, cells = make_page(kind, choose_conditions(condition, seed), digits, labels, seed)
                start = time.process_time()
                reading = read_page(model, image, layout=arguments.layout)
                seconds = time.process_time() - start
                if arguments.layout == "lines":
                    n = sum(len(text) for row in cells for text in row)
                    correct, is_found = count_in_lines(reading.text, cells), False
                else:
                    n = len(cells) * len(cells[0])
                    correct, is_found = count_correct(reading, cells)
                totals[kind, condition] += correct, n, is_found, 1, seconds
                if arguments.verbose and correct < n:
                    shapes = [(grid.rows, grid.columns) for grid in reading.grids]
                    print(kind, condition, seed, f"{correct} of {n}", (len(cells), len(cells[0])), shapes, flush=True)
    figures = {kind: summarise([row for (each, _), row in totals.items() if each == kind]) for kind in kinds}
    conditions = {name: summarise([row for (_, each), row in totals.items() if each == name])
                  for name in [PLAIN, *CONDITIONS, "combined"]}  # fmt: skip
    return {"kinds": figures, "conditions": conditions}


def summarise(rows: list[np.ndarray]) -> dict:
    correct, n, found, pages, seconds = np.sum(rows, axis=0)
    return {
        "correct cells": correct / n,
        "n": int(n),
        "correct layouts": int(found),
        "pages": int(pages),
        "processor seconds per page": seconds / pages,
    }


def measure_other_pages(
    model: OnnxClassifier, digits: np.ndarray, labels: np.ndarray, arguments: argparse.Namespace
) -> dict:
    """Return, per kind of paper without a grid, the pages read as a grid and the texts that equal those of lines."""
    figures = {}
    for kind_number, kind in enumerate(PAPERS_WITHOUT_GRID):
        n_grids = n_correct = n = 0
        for number, condition in enumerate([PLAIN, *CONDITIONS]):
            for k in range(arguments.pages):
                seed = [arguments.seed, 100 + kind_number, number, k]
                image, text = make_other_page(kind, choose_conditions(condition, seed), digits, labels, seed)
                reading = read_page(model, image)
                n_grids += bool(reading.grids)
                n_correct += reading.text == text
                n += 1
                if arguments.verbose and reading.grids:
                    print(kind, condition, seed, [(grid.rows, grid.columns) for grid in reading.grids], flush=True)
        figures[kind] = {"read as a grid": n_grids, "texts correct": n_correct, "pages": n}
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="digits", help="a model folder; default: the bundled digit model")
    parser.add_argument("--pages", type=int, default=4, help="pages per kind and condition, four times if small")
    parser.add_argument("--split", choices=("train", "test"), default="test")
    parser.add_argument("--layout", choices=("auto", "lines"), default="auto", help="lines: digits found without grids")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", help="kinds of grids")
    parser.add_argument("--others", action=argparse.BooleanOptionalAction, default=True, help="other paper")
    parser.add_argument("--verbose", action="store_true", help="print each page with an error")
    parser.add_argument("--out", type=Path, help="where to write the figures instead of results/grids.json")
    arguments = parser.parse_args()
    mnist = load_dataset("mnist")
    if arguments.split == "test":
        digits, labels = np.array(mnist.test_images), mnist.test_labels
    else:
        digits, labels = np.array(mnist.train_images[-10_000:]), mnist.train_labels[-10_000:]
    digits = digits.reshape(-1, 28, 28)
    model = OnnxClassifier(arguments.model)
    figures = {
        "split": arguments.split,
        "layout": arguments.layout,
        "seed": arguments.seed,
        "grids": measure_grids(model, digits, labels, arguments),
    }
    if arguments.others:
        figures["other pages"] = measure_other_pages(model, digits, labels, arguments)
    write_result("grids", figures, arguments.out)


if __name__ == "__main__":
    main()
