"""The password of `[target]`: written there, from the environment, or from a file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from loadgen.config.tables.schema import Target
from loadgen.errors import ConfigError

MOST_BYTES = 65536
"""The longest password file; a longer one is refused."""


def password(target: Target, environment: Mapping[str, str] = os.environ) -> str:
    """Return the password; empty for none. Raises ConfigError when the variable or the file named has no valid one."""
    if target.password_env:
        return _of_environment("target.password_env", target.password_env, environment)
    if target.password_file:
        return _of_file(target.password_file)
    return target.password


def sentinel_password(target: Target, environment: Mapping[str, str] = os.environ) -> str:
    """Return the password of the sentinels; empty for none. Raises ConfigError when the variable has none."""
    return _of_environment("target.sentinel_password_env", target.sentinel_password_env, environment)


def _of_environment(key: str, name: str | None, environment: Mapping[str, str]) -> str:
    if not name:
        return ""
    if not (found := environment.get(name, "")):
        raise ConfigError([f"{key}: {name} is not set in the environment, or empty."])
    try:
        found.encode()
    except UnicodeEncodeError:
        raise ConfigError([f"{key}: {name} is no text in UTF-8."]) from None
    return found


def _of_file(path: str) -> str:
    key = f"target.password_file: {path}"
    try:
        with Path(path).open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        text = data.decode()
    except OSError as error:
        raise ConfigError([f"{key} cannot be read: {error.strerror}."]) from None
    except UnicodeDecodeError:
        raise ConfigError([f"{key} is no text in UTF-8."]) from None
    if len(data) > MOST_BYTES:
        raise ConfigError([f"{key} has more than {MOST_BYTES} bytes, which is no password."])
    # Editors and `echo` add the line end. Blanks may belong to the password.
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise ConfigError([f"{key} is empty."])
    return text
