"""Runs the service: `python -m assistance`."""

from foundation.service import run

from assistance.main import create_app
from assistance.settings import Settings

run(create_app, Settings())
