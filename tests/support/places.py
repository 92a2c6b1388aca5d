"""Where things are in the repository, for tests in any folder."""

from pathlib import Path

SUPPORT = Path(__file__).parent
TESTS = SUPPORT.parent
ROOT = TESTS.parent
SRC = ROOT / "src"
PACKAGE = SRC / "loadgen"
CONFIGS = ROOT / "benchmark" / "config"
SERVERS = ROOT / "server" / "config"
