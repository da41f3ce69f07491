"""The receipts: whether they follow one another, and those of operations that the journal does not have any more."""

from __future__ import annotations

from functools import partial
from itertools import takewhile

from sqlalchemy import func, select

from hotbay.doctor.finding import ERROR, OK, WARNING, Finding, Findings, Patient, Surgeon
from hotbay.history import find_anchor, forget_receipts
from hotbay.receipt import HostKey, check_chain
from hotbay.schema import operations, receipts

_NEWEST = 1000  # `hotbay receipt verify` verifies all, and their signatures.


def chain(patient: Patient) -> Findings:
    """The newest receipts are each the continuation of the one before."""
    with patient.registry.read() as connection:
        query = select(receipts.c.signed).order_by(receipts.c.number.desc()).limit(_NEWEST)
        found = [signed["receipt"] for signed in connection.scalars(query)][::-1]
        first = connection.scalar(select(func.min(receipts.c.number))) or 1
    anchor = find_anchor(patient.registry)
    begins = anchor["receipt"]["number"] + 1 if anchor is not None else 1
    problems = check_chain(found, anchor["receipt"] if anchor is not None else None)
    problems += [f"receipt {begins} is missing"] if first > begins else []
    if problems:
        mend = "put back a copy of the database that has them; what is signed can't be made again"
        yield Finding("receipts", "chain", ERROR, "; ".join(problems[:5]), mend)


def orphaned(patient: Patient) -> Findings:
    """Receipts whose operations are not in the journal. In the middle of the chain they stay: others continue them."""
    with patient.registry.read() as connection:
        joined = receipts.outerjoin(operations, operations.c.id == receipts.c.operation)
        query = select(receipts.c.number, operations.c.id).select_from(joined).order_by(receipts.c.number)
        rows = connection.execute(query).all()
    lost = [row.number for row in rows if row.id is None]
    begin = [row.number for row in takewhile(lambda row: row.id is None, rows[:-1])]
    if begin:
        message = f"receipts {begin[0]} to {begin[-1]} are of operations that the journal does not have"
        name = f"orphaned:{begin[-1]}"
        mend = f"--mend receipts:{name} deletes them, and leaves a signed anchor in their place"
        yield Finding("receipts", name, WARNING, message, mend, cure=partial(_forget, begin[-1]), choice=True)
    if stay := [str(number) for number in lost if number not in begin]:
        message = f"receipts {', '.join(stay[:20])} are of operations that the journal does not have"
        yield Finding("receipts", "alone", OK, message, "they stay: others continue them")


def _forget(number: int, surgeon: Surgeon) -> str:
    forget_receipts(surgeon.store, HostKey(surgeon.settings.home / "receipts.key"), number)
    return f"deleted the receipts up to {number}, and left an anchor"
