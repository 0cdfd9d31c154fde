"""The command line: one file a command, each a thin call of the library command of the same name."""
