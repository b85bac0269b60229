"""What makes the shell know the verbs."""

from __future__ import annotations

from typing import Any

from hotline.cli.parsers.declare import verb


def add(verbs: Any) -> None:
    """Declare completion."""
    completion = verb(
        verbs,
        "completion",
        "hotline.cli.verbs.completion",
        "print a shell's completion script",
        """hotline completion bash > /etc/bash_completion.d/hotline
        hotline completion zsh > ~/.zfunc/_hotline
        hotline completion fish > ~/.config/fish/completions/hotline.fish""",
    )
    completion.add_argument("shell", choices=("bash", "zsh", "fish"))
