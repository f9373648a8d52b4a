"""Runs the service: `python -m rights`."""

import os

import uvicorn

from rights.main import create_app

uvicorn.run(create_app(), host="127.0.0.1", port=int(os.environ["TONGXIN_PORT"]))
