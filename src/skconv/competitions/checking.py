"""Competitions: check what is to be handed in before it is, and score it where the answers are known."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from skconv.exceptions import DataError


@dataclass(frozen=True)
class SubmissionCheck:
    """A submission that has the form its competition wants.

    Parameters
    ----------
    submission, competition : str
        The file and the competition's folder.
    rows : int
        Number of images named.
    accuracy, low, high : float or None
        Share of them named rightly, 0..1, with its 95 % interval; None where the folder has no answers.
    """

    submission: str
    competition: str
    rows: int
    accuracy: float | None = None
    low: float | None = None
    high: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the facts as plain values."""
        return asdict(self)

    def __str__(self) -> str:
        told = f"{self.submission} has the form that {self.competition} wants: {self.rows:,} rows."
        if self.accuracy is None:
            return f"{told}\nNo score: the folder has no answers.csv."
        return f"{told}\nAccuracy {self.accuracy:.3%} (95 % interval {self.low:.3%} to {self.high:.3%})."


def check_competition(
    submission: str | os.PathLike[str],
    competition: str | os.PathLike[str],
    *,
    data_home: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> SubmissionCheck:
    """Check a submission against a competition, and score it where the competition's folder has ``answers.csv``.

    Parameters
    ----------
    submission : path-like
        The CSV file.
    competition : str or path-like
        A competition's name, or its folder.
    data_home : path-like, optional
        As in `skconv.load_dataset`.
    progress : bool, default=False
        Show a bar on standard error while the competition's files are made or read.

    Returns
    -------
    SubmissionCheck

    Raises
    ------
    DataError
        The submission has not the form that the competition wants; the message names the line. Or the competition is
        none, or its files cannot be read.
    """
    from skconv.competitions.folder import ANSWERS, holds_competition, read_form
    from skconv.competitions.making import list_competitions, open_competition
    from skconv.competitions.submissions import check_submission
    from skconv.data.catalog import get_entry
    from skconv.evaluation.metrics import wilson_interval

    if competition in list_competitions():
        folder = open_competition(get_entry(str(competition)), data_home=data_home, progress=progress)
    else:
        folder = Path(competition)
        if not holds_competition(folder):
            raise DataError(
                f"{competition} has no train.csv and test.csv. Pass the folder of a competition, or one "
                f"of {', '.join(list_competitions())}."
            )
    form = read_form(folder, progress=progress)
    labels = check_submission(submission, form, form.class_labels)
    if not (folder / ANSWERS).is_file():
        return SubmissionCheck(str(submission), str(folder), len(labels))
    answers = check_submission(folder / ANSWERS, form, form.class_labels)
    n_right = sum(came == expected for came, expected in zip(labels, answers, strict=True))
    low, high = wilson_interval(n_right, len(labels))
    return SubmissionCheck(str(submission), str(folder), len(labels), n_right / len(labels), low, high)
