"""Runs the service: `python -m membership`."""

from foundation.service import run

from membership.main import create_app
from membership.settings import Settings

run(create_app, Settings())
