"""Data sets: the catalog of named sets, one reader per format, splitting, and images to predict."""
