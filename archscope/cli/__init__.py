"""The command line. Nothing on the way to `--help` imports torch."""
