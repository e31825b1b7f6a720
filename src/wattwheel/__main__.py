"""`python -m wattwheel` is `wattwheel`."""

import sys

from wattwheel.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
