"""Competitions: Kaggle's Digit Recognizer and Identify the Apparels, making, reading, submissions."""
