"""What is wrong with a host's state, and how to mend it. `examine` looks and changes nothing; `mend` does.

Each check is a function of the patient that yields findings, so that one broken part does not hide the others.
"""

from __future__ import annotations

from hotbay.doctor.examination import examine
from hotbay.doctor.finding import ERROR, OK, WARNING, Finding
from hotbay.doctor.mending import Mended, mend

__all__ = ["ERROR", "OK", "WARNING", "Finding", "Mended", "examine", "mend"]
