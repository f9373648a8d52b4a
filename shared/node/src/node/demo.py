"""`tongxin demo`: a story played on a running node, each step in Chinese and English, with the proof that it stands in the history."""

import time

import typer
from foundation.log import proving
from foundation.log.reader import LogUnreadable
from foundation.record import decode, leaf_hash
from foundation.texts import LANGUAGES, Language, catalogue

from node.access import Access
from node.demo_bank import simulated_bank
from node.demo_kidney import Story, Told, payers, yuan
from node.demo_staff import Done, Staff
from node.errors import NotReady
from node.log import Opened, opened_log
from node.terminal import DataDir, command, err, opened, out

demo = typer.Typer(no_args_is_help=True, help="Play a story on the node here; what happens in it is recorded for good.")

PUBLISHED_SECONDS_MAX = 30
"""How long a checkpoint that covers a step is waited for."""


@command(demo, "assistance")
def assistance(data_dir: DataDir = None) -> None:
    """Kidney failure: a worker gets 15,000 yuan of mutual aid and 3,000 of relief at once, and the papers are owed.

    A simulated bank runs as long as this does. Each run is another worker. For nodes that try things out: it cannot be taken back.
    """
    folder = opened(data_dir)
    folder.supervised()
    access = Access(folder)
    story = Story(Staff(access), access.organisation)
    with err.status("the bank opens") as spinner, simulated_bank(folder, {one.account: one.holder for one in payers(access.organisation)}):
        for number, told in enumerate(story.steps(), 1):
            spinner.update(f"step {number}: waiting for its checkpoint")
            with opened_log(told.done.service, None, access.node_token(), folder.root) as log:
                _tell(number, told, log)
            spinner.update("the story goes on")
        owed = yuan(story.exposure())
    for language in LANGUAGES:
        out.print(_words("owed", language).format(yuan=owed), markup=False)
    out.print("tongxin log verify assistance", markup=False)


def _tell(number: int, told: Told, log: Opened) -> None:
    zh, en = (_words(told.key, language).format_map(told.values) for language in LANGUAGES)
    out.print(f"{number:>2}  {zh}\n    {en}", markup=False)
    out.print(_proof(told.done, log), markup=False, style="dim")


def _proof(done: Done, log: Opened) -> str:
    """Where the step's event stands, proved against the newest checkpoint. Raises Damage where the proof does not hold, NotReady."""
    deadline = time.monotonic() + PUBLISHED_SECONDS_MAX
    while True:
        try:
            proof = proving.prove(log.files, log.trust, done.position)
            break
        except LogUnreadable as error:
            if time.monotonic() > deadline:
                raise NotReady(f"no checkpoint of {done.service} holds position {done.position}", "see `tongxin status`") from error
            time.sleep(0.2)
    record = proving.record_at(log.files, log.trust, done.position)
    _, head = proving.check(f"position {done.position}", proof.encode(), record, log.trust)
    return (
        f"    {done.service} #{done.position}  {decode(record).type}  leaf {leaf_hash(record).hex()}\n"
        f"    in the checkpoint of {head.size} events, root {head.root.hex()[:16]}…; hashes in the proof: {len(proof.proof)}"
    )


def _words(key: str, language: Language) -> str:
    return catalogue("node", f"demo.{language}.po")[key]
