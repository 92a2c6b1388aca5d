"""A command as somebody copies it from the terminal."""

from __future__ import annotations

import subprocess


def copied(shown: str) -> list[str]:
    """Return the words of the first command after `replay`, over the ends of lines, as a shell reads them."""
    lines = iter(shown.splitlines())
    first = next(line.strip().removeprefix("replay") for line in lines if line.strip().startswith("replay "))
    command = [first]
    while command[-1].endswith("\\"):
        command.append(next(lines))
    printed = subprocess.run(
        ["sh", "-c", "printf '%s\\n' " + "\n".join(command)], capture_output=True, check=True, text=True
    )
    return printed.stdout.splitlines()
