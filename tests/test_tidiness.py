"""House rules that no linter knows: the one law by ast, small modules, nothing dead or leaked.

Each checker is a plain function over text, and each is run on a planted fault as well: a checker
that cannot fail proves nothing.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "hotline"
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())

MAX_FUNCTION_LINES = 70
MAX_FILE_LINES = 500

# The packages that may touch the clock; all others are given the time.
AT_OR_ABOVE_DAEMON = ("hotline.cli", "hotline.daemon")
AMBIENT = re.compile(
    r"(?:time|random|secrets|uuid)\..+"
    r"|os\.(?:urandom|getrandom|times)"
    r"|datetime\.(?:datetime|date)\.(?:now|utcnow|today)"
    r"|cryptography\..+\.generate\w*"  # keys come from seeds, and seeds are arguments
)

# Noise's GENERATE_KEYPAIR leaves the secret in OpenSSL; a handshake is given it as an argument.
GENERATE_KEYPAIR = (
    "hotline.noise.dh",
    "cryptography.hazmat.primitives.asymmetric.x25519.X25519PrivateKey.generate",
)

TOP_LEVEL = frozenset(
    ".ci .gitignore CHANGELOG.md LICENSE Makefile README.md"
    " config docs hotline keys pyproject.toml tests".split()
)

MARKER_WORD = re.compile(r"\b(?:T[O]DO|F[I]XME|X[X]X)\b")
REGISTRY = re.compile(r"(?:pypi|pythonhosted)\.org|-(?:index-url|find-links|trusted-host)\b")
ABSOLUTE_PATH = re.compile(r"""(?:^|(?<=[\s"'`=(]))/([A-Za-z][\w.-]*)/[\w.-]""", re.MULTILINE)
# An installed system has these; any other absolute path is somebody's own machine.
SYSTEM_FOLDERS = frozenset(
    ("bin", "dev", "etc", "lib", "opt", "proc", "run", "srv", "sys", "usr", "var")
)

LOCK_LINE = re.compile(
    r"[a-z0-9-]+==[A-Za-z0-9.]+( ; [^:@\\]+)? \\"  # a name, one version, perhaps a marker
    r"|    --hash=sha256:[0-9a-f]{64}( \\)?"
)

LOCKS = {
    "requirements.txt": ["build"],
    "requirements-dev.txt": ["build", "dev"],
    "requirements-audit.txt": ["audit"],
    "requirements-bench.txt": ["bench"],
    "requirements-fuzz.txt": ["fuzz"],
}


# --- the checkers ---------------------------------------------------------------------------------


def module_name(path: Path) -> str:
    """Give the dotted name of a file in the package."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_names(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Give (local name, dotted origin) for every import, wherever it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.asname:
                    yield alias.asname, alias.name
                else:
                    top = alias.name.partition(".")[0]
                    yield top, top
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def dotted(node: ast.expr, origins: dict[str, str]) -> str | None:
    """Give the full dotted name that an expression refers to, if it is one."""
    if isinstance(node, ast.Name):
        return origins.get(node.id)
    if isinstance(node, ast.Attribute):
        base = dotted(node.value, origins)
        return base and f"{base}.{node.attr}"
    return None


def ambient_uses(source: str) -> list[str]:
    """Find every reference to a clock or to randomness, called or passed on."""
    tree = ast.parse(source)
    origins = dict(imported_names(tree))
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute):
            name = dotted(node, origins)
            if name and AMBIENT.fullmatch(name):
                found.append(name)
    return found


def long_functions(source: str) -> list[str]:
    """Find functions over the limit, counted from `def` to the last line."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > MAX_FUNCTION_LINES:
                found.append(f"{node.name}: {lines} lines")
    return found


def references(source: str, package: str) -> set[str]:
    """Give every module that a source may refer to: by import, or by its name in a string."""
    tree = ast.parse(source)
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")
                parents = parents[: len(parents) - node.level + 1]
                base = ".".join([*parents, *filter(None, [node.module])])
            found.add(base)
            found.update(f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)  # a verb may be found by the dotted name of its module
    return found


def dead_modules(sources: dict[str, str], packages: set[str], entries: set[str]) -> set[str]:
    """Find the modules that no other module refers to and that nobody starts."""
    used = set(entries)
    for name, source in sources.items():
        package = name if name in packages else name.rpartition(".")[0]
        used |= references(source, package) - {name}
    alive = {name for name in sources if name in used}
    alive |= {p for p in packages if any(name.startswith(f"{p}.") for name in alive)}
    return set(sources) - alive


def leaks(text: str) -> list[str]:
    """Find marker words, registry addresses and paths of somebody's own machine."""
    found = [match[0] for match in MARKER_WORD.finditer(text)]
    found += [match[0] for match in REGISTRY.finditer(text)]
    found += [m[0] for m in ABSOLUTE_PATH.finditer(text) if m[1] not in SYSTEM_FOLDERS]
    return found


def lock_faults(text: str) -> list[str]:
    """Find lines of a lock file that are anything but an exact version and its hashes."""
    faults = [line for line in text.splitlines() if not LOCK_LINE.fullmatch(line)]
    blocks = re.split(r"^(?=\S)", text, flags=re.MULTILINE)[1:]
    faults += [block for block in blocks if "--hash=" not in block]
    return faults


def misnumbered(names: list[str]) -> list[str]:
    """Find decision records whose names do not count 0001, 0002, 0003 ... without a hole."""
    found = [name for name in names if not re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", name)]
    numbered = sorted(set(names) - set(found))
    found += [name for n, name in enumerate(numbered, start=1) if int(name[:4]) != n]
    return found


def python_files() -> list[Path]:
    """List the sources of the package."""
    return sorted(PACKAGE.rglob("*.py"))


def text_files() -> list[Path]:
    """List every text file that belongs to the project, without asking git, which may be absent."""
    files = [path for path in ROOT.iterdir() if path.is_file() and path.name != ".git"]
    for folder in (".ci", "config", "docs", "hotline", "tests"):
        files += [path for path in (ROOT / folder).rglob("*") if path.is_file()]
    files += (ROOT / "keys").glob("*.md")
    return sorted(path for path in files if is_text(path))


def is_text(path: Path) -> bool:
    """Tell whether a file is UTF-8 text, no cache, and no fuzzer's input, which may spell anything."""
    if {"__pycache__", "corpus", "crashes"} & set(path.parts) or path.suffix == ".key":
        return False
    try:
        path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return False
    return True


# --- the tree keeps the rules ---------------------------------------------------------------------


def below_daemon(path: Path) -> bool:
    """Tell whether the one law holds for a file."""
    name = module_name(path)
    return not any(name == top or name.startswith(f"{top}.") for top in AT_OR_ABOVE_DAEMON)


def test_the_core_takes_time_and_randomness_as_arguments() -> None:
    """One hidden clock below the daemon, and the simulator no longer decides what happens."""
    found = {
        (module_name(path), name)
        for path in python_files()
        if below_daemon(path)
        for name in ambient_uses(path.read_text())
    }
    assert found - {GENERATE_KEYPAIR} == set()


def test_functions_and_files_stay_small() -> None:
    """A module nobody can hold in mind is a module nobody reviews."""
    found: dict[str, list[str]] = {}
    for path in python_files():
        source = path.read_text()
        faults = long_functions(source)
        if (lines := len(source.splitlines())) > MAX_FILE_LINES:
            faults.append(f"{lines} lines in the file")
        if faults:
            found[module_name(path)] = faults
    assert found == {}


def test_no_module_is_dead() -> None:
    """Code that only tests import is weight that a reviewer must still read."""
    sources = {module_name(path): path.read_text() for path in python_files()}
    packages = {module_name(path) for path in python_files() if path.name == "__init__.py"}
    entries = {target.partition(":")[0] for target in PROJECT["project"]["scripts"].values()}
    entries |= {name for name in sources if name.endswith(".__main__")}
    assert dead_modules(sources, packages, entries) == set()


def test_every_folder_of_sources_is_a_package() -> None:
    """A folder without __init__.py is left out of the built wheel without a word."""
    folders = {path.parent for path in python_files()}
    assert [str(f.relative_to(ROOT)) for f in folders if not (f / "__init__.py").exists()] == []


def test_every_data_file_is_packaged() -> None:
    """A schema that only an editable install can see would break every real one."""
    globs = PROJECT["tool"]["setuptools"]["package-data"]["*"]
    packages = [path.parent for path in python_files() if path.name == "__init__.py"]
    packaged = {path for package in packages for glob in globs for path in package.glob(glob)}
    present = {path for path in PACKAGE.rglob("*") if path.is_file() and path.suffix != ".py"}
    present = {path for path in present if "__pycache__" not in path.parts}
    assert sorted(str(path.relative_to(ROOT)) for path in present - packaged) == []


def test_the_top_level_holds_what_belongs_there() -> None:
    """What a tool leaves in the working folder is committed with the next `git add -A`."""
    ignored = [line.strip("/") for line in (ROOT / ".gitignore").read_text().splitlines()]
    present = {path.name for path in ROOT.iterdir() if path.name != ".git"}
    stray = {name for name in present if not any(fnmatch(name, one) for one in ignored)}
    assert stray == TOP_LEVEL


def test_nothing_unfinished_and_no_machine_of_ours_is_mentioned() -> None:
    """A released tree must not tell where it was made, nor promise what it does not do."""
    found = {
        str(path.relative_to(ROOT)): faults
        for path in text_files()
        if (faults := leaks(path.read_text(encoding="utf-8")))
    }
    assert found == {}


@pytest.mark.parametrize("name", LOCKS)
def test_lock_files_hold_versions_and_hashes_only(name: str) -> None:
    """An address or an option in a lock file decides where code comes from, unseen."""
    assert lock_faults((ROOT / ".ci" / name).read_text()) == []


@pytest.mark.parametrize(
    ("name", "groups"),
    LOCKS.items(),
)
def test_lock_files_cover_the_project(name: str, groups: list[str]) -> None:
    """A dependency added without locking would be missing, or fetched without a hash."""
    wanted = list(PROJECT["project"]["dependencies"])
    if "build" in groups:
        wanted += PROJECT["build-system"]["requires"]
    for group in groups:
        wanted += [line for line in PROJECT["dependency-groups"][group] if isinstance(line, str)]
    locked = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / ".ci" / name).read_text(), re.MULTILINE))
    assert {re.split(r"[<>=~!]", line)[0] for line in wanted} - locked == set()


