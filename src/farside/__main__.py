"""``python -m farside`` is the command ``farside``."""

import sys

from farside.cli import main

sys.exit(main())
