"""`python -m hotbay.cli` is `hotbay`."""

from __future__ import annotations

from hotbay.cli import main

if __name__ == "__main__":
    main()
