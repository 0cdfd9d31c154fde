"""HTTP service of one saved model: JSON interface and web page."""
