"""`python -m wattwheel`: the command line."""

from wattwheel.cli.main import main

if __name__ == "__main__":
    main()
