"""The simulated bank as a process that can be killed: `python money_bank.py FOLDER PORT BEHAVIOUR`, its behaviour as JSON."""

import sys
from pathlib import Path

import uvicorn
from simulated_bank.app import create_app
from simulated_bank.behaviour import Behaviour

HANG_SECONDS = 2.0

if __name__ == "__main__":
    folder, port, behaviour = sys.argv[1:]
    app = create_app(Path(folder), behaviour=Behaviour.model_validate_json(behaviour), hang_seconds=HANG_SECONDS)
    uvicorn.run(app, host="127.0.0.1", port=int(port), log_config=None, access_log=False)
