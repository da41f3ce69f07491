"""The same by an engine that no module names."""

from sqlalchemy import select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from the_host import STATE

ENGINE = STATE.engine


class Base(DeclarativeBase): ...


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)


Base.metadata.create_all(ENGINE)
with Session(ENGINE) as session:
    session.add(Order(id=1))
    session.commit()
    ORDERS = session.scalars(select(Order)).all()
    session.delete(ORDERS.pop())
    session.commit()
Base.metadata.drop_all(ENGINE)
