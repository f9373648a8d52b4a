"""Runs the service: `python -m assistance`."""

from foundation.service import run
from foundation.settings import Settings

from assistance.main import create_app

run(create_app, Settings())
