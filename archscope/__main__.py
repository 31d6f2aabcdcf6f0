"""The entry point, as `archscope` and as `python -m archscope`. It imports nothing slow before Ctrl-C is heard."""

import signal
import sys


def main() -> int:
    """Run the command line; the exit code is returned. Ctrl-C ends it with a word and 130, from the first line on."""
    try:
        from archscope.cli.app import main as run

        code = run()
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if sys.stderr is not None:
            sys.stderr.write("interrupted\n")
        return 130
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is done: leaving may not be told as an error
    return code


if __name__ == "__main__":
    sys.exit(main())
