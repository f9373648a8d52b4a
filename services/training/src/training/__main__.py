"""Runs the service: `python -m training`."""

from foundation.service import run
from foundation.settings import Settings

from training.main import create_app

if __name__ == "__main__":
    run(create_app, Settings())
