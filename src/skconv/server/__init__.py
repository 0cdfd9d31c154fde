"""A saved model behind HTTP: the page to draw on, and the interface for programs."""
