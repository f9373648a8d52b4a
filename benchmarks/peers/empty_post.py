"""The limit of HTTP: an empty FastAPI POST on one core (uvicorn, httptools, uvloop), loaded by the same client as ours.

python -m benchmarks.peers.empty_post REQUESTS
"""

import os
import subprocess
import sys

from node.embedded.ports import free_port

from benchmarks.client import load
from benchmarks.load import report

APP = """
import uvicorn
from fastapi import FastAPI
app = FastAPI()
@app.post("/", status_code=201)
async def empty() -> dict[str, str]:
    return {}
uvicorn.run(app, host="127.0.0.1", port=int(__import__("sys").argv[1]), log_level="error", access_log=False)
"""


def main(requests: int) -> None:
    """Start the server in a process of its own, load it, stop it."""
    port = free_port()
    server = subprocess.Popen([sys.executable, "-c", APP, str(port)], cwd=os.getcwd())
    try:
        report(**load(port, requests, lambda _: ("/", {}, b"{}")))
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main(int(sys.argv[1]))
