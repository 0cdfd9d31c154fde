"""Progress of training: a bar in a terminal, a table in a notebook, lines elsewhere, each with the remaining time."""

from __future__ import annotations

import shutil
import time
from collections import deque
from dataclasses import dataclass
from html import escape
from typing import Any, Protocol

from skorch.callbacks import Callback, EarlyStopping
from tqdm import tqdm

from skconv.progress import display_html, is_notebook, is_terminal, print_progress
from skconv.text import format_duration, format_estimate, format_percent

_WARM_UP = 3  # steps before time is measured, because the first steps also allocate memory
_MIN_MEASURED = 1.0  # seconds of training before the first estimate
_MIN_ESTIMATED = 5.0  # seconds; no estimate is printed for shorter training
_LONG_TRAINING = 60.0  # minimum seconds of training for which the command to resume is printed
_LINE_SECONDS = 5.0  # minimum time between two lines
_LONG_EPOCH = 60.0  # seconds without a line after which the progress within an epoch is printed
_REDRAW_SECONDS = 0.5  # minimum time between two updates of a notebook
_MAX_ROWS = 20  # rows of the table in a notebook
_VALIDATION_COST = 0.35  # time to validate an image, relative to training on it


@dataclass(frozen=True)
class RunPart:
    """Part of a command that trains several networks: its label, and the number of remaining parts including this one.

    Parts that run at the same time have ``n_left=1``, because the total time cannot be derived from one of them.
    """

    label: str = ""  # such as "fold 2/5"
    n_left: int = 1
    first: bool = True
    resume: str = ""  # command that resumes the training

    @property
    def is_part(self) -> bool:
        """Whether the command trains several networks."""
        return bool(self.label)

    def divide(self, kind: str, number: int, total: int, *, parallel: bool = False) -> RunPart:
        """Return part `number`, from 1, of `total` parts of this part.

        Examples
        --------
        >>> RunPart("seed 1/2", n_left=2).divide("fold", 2, 5)
        RunPart(label='seed 1/2, fold 2/5', n_left=9, first=False, resume='')
        """
        label = ", ".join(filter(None, (self.label, f"{kind} {number}/{total}")))
        n_left = 1 if parallel else (self.n_left - 1) * total + total - number + 1
        return RunPart(label, n_left, self.first and number == 1, self.resume)


