"""The entry of `python -m loadgen`."""

import sys

from loadgen.entry import main

sys.exit(main())
