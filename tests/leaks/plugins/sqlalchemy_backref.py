"""A model on a base of the plugin's own that writes an attribute on the host's model."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, configure_mappers, mapped_column, relationship
from the_host import Base, User


class Comment(Base):
    __tablename__ = "leak_comments"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    user: Mapped[User] = relationship(User, backref="comments")


configure_mappers()
