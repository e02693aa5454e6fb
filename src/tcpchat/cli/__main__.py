"""``python -m tcpchat.cli``."""

import sys

from tcpchat.cli import main

sys.exit(main())
