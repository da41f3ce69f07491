"""The same by an engine that no module names."""

from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from the_host import STATE, use


class Base(DeclarativeBase): ...


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)


use(STATE.engine, Order)
