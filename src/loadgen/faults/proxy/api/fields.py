"""The requests' JSON decoded into fields of known types, with Go's sentences about what is wrong. No I/O.

As in Go, names match in any case, unknown members are ignored, null changes nothing, and the first value of a wrong
type is what the error names.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from loadgen.faults.proxy.api.json_text import JsonError, Number, Object, Value

INT64 = range(-(1 << 63), 1 << 63)


@dataclass(frozen=True, slots=True)
class Fields:
    """A struct of Go: its name, and the Go type of each field; a Fields is a struct in the struct."""

    name: str
    types: Mapping[str, str | Fields]
    go_type: str = ""
    """The type's whole name, for a value that is no object."""
    inner: str = ""
    """The struct in the struct that has all fields but those of `own`."""
    own: frozenset[str] = frozenset()

    def decoded(self, value: Value, path: str = "") -> dict[str, object]:
        """Return the fields that the value sets; a struct in it as a dictionary. Raises JsonError."""
        if value is None:
            return {}
        if not isinstance(value, Object):
            raise JsonError(f"json: cannot unmarshal {_kind(value)} into Go value of type {self.go_type}")
        found: dict[str, object] = {}
        for name, inner in self._members(value):
            if inner is None:
                continue
            outer = f"{path}{self.inner}." if self.inner and name not in self.own else path
            where, wanted = f"{outer}{name}", self.types[name]
            if isinstance(wanted, Fields):
                if not isinstance(inner, Object):
                    raise JsonError(self._mismatch(_kind(inner), where, wanted.go_type))
                within = found.setdefault(name, {})
                assert isinstance(within, dict)
                within.update(Fields(wanted.name, wanted.types, wanted.go_type).decoded(inner, f"{where}."))
            else:
                found[name] = self._scalar(inner, where, wanted)
        return found

    def decoded_list(self, value: Value, go_type: str) -> list[dict[str, object]]:
        """Return the fields of each value of a list. Raises JsonError."""
        if value is None:
            return []
        if not isinstance(value, list):
            raise JsonError(f"json: cannot unmarshal {_kind(value)} into Go value of type {go_type}")
        return [self.decoded(each) for each in value]

    def _members(self, value: Object) -> Iterator[tuple[str, Value]]:
        by_case = {name.lower(): name for name in self.types}
        for member in value:
            name = member.name if member.name in self.types else by_case.get(member.name.lower())
            if name is not None:
                yield name, member.value

    def _scalar(self, value: Value, where: str, wanted: str) -> object:
        match wanted:
            case "string" if isinstance(value, str) and not isinstance(value, Number):
                return value
            case "bool" if isinstance(value, bool):
                return value
            case "float32" if isinstance(value, Number):
                try:
                    single: float = struct.unpack("f", struct.pack("f", float(value)))[0]
                except OverflowError:
                    single = math.inf
                if math.isinf(single):
                    raise JsonError(self._mismatch(f"number {value}", where, wanted))
                return single
            case "int" | "int64" if isinstance(value, Number):
                if not value.removeprefix("-").isdigit() or len(value) > 20 or int(value) not in INT64:
                    raise JsonError(self._mismatch(f"number {value}", where, wanted))
                return int(value)
        raise JsonError(self._mismatch(_kind(value), where, wanted))

    def _mismatch(self, kind: str, where: str, wanted: str) -> str:
        return f"json: cannot unmarshal {kind} into Go struct field {self.name}.{where} of type {wanted}"


def _kind(value: Value) -> str:
    """Return what Go calls the value."""
    if isinstance(value, Number):
        return "number"
    if isinstance(value, Object):
        return "object"
    return {bool: "bool", str: "string", list: "array"}[type(value)]