def test_decisions_are_numbered() -> None:
    """A decision is cited by its number for ever: no number twice, none missing."""
    folder = ROOT / "docs" / "decisions"
    assert misnumbered([p.name for p in folder.glob("*.md") if p.name != "README.md"]) == []


# --- the operator's verbs are quick ---------------------------------------------------------------

HEAVY = ("apsw", "cryptography", "structlog", "trio")
PROBE = """
import sys
from hotline.cli.main import entry
sys.argv[0] = "hotline"
try:
    code = entry()
except SystemExit as stop:
    code = stop.code
import json
print(json.dumps([code or 0, sorted({name.partition(".")[0] for name in sys.modules})]))
"""
NOT_REACHABLE = 3


def probe(config: Path, *arguments: str, before: str = "") -> tuple[int, set[str]]:
    """Run one verb in a fresh interpreter; give its exit code and the heavy modules it loaded."""
    done = subprocess.run(
        [sys.executable, "-c", before + PROBE, "--config", str(config), *arguments],
        cwd=config.parent,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    code, modules = json.loads(done.stdout.splitlines()[-1])
    return code, set(modules) & set(HEAVY)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a station whose daemon is not running."""
    folder = tmp_path_factory.mktemp("station")
    subprocess.run(
        [sys.executable, "-c", PROBE, "init", "north", "--dir", str(folder)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=True,
    )
    return folder / "hotline.toml"


@pytest.mark.parametrize(
    "verb",
    ["send south hello", "inbox", "outbox", "status --json", "retry"],
)
def test_client_verbs_load_nothing_heavy(config: Path, verb: str) -> None:
    """An operator's command that loads the daemon's libraries keeps the operator waiting.

    The exit code shows that the verb went all the way to the missing daemon.
    """
    assert probe(config, *verb.split()) == (NOT_REACHABLE, set())


def test_the_probe_sees_a_heavy_import(config: Path) -> None:
    """Without this, a probe that looks in the wrong place would pass for ever."""
    assert probe(config, "status", before="import structlog") == (NOT_REACHABLE, {"structlog"})


# --- the checkers can fail ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "source",
    [
        "import time\nnow = time.monotonic()",
        "from time import monotonic as tick\ndef f(now=tick): ...",
        "import os\nseed = os.urandom(32)",
        "from os import urandom\nseed = urandom(32)",
        "import os as system\nsystem.getrandom(8)",
        "import datetime\ndatetime.datetime.now(datetime.UTC)",
        "from datetime import datetime, UTC\ndef f():\n    return datetime.now(UTC)",
        "def f():\n    import secrets\n    return secrets.token_bytes(8)",
        "from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey as K\n"
        "key = K.generate()",
    ],
)
def test_ambient_uses_are_found(source: str) -> None:
    """Every way to reach a clock or to draw randomness is seen, under any name."""
    assert ambient_uses(source) != []


@pytest.mark.parametrize(
    "source",
    [
        "def f(now, time):\n    return time.monotonic() + now",
        "from datetime import UTC, datetime\ndef f(s):\n    return datetime.fromtimestamp(s, UTC)",
        "import os\nos.fsync(3)",
        "from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey as K\n"
        "def f(seed):\n    return K.from_private_bytes(seed)",
    ],
)
def test_arguments_are_not_ambient(source: str) -> None:
    """A clock that was passed in is exactly what the law asks for."""
    assert ambient_uses(source) == []


def test_a_long_function_is_found() -> None:
    """The limit itself is allowed, one line more is not."""
    body = "    x = 1\n"
    assert long_functions("def f():\n" + body * (MAX_FUNCTION_LINES - 1)) == []
    assert long_functions("async def f():\n" + body * MAX_FUNCTION_LINES) == ["f: 71 lines"]


def test_a_dead_module_is_found() -> None:
    """An import of itself does not keep a module alive; a relative import or a name does."""
    sources = {
        "p": "",
        "p.main": "from . import used\nVERBS = {'x': 'p.late'}",
        "p.used": "from p.sub.deep import thing",
        "p.late": "",
        "p.sub": "",
        "p.sub.deep": "",
        "p.dead": "import p.dead",
        "p.husk": "",
    }
    assert dead_modules(sources, {"p", "p.sub", "p.husk"}, {"p.main"}) == {"p.dead", "p.husk"}


@pytest.mark.parametrize(
    "text",
    [
        "# T" + "ODO later",
        "# F" + "IXME",
        "pip install --index" + "-url x",
        "see https://py" + "pi.org/p",
        'open("/' + 'home/me/x")',
        "run /" + "root/x",
    ],
)
def test_leaks_are_found(text: str) -> None:
    """Each kind of leak is seen in the form it takes in real text."""
    assert leaks(text) != []


def test_ordinary_text_is_no_leak() -> None:
    """Rules that cry at every slash are rules that get switched off."""
    assert leaks("read/wilco at /etc/hotline/hotline.toml, https://example.org/a/b") == []


def test_lock_faults_are_found() -> None:
    """Only an exact version with a hash may stand in a lock file."""
    digest = "--hash=sha256:" + "0" * 64
    assert lock_faults(f"a==1.0 \\\n    {digest}\nb==2 ; os_name == 'nt' \\\n    {digest}\n") == []
    assert lock_faults(f"a>=1.0 \\\n    {digest}\n") != []
    assert lock_faults("a==1.0 \\\n") != []
    assert lock_faults(f"--extra-x y\na==1.0 \\\n    {digest}\n") != []
    assert lock_faults(f"a @ https://example.org/a.whl \\\n    {digest}\n") != []


def test_misnumbered_decisions_are_found() -> None:
    """A hole, a number used twice and a name without a number are three different faults."""
    assert misnumbered(["0001-a.md", "0002-b.md"]) == []
    assert misnumbered(["0001-a.md", "0003-b.md"]) == ["0003-b.md"]
    assert misnumbered(["0001-a.md", "0001-b.md"]) == ["0001-b.md"]
    assert misnumbered(["notes.md"]) == ["notes.md"]
