"""``python -m wholecloth``."""

from wholecloth.cli.main import run

if __name__ == "__main__":
    run()
