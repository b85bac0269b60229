"""What the scenarios need of the machine, and how to get it: told before anything is started."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

PACKAGES: Final = {
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "ip": "iproute2",
    "tc": "iproute2",
    "nft": "nftables",
    "strace": "strace",
    "fsfreeze": "util-linux",
    "mkfs.ext4": "e2fsprogs",
    "mount": "mount",
}
"""Commands, and the Debian package that has each."""

ALWAYS: Final = ("unshare", "nsenter", "setpriv", "ip")

_FAKETIME: Final = "faketime/libfaketimeMT.so.1"


def faketime_library() -> Path | None:
    """Give the library that shifts a process's wall clock."""
    folders = [Path("/usr/lib"), Path("/usr/lib64"), *Path("/usr/lib").glob("*-linux-gnu")]
    return next((at for folder in folders if (at := folder / _FAKETIME).exists()), None)


def missing(tools: Iterable[str]) -> list[str]:
    """Say what is missing for scenarios that use tools, each with how to get it."""
    if sys.platform != "linux":
        return ["Linux: the faults are made with its namespaces"]
    found = [hint for tool in sorted({*ALWAYS, *tools}) if (hint := _how_to_get(tool))]
    if os.geteuid() != 0:
        found.append("root: run it with sudo, or in a virtual machine of your own")
    elif not found and not _may_make_namespaces():
        found.append("the right to make namespaces: a container needs CAP_SYS_ADMIN, CAP_NET_ADMIN")
    return found


def _how_to_get(tool: str) -> str:
    """Say how to get a tool; empty if it is there."""
    if tool == "faketime":
        return "" if faketime_library() else "libfaketime: apt-get install faketime"
    if tool == "tun":
        return "" if Path("/dev/net/tun").exists() else "the device /dev/net/tun: modprobe tun"
    return "" if shutil.which(tool) else f"{tool}: apt-get install {PACKAGES[tool]}"


def _may_make_namespaces() -> bool:
    tried = ["unshare", "--net", "--mount", "ip", "link", "set", "lo", "up"]
    return subprocess.run(tried, capture_output=True, check=False).returncode == 0
