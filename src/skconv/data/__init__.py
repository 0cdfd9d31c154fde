"""Data sets: the catalog of named ones, the formats people keep their own in, and one door to all of them."""
