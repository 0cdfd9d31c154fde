"""`Checkpointing`: when the state of a training is written, and where it is taken up again."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from skorch.callbacks import Callback

from skconv.training.state import TrainingState, get_state, set_state

SECONDS = 60.0  # the most work, as time, that a kill can cost
_SHARE = 0.02  # of the time of training, that checkpoints may take
_FIRST_COST = 0.03  # seconds; taken for the cost of a checkpoint until one has been written
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Store(Protocol):
    """Where checkpoints are kept."""

    def write(self, state: TrainingState, seconds: float) -> None:
        """Keep a state, for good when the call returns."""

    def read(self) -> tuple[TrainingState, float] | None:
        """Return the last state that was kept, and its seconds; None where there is none."""


class Checkpointing(Callback):
    """Write the state of a training to a store, so that it can be killed at any moment; go on from what is there.

    A checkpoint is written at the end of an epoch or, where epochs are long, every `SECONDS`; less often where that
    would take more than 2 % of the time. On SIGTERM and SIGINT one is written after the step at hand, and then the
    signal does what it does without this callback; a second one does so at once.

    It must be the last of a net's callbacks: it keeps what the others have become. The training has to run inside
    `listening`.

    Parameters
    ----------
    store : Store
        Keeps them.

    Attributes
    ----------
    seconds_ : float
        How long the training took before it was taken up here.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._signal: int | None = None
        self._handlers: dict[int, Any] = {}

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Note SIGTERM and SIGINT inside the block, for the end of the step at hand."""
        if threading.current_thread() is threading.main_thread():  # only there signals can be handled
            self._handlers = {number: signal.signal(number, self._note) for number in _SIGNALS}
        try:
            yield
        finally:
            self._give_signals_back()
        self._obey()  # it came after the last step

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Take up what the store holds."""
        kept = self.store.read()
        self.seconds_ = 0.0
        if kept is not None:
            state, self.seconds_ = kept
            set_state(net, state)
        self._start = self._last = time.monotonic()
        self._cost = _FIRST_COST

    def on_batch_end(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        """Write where the time has come, or a signal."""
        if self._signal is not None or (training and self._is_time(SECONDS)):
            self._write(net, finished=False)
            self._obey()

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Write where it costs little, or a signal has come."""
        if self._signal is not None or self._is_time(0.0):
            self._write(net, finished=True)
            self._obey()

    def _is_time(self, seconds: float) -> bool:
        return time.monotonic() - self._last >= max(seconds, self._cost / _SHARE)

    def _write(self, net: Any, *, finished: bool) -> None:
        start = time.monotonic()
        self.store.write(get_state(net, finished=finished), self.seconds_ + start - self._start)
        self._last = time.monotonic()
        self._cost = self._last - start

    def _note(self, number: int, frame: Any) -> None:
        if self._signal is not None:  # asked for twice: whoever does so does not want to wait
            self._obey()
        self._signal = number

    def _obey(self) -> None:
        """Let the signal do what it would have done."""
        if self._signal is not None:
            number, self._signal = self._signal, None
            self._give_signals_back()
            signal.raise_signal(number)

    def _give_signals_back(self) -> None:
        while self._handlers:
            number, handler = self._handlers.popitem()
            signal.signal(number, handler)
