"""Print the resolved configuration of a file, or list every error in it."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from loadgen import config
from loadgen.errors import ExitCode, UsageError
from loadgen.output.sink import Sink, remark


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", nargs="?", type=Path, metavar="CONFIG", help="the TOML file to check")
    parser.add_argument("--schema", action="store_true", help="print the JSON Schema of such files")
    parser.add_argument("--example", action="store_true", help="print a commented file with every key and its default")
    parser.add_argument("--set", action="append", default=[], metavar="TABLE.KEY=VALUE", help="override a key")


def run(args: argparse.Namespace) -> int:
    """Prints what was asked for. Raises ConfigError with every error in the file."""
    if sum((args.config is not None, args.schema, args.example)) != 1:
        raise UsageError("name a CONFIG file, or --schema, or --example.")
    if args.schema:
        write(json.dumps(config.json_schema(), indent=2))
    elif args.example:
        write(config.example())
    else:
        settings = config.load(args.config, args.set)
        for warning in settings.warnings:
            remark(f"warning: {warning}")
        write(config.dump(settings))
    return ExitCode.YES


def write(text: str) -> None:
    """Raises OutputError when standard output does not take it."""
    Sink(sys.stdout).write(text if text.endswith("\n") else text + "\n")
