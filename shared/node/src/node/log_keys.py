"""`tongxin log keys`: whom an auditor has to believe, to be handed over by another way than the log itself."""

import typer
from foundation.log.keys import LogKeys
from foundation.log.memory import LastSigned, MemoryUnreadable
from foundation.log.note import KeyMalformed

from node.databases import Secrets
from node.errors import NodeError
from node.folder import DataFolder
from node.terminal import AsJson, DataDir, command, opened, out
from node.topology import SERVICES


def register(log: typer.Typer) -> None:
    """Add the command."""

    @command(log, "keys")
    def keys(data_dir: DataDir = None, as_json: AsJson = False) -> None:
        """Print the verifier key of each service's log, one a line; with --json also the keys under which they witness each other."""
        found = of(opened(data_dir))
        if as_json:
            out.print_json(data=found)
        else:
            for each in found.values():
                print(each["log"])  # noqa: T201 - a key to be copied, without rich


def of(folder: DataFolder) -> dict[str, dict[str, str]]:
    """By service: the verifier key of its log in the epoch it is in, and that of its witness. Raises NodeError, UsageError."""
    kept = Secrets(folder.secrets).log
    log_keys = LogKeys(kept, folder.config().organisation)
    found = {}
    for service in SERVICES:
        try:
            public = log_keys.public(service.name)
            last = LastSigned(kept, service.name, log_keys).read()
            key = public.log if last is None else log_keys.log_of(last.origin)
        except KeyMalformed as error:
            raise NodeError(f"the log keys of {service.name} are missing or spoilt: {error}", "start the node with `tongxin up`") from error
        except MemoryUnreadable as error:
            raise NodeError(f"the last checkpoint signed by {service.name} cannot be read: {error}") from error
        found[service.name] = {"log": str(key), "witness": str(public.witness)}
    return found
