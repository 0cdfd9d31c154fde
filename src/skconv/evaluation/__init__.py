"""Evaluation: metrics, calibration, prediction sets, out-of-distribution score, explanations, label issues."""

from __future__ import annotations

from skconv.evaluation.metrics import ClassScore, Scores, format_scores, score_predictions, wilson_interval

__all__ = ["ClassScore", "Scores", "format_scores", "score_predictions", "wilson_interval"]
