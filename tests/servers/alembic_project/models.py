"""A library's tables, with every common kind of key."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """The base class of all models."""


class Member(Base):
    """A member, optionally recruited by another member."""

    __tablename__ = "members"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column(index=True)
    token: Mapped[uuid.UUID] = mapped_column(unique=True, server_default=func.gen_random_uuid())
    brought_by: Mapped[int | None] = mapped_column(ForeignKey("members.id", ondelete="SET NULL"))


class Book(Base):
    """A book, whose key the application generates."""

    __tablename__ = "books"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    isbn: Mapped[str]
    shelf: Mapped[str]
    __table_args__ = (
        UniqueConstraint("isbn", name="one_isbn"),
        Index("one_lower_isbn", text("lower(isbn)"), unique=True),
        Index("one_on_the_desk", "shelf", unique=True, postgresql_where=text("shelf = 'desk'")),
    )


class Loan(Base):
    """A loan of a book."""

    __tablename__ = "loans"
    id: Mapped[int] = mapped_column(primary_key=True)
    member_id: Mapped[int] = mapped_column(ForeignKey("members.id", ondelete="CASCADE"))
    book_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("books.id", name="loan_of_book"))
    lent_at: Mapped[datetime] = mapped_column(server_default=func.now())
    __table_args__ = (UniqueConstraint("member_id", "book_id"), Index("loans_lent_at", "lent_at"))
