"""The TlsPlan of `[target]`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

from loadgen.config.tables.schema import Target
from loadgen.errors import ConfigError
from loadgen.plan import TlsPlan

_KEYS = tuple(field.name for field in fields(TlsPlan) if field.name != "key_password")
"""The fields of a plan that are keys of the same name, after `tls_`."""


def tls_plan(target: Target, environment: Mapping[str, str] = os.environ) -> TlsPlan | None:
    """Return how connections are encrypted; None for plain text. Raises ConfigError for a variable that is not set."""
    if not target.tls:
        return None
    return TlsPlan(
        verify=target.tls_verify,
        hostname=target.tls_hostname or "",
        ca_file=_absolute(target.tls_ca_file),
        ca_dir=_absolute(target.tls_ca_dir),
        cert=_absolute(target.tls_cert),
        key=_absolute(target.tls_key),
        key_password=_key_password(target.tls_key_password_env, environment),
        min_version=target.tls_min_version or "",
        max_version=target.tls_max_version or "",
        ciphers=target.tls_ciphers or "",
        ciphersuites=target.tls_ciphersuites or "",
        resume=target.tls_resume,
    )


def tls_keys(plan: TlsPlan | None) -> dict[str, object]:
    """Return the keys of the configuration that make such a plan, but for the password of a key."""
    if plan is None:
        return {}
    given = {name: getattr(plan, name) for name in _KEYS if getattr(plan, name) != getattr(TlsPlan(), name)}
    return {"target.tls": True, **{f"target.tls_{name}": value for name, value in given.items()}}


def _absolute(path: str | None) -> str:
    return str(Path(path).absolute()) if path else ""


def _key_password(variable: str | None, environment: Mapping[str, str]) -> str:
    if variable is None:
        return ""
    if not (found := environment.get(variable, "")):
        raise ConfigError([f"target.tls_key_password_env: {variable} is not set in the environment, or empty."])
    return found
