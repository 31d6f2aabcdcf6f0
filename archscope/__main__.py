"""`python -m archscope` is `archscope`."""

import sys

from archscope.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
