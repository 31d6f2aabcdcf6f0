"""The entry point, as `archscope` and as `python -m archscope`. It imports nothing slow before Ctrl-C is heard."""

import sys


def main() -> int:
    """Run the command line; the exit code is returned. Ctrl-C ends it with a word and 130, from the first line on."""
    try:
        from archscope.cli.app import main as run

        code = run()
    except KeyboardInterrupt:
        code = 130
        if sys.stderr is not None:
            sys.stderr.write("interrupted\n")
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is done: Ctrl-C while Python leaves would be told as an error
    return code


if __name__ == "__main__":
    sys.exit(main())
