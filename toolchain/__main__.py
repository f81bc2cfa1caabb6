"""`python -m toolchain <command>`: see `toolchain.cli`."""

import sys

from toolchain.cli import main

sys.exit(main())
