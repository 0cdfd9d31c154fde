"""Competitions Digit Recognizer and Identify the Apparels: creation and reading of their files, submissions."""
