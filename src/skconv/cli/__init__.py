"""Command line: options of the commands, exit codes, output."""
