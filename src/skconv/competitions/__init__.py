"""Competitions: Kaggle's Digit Recognizer and Identify the Apparels, made, read, submitted to and checked."""
