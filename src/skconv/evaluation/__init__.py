"""Evaluation: metrics, calibration, prediction sets, explanations, label issues."""

from __future__ import annotations

from skconv.evaluation.metrics import ClassScore, Scores, score_predictions, wilson_interval
from skconv.evaluation.score_table import format_scores

__all__ = ["ClassScore", "Scores", "format_scores", "score_predictions", "wilson_interval"]
