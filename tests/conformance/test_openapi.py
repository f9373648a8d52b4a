"""What the services say of themselves in OpenAPI against what they do: schemathesis finds nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

from ..end_to_end.running_node import TOP
from .served import STEWARD, VILLAGE, Served

# Whether a well-formed person, day, code, cursor or position is accepted depends on what happened before, and on checksums that no JSON
# schema can express (GB 11643, GB 32100): a refusal of something well-formed is no fault. That it is a documented one is checked.
NOT_EXPRESSIBLE = "positive_data_acceptance"

# Without a token everything is a 401, the malformed too.
NOT_FOR_STRANGERS = f"{NOT_EXPRESSIBLE},negative_data_rejection"


def schemathesis(it: Served, service: str, folder: Path, *options: str, known: dict[str, str] | None = None) -> None:
    """Let it try everything: what the schema allows, what it forbids, every boundary, other methods; the same at every run.

    `known`: parameters that are to be these, so that requests are about something that is there.
    """
    if known:
        named = "\n".join(f'{name} = "{value}"' for name, value in known.items())
        (folder / "schemathesis.toml").write_text(f"[parameters]\n{named}\n")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{it.urls[service]}/openapi.json"),
            *("--mode", "all", "--generation-deterministic", "--no-color", *options),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def member(it: Served) -> str:
    return it.member(70)


@pytest.mark.parametrize("service", ["membership", "assistance"])
def test_schemathesis_finds_nothing(it: Served, tmp_path: Path, service: str) -> None:
    token = f"Authorization: {it.headers(STEWARD)['authorization']}"
    phases = ("--phases", "coverage,fuzzing", "--max-examples", "6")
    schemathesis(it, service, tmp_path, "--header", token, *phases, "--exclude-checks", NOT_EXPRESSIBLE)


@pytest.mark.parametrize("service", ["membership", "assistance"])
def test_schemathesis_finds_nothing_about_people_who_are_there(it: Served, member: str, tmp_path: Path, service: str) -> None:
    known = {"member": member, "person": member, "path.organisation": VILLAGE, "query.org": VILLAGE, "query.organisation": VILLAGE}
    token = f"Authorization: {it.headers(STEWARD)['authorization']}"
    only = ("--include-path-regex", "member|person|directory|organisation}|appointments$|rosters$")
    # Half of the addresses are given here, so breaking them breaks nothing.
    without = ("--exclude-checks", f"{NOT_EXPRESSIBLE},negative_data_rejection")
    phases = ("--phases", "fuzzing", "--max-examples", "8")
    schemathesis(it, service, tmp_path, "--header", token, *phases, *only, *without, known=known)


@pytest.mark.parametrize("service", ["membership", "assistance"])
def test_schemathesis_finds_nothing_without_a_token(it: Served, tmp_path: Path, service: str) -> None:
    before = it.head(service)
    schemathesis(it, service, tmp_path, "--phases", "fuzzing", "--max-examples", "3", "--exclude-checks", NOT_FOR_STRANGERS)
    assert it.head(service) == before


@pytest.mark.parametrize("service", ["membership", "assistance"])
def test_every_answer_is_documented_and_every_refusal_a_problem(it: Served, service: str) -> None:
    for template, operations in it.node.services[service].http.openapi()["paths"].items():
        for method, operation in operations.items():
            assert operation["description"], (method, template)
            for status, answer in operation["responses"].items():
                if (template, status) == ("/witness/add-checkpoint", "409"):
                    assert list(answer["content"]) == ["text/x.tlog.size"]  # as C2SP tlog-witness says
                elif status[0] in "45" and template != "/readyz":
                    assert list(answer["content"]) == ["application/problem+json"], (method, template, status)
            assert {"400", "404", "422", "500", "503"} <= set(operation["responses"]), (method, template)


def test_all_methods_at_an_address_are_named(it: Served) -> None:
    """It is two routes there, and the router knows one at a time."""
    answer = it.ask("OPTIONS", "/appointments")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")
    assert it.ask("PUT", "/members").headers["allow"] == "POST"


def test_the_node_still_stands(it: Served) -> None:
    """Whatever was tried above: nothing was a bug, and the views follow."""
    for service in it.urls:
        assert it.ask("GET", "/readyz", by=None, service=service).status_code == 200
        assert "tongxin_bugs_total 0.0" in it.ask("GET", "/metrics", by=None, service=service).text
    assert it.ask("GET", f"/organisations/{TOP}?at_least=membership:{it.head()}").status_code == 200
