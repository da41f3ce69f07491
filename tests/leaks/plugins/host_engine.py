"""Statements of its own model, executed by the host's engine, which keeps them compiled."""

from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from the_host import ENGINE, use


class Base(DeclarativeBase): ...


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)


use(ENGINE, Order)
