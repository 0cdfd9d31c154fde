"""Callback that writes checkpoints and resumes from the latest one."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from skorch.callbacks import Callback

from skconv.training.state import TrainingState, get_state, set_state

SECONDS = 60.0  # maximum training time that a kill can lose
_MAX_OVERHEAD = 0.02  # of the training time
_INITIAL_COST = 0.03  # seconds per checkpoint, assumed until the first is written
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class CheckpointStore(Protocol):
    """Storage of checkpoints."""

    def write(self, state: TrainingState, seconds: float) -> None:
        """Store a state and the training time so far; it is durable when the call returns."""

    def read(self) -> tuple[TrainingState, float] | None:
        """Return the latest state and its training time, or None."""


class Checkpointing(Callback):
    """Write the training state to a store, so that a killed training can be resumed.

    A checkpoint is written after each epoch and every `SECONDS` within long epochs, but less often if that would take
    more than 2 % of the training time. SIGTERM and SIGINT write one after the current step, and then have their
    usual effect; a second signal has it at once.

    It must be the last callback of a net, because it stores the state of the others. The training must run inside
    `handling_signals`.

    Parameters
    ----------
    store : CheckpointStore
        Where checkpoints are written and read.

    Attributes
    ----------
    seconds_ : float
        Training time before the checkpoint that was resumed, in seconds.
    """

    def __init__(self, store: CheckpointStore) -> None:
        self.store = store
        self._signal: int | None = None
        self._handlers: dict[int, Any] = {}

    @contextmanager
    def handling_signals(self) -> Iterator[None]:
        """Defer SIGTERM and SIGINT inside the block to the end of the current step."""
        if threading.current_thread() is threading.main_thread():  # signals can be handled only there
            self._handlers = {number: signal.signal(number, self._on_signal) for number in _SIGNALS}
        try:
            yield
        finally:
            self._restore_handlers()
        self._raise_signal()  # received after the last step

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        checkpoint = self.store.read()
        self.seconds_ = 0.0
        if checkpoint is not None:
            state, self.seconds_ = checkpoint
            set_state(net, state)
        self._start = self._last = time.monotonic()
        self._cost = _INITIAL_COST

    def on_batch_end(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        if self._signal is not None or (training and self._is_due(SECONDS)):
            self._write(net, epoch_finished=False)
            self._raise_signal()

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        if self._signal is not None or self._is_due(0.0):
            self._write(net, epoch_finished=True)
            self._raise_signal()

    def _is_due(self, seconds: float) -> bool:
        return time.monotonic() - self._last >= max(seconds, self._cost / _MAX_OVERHEAD)

    def _write(self, net: Any, *, epoch_finished: bool) -> None:
        start = time.monotonic()
        self.store.write(get_state(net, epoch_finished=epoch_finished), self.seconds_ + start - self._start)
        self._last = time.monotonic()
        self._cost = self._last - start

    def _on_signal(self, number: int, frame: Any) -> None:
        if self._signal is not None:  # a second signal does not wait for a checkpoint
            self._raise_signal()
        self._signal = number

    def _raise_signal(self) -> None:
        """Raise a deferred signal under its previous handler."""
        if self._signal is not None:
            number, self._signal = self._signal, None
            self._restore_handlers()
            signal.raise_signal(number)

    def _restore_handlers(self) -> None:
        while self._handlers:
            number, handler = self._handlers.popitem()
            signal.signal(number, handler)
