"""The rules that keep the parts apart, and proof that each of them fires."""

import ast
import json
import re
import shutil
import subprocess
import sys
import tokenize
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from node.parts import KeeperPart
from node.topology import BASE_PORT, POSTGRES_SETTINGS, SERVICES, VAULT_SETTINGS

ROOT = Path(__file__).parents[2]
PACKAGES = {
    path.name: path for path in sorted([*ROOT.glob("shared/*/src/*"), *ROOT.glob("services/*/src/*")]) if (path / "__init__.py").exists()
}

ADAPTERS = {
    *("aiokafka", "asyncpg", "fastapi", "httpx", "starlette"),
    *("asyncio", "os", "pathlib", "random", "secrets", "socket", "subprocess", "time"),
}
"""What a pure module has no use for: it is given the time, ids and everything else from outside."""

DOMAIN = (
    "member|membership|unions|trade union|organi[sz]ations?|rosters?|hardship|grassroots|townships?|cadres?|petitions?|workers_congress"
)
UNION_WORDS = re.compile(rf"(?<![a-z])({DOMAIN})(?![a-z])")
"""Words of the domain. foundation could serve any trade; it knows streams, subjects, scopes and principals.

`members` and `union` are missing on purpose: the first is what RFC 9457 calls the fields of a problem document, the second is SQL's.
"""


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on a tree's own sources."""
    sources = ":".join(str(path) for path in [*sorted(folder.glob("shared/*/src")), *sorted(folder.glob("services/*/src"))])
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()", "--no-cache"]
    return subprocess.run(command, cwd=folder, env={"PYTHONPATH": sources, "PATH": ""}, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources, to be broken on purpose."""
    folder = tmp_path_factory.mktemp("tree")
    for part in ("shared", "services"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", "tests", "*.csv"))
    shutil.copy(ROOT / ".importlinter", folder)
    return folder


def test_the_tree_keeps_its_import_contracts(tree: Path) -> None:
    done = lint_imports(tree)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("package", "line", "broken"),
    [
        ("assistance", "import membership", "Services meet through contracts"),
        ("foundation", "import membership", "Node runs services"),
        ("foundation", "import node", "Node runs services"),
        ("contracts", "import foundation", "Node runs services"),
        ("contracts", "import asyncpg", "Contracts do no I/O"),
    ],
)
def test_a_seeded_violation_is_caught(tree: Path, package: str, line: str, broken: str) -> None:
    seeded = tree / PACKAGES[package].relative_to(ROOT) / "seeded_violation.py"
    seeded.write_text(line + "\n")
    try:
        done = lint_imports(tree)
    finally:
        seeded.unlink()
    assert done.returncode == 1, done.stdout + done.stderr
    assert re.search(rf"{re.escape(broken)}.* BROKEN", done.stdout), done.stdout


def pure_modules() -> Iterator[Path]:
    """The modules that decide: those of a service that define `decide` or `evolve`, and everything in contracts."""
    yield from PACKAGES["contracts"].rglob("*.py")
    for service in ROOT.glob("services/*/src/*"):
        for path in service.rglob("*.py"):
            names = {node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)}
            if names & {"decide", "evolve"}:
                yield path


def imported(source: str) -> set[str]:
    """The top-level packages, and the full modules, that a source names in imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found | {name.split(".")[0] for name in found}


def impurities(source: str) -> set[str]:
    """What a pure module should not import, or call."""
    foundation_adapters = {
        name for name in imported(source) if re.match(r"foundation\.(store\.postgres|broker\.kafka|vault\.postgres|http|service)", name)
    }
    calls = {found.group() for found in re.finditer(r"datetime\.(now|today|utcnow)\(|date\.today\(|uuid[47]\(|random_id\(", source)}
    return (imported(source) & ADAPTERS) | foundation_adapters | calls


def test_pure_modules_import_no_adapter() -> None:
    wrong = {str(path.relative_to(ROOT)): found for path in pure_modules() if (found := impurities(path.read_text()))}
    assert wrong == {}


@pytest.mark.parametrize("line", ["import asyncpg", "from foundation.http import problems", "now = datetime.now(UTC)", "id = uuid4()"])
def test_an_impure_module_is_caught(line: str) -> None:
    assert impurities(f"def decide(): ...\n{line}\n")


def test_the_command_line_does_not_wait_for_a_web_framework() -> None:
    # These two and what they bring took a third of the time until a command begins.
    asked = "import sys, node.cli; print(*{'fastapi', 'starlette', 'opentelemetry.sdk'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == []


def words(identifier: str) -> str:
    """`memberId`, `MEMBER_ID` and `MemberId` as lower-case words."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", identifier).replace("_", " ").lower()


def union_words(path: Path) -> list[str]:
    """Where a file's names, one-word strings (a table, a role, a service) or SQL speak of the domain. Prose may: it gives examples."""
    if path.suffix == ".sql":
        lines = enumerate(path.read_text().splitlines(), 1)
        spoken = [(number, line.split("--")[0]) for number, line in lines]
    else:
        with tokenize.open(path) as file:
            tokens = list(tokenize.generate_tokens(file.readline))
        wanted = [
            each
            for each in tokens
            if each.type == tokenize.NAME or (each.type == tokenize.STRING and re.fullmatch(r"\W*[\w.]+\W*", each.string))
        ]
        spoken = [(token.start[0], token.string) for token in wanted]
    return [f"{path.name}:{number}: {text.strip()}" for number, text in spoken if UNION_WORDS.search(words(text))]


def test_foundation_knows_no_union() -> None:
    files = [path for path in sorted(PACKAGES["foundation"].rglob("*")) if path.suffix in {".py", ".sql"}]
    assert len(files) > 10
    assert [word for path in files for word in union_words(path)] == []


@pytest.mark.parametrize("line", ["MemberId = str", "organisation_code = 1", 'role = "membership"'])
def test_a_union_word_is_caught(tmp_path: Path, line: str) -> None:
    (tmp_path / "module.py").write_text(line + "\n")
    assert union_words(tmp_path / "module.py")


def tracked() -> list[Path]:
    """Files under version control; in an export without one, every text file of the project."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_no_file_names_a_package_registry_or_a_place_on_one_machine() -> None:
    locked = re.compile(r"https?://")
    places = {f"{place}/" for place in (Path.home(), ROOT.parent) if len(place.parts) > 1}
    machine = re.compile("|".join(map(re.escape, sorted(places))) or "(?!)")
    wrong = []
    for path in tracked():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        if (path.suffix == ".lock" or "requirements" in path.name) and locked.search(text):
            wrong.append(f"{path.relative_to(ROOT)} names a host")
        if machine.search(text):
            wrong.append(f"{path.relative_to(ROOT)} names a place of this machine")
    assert wrong == []


def test_every_workspace_member_is_installed_by_make() -> None:
    members = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]["workspace"]["members"]
    line = next(line for line in (ROOT / "Makefile").read_text().splitlines() if line.startswith("MEMBERS :="))
    assert line.split(":=")[1].split() == members


def test_compose_runs_what_the_topology_says() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    for service in SERVICES:
        run = compose[service.name]
        assert run["command"] == f"python -m {service.name}"
        assert run["environment"]["TONGXIN_PORT"] == BASE_PORT + service.port
        assert json.loads(run["environment"]["TONGXIN_SOURCES"])[service.name].endswith(f":{BASE_PORT + service.port}")
        assert [port.rsplit(":", 1)[1] for port in run["ports"]] == [str(BASE_PORT + service.port)]
    assert compose[KeeperPart.NAME]["command"] == "python -m node.keeping"
    for server, settings in (("postgres", POSTGRES_SETTINGS), ("vault", VAULT_SETTINGS)):
        told = set(compose[server]["command"].split()) - {"-c"}
        assert told == {f"{name}={value}" for name, value in settings.items() if name != "listen_addresses"}


def test_every_workspace_member_is_in_the_image() -> None:
    members = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]["workspace"]["members"]
    assert re.findall(r"\./(\S+)", (ROOT / "Dockerfile").read_text()) == members
