"""`[target.server]`: a server that loadgen itself starts, watches and ends.

Only the keys are known here, not the port that replaces `{port}`, nor how a process is started.
"""

from __future__ import annotations

import json
import re
import shlex
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, field_validator

from loadgen.config.tables.refused import ProblemCode, Refused
from loadgen.config.tables.table import Table, duration_key
from loadgen.config.tables.values import COUNT_IN_TEXT, CpuList, Duration, PositiveDuration

PLACEHOLDERS = ("{host}", "{port}", "{dir}", "{socket}")

_PLACEHOLDER = re.compile(r"\{[A-Za-z_][A-Za-z0-9_]*\}")
"""Other braces, such as those of JSON, are left as they are."""

MOST_MASTERS = 100
MOST_REPLICAS = 5

OURS = ("server.log", ".loadgen", ".loadgen-new")
"""The files that loadgen itself puts into a server's folder: the log, and the marks of a folder in use."""

_LONGEST_NAME = 255
"""The longest file name in bytes: NAME_MAX of Linux's file systems."""

_SPLIT_COMMAND = '["redis-server", "--port", "{port}"]'


def has(placeholder: str, server: Server) -> bool:
    """True when a server is given what the placeholder stands for: in its command, its environment or its files."""
    return any(placeholder in text for text in (*server.command, *server.env.values(), *server.files.values()))


def is_list(command: object) -> object:
    if not isinstance(command, str):
        return command
    try:
        words = shlex.split(command)
    except ValueError:
        words = []
    # A list of texts is spelled alike in JSON and in TOML.
    shown = json.dumps(words, ensure_ascii=False) if words else _SPLIT_COMMAND
    raise Refused(ProblemCode.WRONG_TYPE, f"is one text, and no shell takes it apart; write a list: {shown}")


def _for_a_process(text: str) -> str:
    if "\0" in text:
        raise Refused(ProblemCode.BAD_CHARACTER, "has a null character, which no process can be given; leave it out")
    return text


def _with_placeholders(text: str) -> str:
    for found in _PLACEHOLDER.findall(text):
        if found not in PLACEHOLDERS:
            raise Refused(
                ProblemCode.BAD_PLACEHOLDER,
                f"has {found}, which stands for nothing; what is filled in is {', '.join(PLACEHOLDERS)}",
            )
    return text


def _without_placeholders(text: str) -> str:
    for found in _PLACEHOLDER.findall(text):
        if found in PLACEHOLDERS:
            raise Refused(
                ProblemCode.BAD_PLACEHOLDER,
                f"has {found}, which is filled in in command, env and files only; write the path itself",
            )
    return text


def _some_name(text: str) -> str:
    if not text:
        raise Refused(ProblemCode.EMPTY, "is empty; write a path, or leave the key out")
    return text


def _regular_expression(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f'"{text}" is not a regular expression ({error}); write one of Python\'s re') from None
    if re.search(text, ""):
        raise Refused(ProblemCode.MATCHES_ALL, f'"{text}" is found in every line; write what marks an error')
    return text


BuildWord = Annotated[str, AfterValidator(_for_a_process), AfterValidator(_without_placeholders)]
"""A word of a build command, without placeholders: there is no port yet, and no folder."""

Word = Annotated[str, AfterValidator(_for_a_process), AfterValidator(_with_placeholders)]
"""Text for the server, in which placeholders are filled in."""

FilePath = Annotated[
    str, AfterValidator(_some_name), AfterValidator(_for_a_process), AfterValidator(_without_placeholders)
]

Pattern = Annotated[str, AfterValidator(_regular_expression)]


class ServerCluster(Table):
    """A Redis Cluster of started nodes, each by target.server.command: formed before the load, ended after it."""

    masters: Annotated[int, Field(ge=1, le=MOST_MASTERS), COUNT_IN_TEXT] = Field(
        default=3, description="Number of masters, which share the slots evenly. A fail-over takes 3."
    )
    replicas_per_master: Annotated[int, Field(ge=0, le=MOST_REPLICAS), COUNT_IN_TEXT] = Field(
        default=1, description="Number of replicas of each master; 0: none can take over."
    )


