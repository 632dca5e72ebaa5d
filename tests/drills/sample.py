"""How much of a drill runs: a seeded sample in every test run, the whole under `make drills`."""

import os

WHOLE = os.environ.get("HEADWATER_DRILLS") == "1"  # noqa: TID251 (tests only: see the Makefile)
SEED = 20_260_101
MOMENTS = 50 if WHOLE else 4
