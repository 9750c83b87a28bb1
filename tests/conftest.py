"""What has to be so before any test imports torch."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # see models/__main__.py