class TrainingProgress(Callback):
    """Report the progress and the remaining time of training.

    Parameters
    ----------
    description : str, default=""
        Line that is printed before training.
    part : RunPart, optional
        Part of the command, if it trains several networks.
    quiet_epochs : bool, default=False
        Print no line per epoch outside terminals and notebooks, because another callback does.
    """

    def __init__(self, description: str = "", part: RunPart | None = None, *, quiet_epochs: bool = False) -> None:
        self.description = description
        self.part = part or RunPart()
        self.quiet_epochs = quiet_epochs

    def on_train_begin(self, net: Any, X: Any = None, **kwargs: Any) -> None:
        """Print the description and start the output."""
        if self.part.first and self.description:
            print_progress(self.description)
        self._clock: _Clock | None = None
        self._resume_shown = False
        self._ratio = 1.0
        valid = net.get_split_datasets(X)[1] if net.train_split else None
        if valid is not None and hasattr(X, "__len__"):
            self._ratio += _VALIDATION_COST * len(valid) / len(X)
        label = f"{self.part.label}, " if self.part.label else ""
        self._output: _Output
        if is_notebook():
            self._output = _NotebookTable(label)
        elif is_terminal():
            self._output = _TerminalBar(label)
        else:
            self._output = _Lines(label, self.part.n_left, quiet=self.quiet_epochs)

    def on_batch_end(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        """Count a training step."""
        if not training:
            return
        if self._clock is None:  # after a checkpoint has been loaded
            done = sum(epoch["train_batch_count"] for epoch in net.history[:-1])
            self._clock = _Clock(done + len(net.history[-1, "batches"]))
            if done + len(net.history[-1, "batches"]) > 1:
                label = f"{self.part.label}, " if self.part.label else ""
                line = f"{label}resumed in epoch {len(net.history)}/{net.max_epochs}."
                print_progress(line.capitalize())
        else:
            self._clock.count()
        state = self._make_state(net)
        self._output.show_step(state)
        if self.part.resume and self.part.first and state.left is not None and not self._resume_shown:
            self._resume_shown = True
            if state.seconds + state.left >= _LONG_TRAINING:
                print_progress(f"Checkpoints are saved. To resume after an interruption: {self.part.resume}")

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Report the scores of an epoch."""
        if self._clock is not None:
            self._ratio = 1.0  # from now on, the measured time includes a validation
            self._output.show_epoch(self._make_state(net), read_scores(net.history[-1]))

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """End the output."""
        self._output.close()
        n_epochs = len(net.history)
        if self._clock is None and self.part.is_part:
            print_progress(f"{self.part.label} was finished before the interruption.".capitalize())
        stoppers = [each for _, each in net.callbacks_ if isinstance(each, EarlyStopping)]
        if any(each.misses_ >= each.patience for each in stoppers):
            print_progress(f"Stopped after epoch {n_epochs}/{net.max_epochs}: no lower validation loss.")
        del self._output, self._clock  # the stream of a bar cannot be pickled

    def _make_state(self, net: Any) -> _State:
        total = net.get_params()["iterator_train__max_batches"]
        clock = self._clock
        assert clock is not None
        left = None if total is None else clock.estimate(total, self._ratio)
        return _State(len(net.history), net.max_epochs, clock.n_steps, total, clock.seconds, left)


@dataclass(frozen=True)
class _State:
    """State of a run; `left` is the estimated remaining time in seconds, None if not measured yet."""

    epoch: int
    n_epochs: int
    step: int
    n_steps: int | None
    seconds: float
    left: float | None

    @property
    def share(self) -> float:
        return self.step / self.n_steps if self.n_steps else 0.0

    @property
    def title(self) -> str:
        return f"epoch {self.epoch}/{self.n_epochs}"

    @property
    def time_left(self) -> str:
        return "" if self.left is None or self.share >= 1 else f"{format_estimate(self.left)} left"


class _Clock:
    """Time per training step, measured over the last minutes."""

    def __init__(self, n_steps: int) -> None:
        self.n_steps = n_steps
        self._n_first = n_steps + _WARM_UP
        self._start = time.monotonic()
        self._marks: deque[tuple[float, int]] = deque(maxlen=300)  # one per second

    @property
    def seconds(self) -> float:
        """Time since the first step."""
        return time.monotonic() - self._start

    def count(self) -> None:
        """Count a step."""
        self.n_steps += 1
        if self.n_steps >= self._n_first and (not self._marks or time.monotonic() - self._marks[-1][0] >= 1):
            self._marks.append((time.monotonic(), self.n_steps))

    def estimate(self, total: int, ratio: float) -> float | None:
        """Return the seconds of the remaining steps, times `ratio`; None if too few were measured."""
        if not self._marks:
            return None
        start, first = self._marks[0]
        measured, n_steps = time.monotonic() - start, self.n_steps - first
        if measured < _MIN_MEASURED or n_steps < 1:
            return None
        return ratio * measured / n_steps * max(total - self.n_steps, 0)


class _Output(Protocol):
    """Interface of the outputs for a terminal, a notebook and a log file."""

    def show_step(self, state: _State) -> None:
        """Show the state after a step, or do nothing."""

    def show_epoch(self, state: _State, scores: dict[str, Any]) -> None:
        """Show the scores of an epoch."""

    def close(self) -> None:
        """Finish the output: print or draw what is still pending."""


class _TerminalBar:
    """Progress bar over all steps, with the last scores."""

    def __init__(self, label: str) -> None:
        self._label, self._scores = label, ""
        self._bar: tqdm[Any] | None = None

    def show_step(self, state: _State) -> None:
        if self._bar is None:  # not earlier, because a finished training has no steps
            width = shutil.get_terminal_size().columns  # 80 columns if the terminal does not report its width
            form = "{desc}{percentage:3.0f} % |{bar}| {elapsed}{postfix}"
            self._bar = tqdm(total=1, desc=self._label, ncols=width, bar_format=form)
        self._bar.total = state.n_steps or state.step
        self._bar.set_description_str(f"{self._label}{state.title} ", refresh=False)
        self._bar.set_postfix_str(", ".join(filter(None, (state.time_left, self._scores))), refresh=False)
        self._bar.update(state.step - self._bar.n)

    def show_epoch(self, state: _State, scores: dict[str, Any]) -> None:
        self._scores = f"loss {scores['train_loss']:.3f}"
        if "valid_acc" in scores:
            self._scores += f", accuracy {format_percent(scores['valid_acc'])}"
        self.show_step(state)
        assert self._bar is not None
        self._bar.refresh()

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


class _Lines:
    """Lines for a log file: an estimate, then one line per epoch, less often for short epochs."""

    def __init__(self, label: str, n_left: int, *, quiet: bool) -> None:
        self._label, self._n_left, self._quiet = label, n_left, quiet
        self._announced, self._held, self._printed = False, "", -_LINE_SECONDS
        self._first = True

    def show_step(self, state: _State) -> None:
        if not self._announced and state.left is not None:
            self._announced = True
            whole = state.seconds + state.left
            if whole >= _MIN_ESTIMATED:
                every = f", {format_estimate(self._n_left * whole)} in total" if self._n_left > 1 else ""
                self._print(f"{self._label}training takes {format_estimate(whole)}{every}.".capitalize(), state)
        if state.left is not None and state.seconds - max(self._printed, 0.0) >= _LONG_EPOCH:
            self._print(f"{self._label}{state.title}, {format_percent(state.share, 0)}, {state.time_left}", state)

    def show_epoch(self, state: _State, scores: dict[str, Any]) -> None:
        if self._quiet:
            return
        line = f"{self._label}{describe_epoch(scores, state.n_epochs)}  {format_duration(scores['dur'])}"
        line += f", {state.time_left}" if state.time_left else ""
        if self._first or state.seconds - self._printed >= _LINE_SECONDS:
            self._print(line, state)
        else:
            self._held = line
        self._first = False

    def close(self) -> None:
        if self._held:
            print_progress(self._held)

    def _print(self, line: str, state: _State) -> None:
        print_progress(line)
        self._held, self._printed = "", state.seconds


class _NotebookTable:
    """Bar and table of epochs as HTML, updated in place."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._rows: list[dict[str, str]] = []
        self._handle: Any = None
        self._drawn = 0.0
        self._state: _State | None = None

    def show_step(self, state: _State) -> None:
        self._state = state
        if time.monotonic() - self._drawn >= _REDRAW_SECONDS:
            self._draw()

    def show_epoch(self, state: _State, scores: dict[str, Any]) -> None:
        self._state = state
        row = {"epoch": f"{scores['epoch']}/{state.n_epochs}", "training loss": f"{scores['train_loss']:.4f}"}
        if "valid_loss" in scores:
            row["validation loss"] = f"{scores['valid_loss']:.4f}"
            row["validation accuracy"] = format_percent(scores["valid_acc"])
        self._rows.append({**row, "time": format_duration(scores["dur"])})
        if time.monotonic() - self._drawn >= _REDRAW_SECONDS:
            self._draw()

    def close(self) -> None:
        if self._state is not None:
            self._draw()

    def _draw(self) -> None:
        state = self._state
        assert state is not None
        facts = filter(None, (state.title, format_duration(state.seconds), state.time_left))
        shown = self._rows[-_MAX_ROWS:]
        head = "".join(f"<th>{name}</th>" for name in (shown[0] if shown else ()))
        rows = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row.values())}</tr>" for row in shown)
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>" if rows else ""
        bar = f'<progress value="{state.step}" max="{state.n_steps or state.step}" style="width: 20em"></progress>'
        html = f"<div>{bar} {escape(self._label + ', '.join(facts))}</div>{table}"
        self._handle = display_html(html, self._handle)
        self._drawn = time.monotonic()


def read_scores(epoch: Any) -> dict[str, Any]:
    """Return number, losses, accuracy and duration of an epoch of a skorch history."""
    names = ("epoch", "train_loss", "valid_loss", "valid_acc", "dur")
    return {name: epoch[name] for name in names if name in epoch}


def describe_epoch(scores: dict[str, Any], n_epochs: int) -> str:
    """Return losses and accuracy of an epoch as text.

    Examples
    --------
    >>> describe_epoch({"epoch": 3, "train_loss": 0.25, "valid_loss": 0.2, "valid_acc": 0.975}, 30)
    'epoch  3/30  training loss 0.2500  validation loss 0.2000, accuracy 97.50 %'
    """
    width = len(str(n_epochs))
    parts = [f"epoch {scores['epoch']:>{width}}/{n_epochs}", f"training loss {scores['train_loss']:.4f}"]
    if "valid_loss" in scores:
        parts.append(f"validation loss {scores['valid_loss']:.4f}, accuracy {format_percent(scores['valid_acc'])}")
    return "  ".join(parts)