class Server(Table):
    """A server that loadgen starts for the run, watches, and stops at the end; in place of endpoints."""

    command: Annotated[tuple[Word, ...], BeforeValidator(is_list)] = Field(
        # Lax for the container alone, as TOML has lists and no tuples.
        strict=False,
        min_length=1,
        description=(
            "The program and its arguments. {host} and {port} are replaced by the address to listen on, {dir} by a "
            "fresh folder for the server, {socket} by the path of a Unix socket, over which the "
            "load goes then. A relative path to the program starts at the folder in which loadgen runs; a "
            "program named loadgen is this loadgen itself."
        ),
        examples=[["redis-server", "--bind", "{host}", "--port", "{port}", "--dir", "{dir}"]],
    )
    env: dict[str, Word] = Field(
        default={},
        description="Variables added to the environment; {host}, {port}, {dir} and {socket} are replaced here too.",
        examples=[{"LISTEN": "{host}:{port}"}],
    )
    files: dict[str, str] = Field(
        default={},
        description=(
            "Files by name, written into the server's fresh folder before the start, for a program that reads its port "
            "from a file. {host}, {port}, {dir} and {socket} are replaced; other braces are the file's own."
        ),
        examples=[{"server.toml": 'listen = "{host}:{port}"'}],
    )
    build: Annotated[tuple[BuildWord, ...], BeforeValidator(is_list)] = Field(
        default=(),
        strict=False,
        description=(
            "The command that builds the program when the program does not exist; run in the folder in which loadgen "
            "runs. Default: none."
        ),
        examples=[["cargo", "build", "--release"]],
    )
    build_timeout: PositiveDuration = duration_key("30m", "Maximum time of the build; then the build is ended.")
    cwd: FilePath | None = Field(
        default=None, description="The folder to start the server in. Default: its fresh folder.", examples=["server"]
    )
    port: int = Field(default=0, ge=0, le=65535, description="The port that the server listens on; 0 takes a free one.")
    ready_timeout: PositiveDuration = duration_key(
        "60s", "Maximum time until the server answers: one that first touches gigabytes of memory needs half a minute."
    )
    stop_timeout: Duration = duration_key(
        "5s", "Maximum time of the server to end after a stop signal; then the server is killed."
    )
    cpu_list: CpuList | None = Field(
        default=None,
        description="CPUs to pin the server to, in the kernel's notation. Default: not pinned.",
        examples=["0-3,8"],
    )
    log: FilePath | None = Field(
        default=None,
        description=(
            "The file to which the server's output is appended. Default: one in its fresh folder, deleted with it."
        ),
        examples=["server.log"],
    )
    log_patterns: tuple[Pattern, ...] = Field(
        default=(),
        strict=False,
        description=(
            "Regular expressions that mark a line of the server's log as an error, besides panics, failed assertions "
            "and similar words, which always do."
        ),
        examples=[["ERROR"]],
    )

    cluster: ServerCluster | None = Field(default=None)

    @field_validator("command")
    @classmethod
    def _names_a_program(cls, command: tuple[str, ...]) -> tuple[str, ...]:
        if not command[0]:
            raise Refused(
                ProblemCode.NO_PROGRAM, "names no program, as its first text is empty; write the program's name there"
            )
        return command

    @field_validator("build")
    @classmethod
    def _names_a_builder(cls, build: tuple[str, ...]) -> tuple[str, ...]:
        if build and not build[0]:
            raise Refused(
                ProblemCode.NO_PROGRAM, "names no program, as its first text is empty; write the program's name there"
            )
        return build

    @field_validator("files")
    @classmethod
    def _stay_in_their_folder(cls, files: dict[str, str]) -> dict[str, str]:
        for name in files:
            if not name or name in (".", "..") or "/" in name or "\0" in name or len(name.encode()) > _LONGEST_NAME:
                raise Refused(
                    ProblemCode.BAD_NAME,
                    f"names a file {json.dumps(name, ensure_ascii=False)}, as none in the server's own folder can be; "
                    "write a name without a slash, such as server.toml",
                )
            if name in OURS:
                raise Refused(
                    ProblemCode.BAD_NAME, f'names a file "{name}", which is loadgen\'s own; write another name'
                )
        return files

    @field_validator("env")
    @classmethod
    def _names_variables(cls, env: dict[str, str]) -> dict[str, str]:
        for name in env:
            if not name or "=" in name or "\0" in name:
                raise Refused(
                    ProblemCode.BAD_NAME, f'names a variable "{name}", as none can be; write one such as LISTEN'
                )
        return env
