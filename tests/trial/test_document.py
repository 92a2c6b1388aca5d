"""The client of docs/CHAOS.md works as it stands there."""

from __future__ import annotations

import re
from typing import Any

from places import ROOT
from real_servers import RealServer


def test_the_ten_lines_of_the_document_are_a_client() -> None:
    [block] = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / "CHAOS.md").read_text(), re.M | re.S)
    names: dict[str, Any] = {}
    exec(compile(block, "CHAOS.md", "exec"), names)
    with RealServer.memcached() as server:
        client = names["MyCache"](nodes=[("127.0.0.1", server.port)], timeout_s=5.0)
        assert client.get("a") is None
        client.set("a", b"1", 60)
        assert client.get("a") == b"1"
        assert client.increment("a", 2) == 3
        assert client.increment("none", 2) is None
        assert client.get_many(["a", "b"]) == {"a": b"3"}
        assert client.delete("a") is True
        assert client.delete("a") is False
        client.close()
