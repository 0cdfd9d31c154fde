"""Image files of unknown origin → bounded uint8 arrays; resizing and preprocessing."""
