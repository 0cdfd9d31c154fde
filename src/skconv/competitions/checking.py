"""Contests: check what is to be handed in before it is, and score it where the answers are known."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from skconv.exceptions import DataError


@dataclass(frozen=True)
class SubmissionCheck:
    """A submission that has the form its contest wants.

    Parameters
    ----------
    submission, contest : str
        The file and the contest's folder.
    rows : int
        Number of pictures named.
    accuracy, low, high : float or None
        Share of them named rightly, 0..1, with its 95 % interval; None where the folder has no answers.
    """

    submission: str
    contest: str
    rows: int
    accuracy: float | None = None
    low: float | None = None
    high: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the facts as plain values."""
        return asdict(self)

    def __str__(self) -> str:
        told = f"{self.submission} has the form that {self.contest} wants: {self.rows:,} rows."
        if self.accuracy is None:
            return f"{told}\nNo score: the folder has no answers.csv."
        return f"{told}\nAccuracy {self.accuracy:.3%} (95 % interval {self.low:.3%} to {self.high:.3%})."


def check_contest(
    submission: str | os.PathLike[str],
    contest: str | os.PathLike[str],
    *,
    data_home: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> SubmissionCheck:
    """Check a submission against a contest, and score it where the contest's folder has ``answers.csv``.

    Parameters
    ----------
    submission : path-like
        The CSV file.
    contest : str or path-like
        A contest's name, or its folder.
    data_home : path-like, optional
        As in `skconv.load_dataset`.
    progress : bool, default=False
        Show a bar on standard error while the contest's files are made or read.

    Returns
    -------
    SubmissionCheck

    Raises
    ------
    DataError
        The submission has not the form that the contest wants; the message names the line. Or the contest is
        none, or its files cannot be read.
    """
    from skconv.competitions.folder import ANSWERS, holds_contest, read_form
    from skconv.competitions.making import list_contests, open_contest
    from skconv.competitions.submissions import check_submission
    from skconv.data.catalog import get_entry
    from skconv.evaluation.metrics import wilson_interval

    if contest in list_contests():
        folder = open_contest(get_entry(str(contest)), data_home=data_home, progress=progress)
    else:
        folder = Path(contest)
        if not holds_contest(folder):
            raise DataError(
                f"{contest} is no contest: it has no train.csv and test.csv. Pass a contest's folder, or one of "
                f"{', '.join(list_contests())}."
            )
    form = read_form(folder, progress=progress)
    labels = check_submission(submission, form, form.class_labels)
    if not (folder / ANSWERS).is_file():
        return SubmissionCheck(str(submission), str(folder), len(labels))
    answers = check_submission(folder / ANSWERS, form, form.class_labels)
    n_right = sum(came == expected for came, expected in zip(labels, answers, strict=True))
    low, high = wilson_interval(n_right, len(labels))
    return SubmissionCheck(str(submission), str(folder), len(labels), n_right / len(labels), low, high)
