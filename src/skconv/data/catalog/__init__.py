"""Catalog of named data sets: entries with files, checksums, licences and published results."""
