"""``python -m tcpchat``."""

import sys

from tcpchat.cli import main

sys.exit(main())
