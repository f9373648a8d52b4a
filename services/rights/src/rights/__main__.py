"""Runs the service: `python -m rights`."""

from foundation.service import run
from foundation.settings import Settings

from rights.main import create_app

if __name__ == "__main__":
    run(create_app, Settings())
