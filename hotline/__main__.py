"""``python -m hotline`` is the same command as ``hotline``."""

import sys

from hotline.cli.main import entry

if __name__ == "__main__":
    sys.exit(entry())
