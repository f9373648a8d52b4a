"""python -m simulated_bank --folder DIR [--port 8790] [--union-account 6222020000000001 --union-name 泰安市总工会 --fen N]"""

import argparse
from pathlib import Path

import uvicorn

from simulated_bank.app import create_app
from simulated_bank.behaviour import Behaviour
from simulated_bank.book import Account, Book


def main() -> None:
    """Serve on this machine only until told to stop."""
    parser = argparse.ArgumentParser(prog="simulated_bank", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where the log lies")
    parser.add_argument("--port", type=int, default=8790)
    parser.add_argument("--union-account", default="3709000000000001", help="the account that pays, opened at the first start")
    parser.add_argument("--union-name", default="泰安市总工会")
    parser.add_argument("--fen", type=int, default=1_000_000_000, help="what it holds at first, in fen")
    said = parser.parse_args()
    said.folder.mkdir(parents=True, exist_ok=True)
    if not (said.folder / "log.jsonl").exists():
        book = Book(said.folder / "log.jsonl", Behaviour())
        book.open_accounts([Account(said.union_account, said.union_name, fen=said.fen)])
    uvicorn.run(create_app(said.folder), host="127.0.0.1", port=said.port, log_config=None, access_log=False, server_header=False)


if __name__ == "__main__":
    main()
