"""Fuzzes one target, or each in turn, with atheris: ``make fuzz ARGS="entry --seconds 600"``.

What is new is kept in a scratch corpus beside the checkout's cache, never in the repository; a crash
is written to ``tests/fuzz/crashes/NAME/``, where the next run of the tests finds it again until it is
mended.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
SCRATCH: Final = HERE.parent.parent / ".fuzz"
LONGEST: Final = {
    "courier-file": 36864,
    "evidence": 65536,
    "records": 40960,
    "first-unit": 4096,
    "second-unit": 4096,
    "succession": 24576,
    "passphrase": 4096,
    "result": 64,
}
"""Bytes of an input; 20000 where nothing else is said: a card in its armour is ten."""


def names() -> list[str]:
    """Give all targets, without loading what they fuzz."""
    return sorted(path.name for path in (HERE / "corpus").iterdir())


def fuzz(name: str, seconds: int) -> None:
    """Fuzz one target in this process, and leave it: libFuzzer ends the process."""
    import atheris

    sys.path.insert(0, str(HERE.parent))
    with atheris.instrument_imports(include=["hotline", "msgpack"]):
        from fuzz import targets
    grown, crashes = SCRATCH / name, HERE / "crashes" / name
    for folder in (grown, crashes):
        folder.mkdir(parents=True, exist_ok=True)
    atheris.Setup(
        [
            name,
            f"-max_total_time={seconds}",
            f"-max_len={LONGEST.get(name, 20000)}",
            "-rss_limit_mb=2048",
            "-timeout=10",
            "-print_final_stats=1",
            "-verbosity=0",
            f"-artifact_prefix={crashes}/",
            str(grown),
            str(HERE / "corpus" / name),
            str(crashes),
        ],
        lambda data: targets.run(name, data),
    )
    atheris.Fuzz()


def main() -> int:
    """Fuzz what was asked for; tells by the exit code whether anything crashed."""
    parser = argparse.ArgumentParser(description="Fuzz Hotline's decoders.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"any of {', '.join(names())}")
    parser.add_argument("--seconds", type=int, default=600, help="for each target (default: 600)")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    unknown = set(asked.targets) - set(names())
    if unknown:
        parser.error(f"there is no target {', '.join(sorted(unknown))}")
    if asked.inside:
        fuzz(asked.targets[0], asked.seconds)
        return 0
    failed = []
    for name in asked.targets or names():
        command = [sys.executable, __file__, name, "--seconds", str(asked.seconds), "--inside"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        stats = dict(
            line.removeprefix("stat::").split(":", 1)
            for line in done.stderr.splitlines()
            if line.startswith("stat::")
        )
        runs = stats.get("number_of_executed_units", "?").strip()
        print(
            f"{name:<12} {runs:>10} inputs  {'ok' if done.returncode == 0 else 'CRASHED'}",
            flush=True,
        )
        if done.returncode:
            failed.append(name)
            print(done.stderr[-4000:], file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
