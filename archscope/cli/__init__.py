"""Words go in; text, files and an exit code come out. Nothing on the way to `--help` imports torch."""
