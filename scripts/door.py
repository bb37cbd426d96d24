"""Opens an app of tfmeta; an import that fails is told in one line."""

import sys

try:
    from tfmeta.apps.main import run_app
    from tfmeta.apps.quiet_tensorflow import load_quietly
except ImportError as error:
    sys.stderr.write("error: " + " ".join(str(error).split()) + "\n")
    sys.exit(2)

load_quietly()

__all__ = ["run_app"]
