"""`python -m wattwheel`: the command line, with its exit code."""

import sys

from wattwheel.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
