"""Competitions Digit Recognizer (Kaggle) and Identify the Apparels: creation and reading of files, submissions."""
