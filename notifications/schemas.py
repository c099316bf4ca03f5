"""Wire shapes of notifications."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import Field

from core.http.routes import Page, Wire
from notifications.repository import Delivery
from notifications.service import Notice


class ListQuery(Wire):
    cursor: UUID | None = None
    limit: int = Field(50, ge=1, le=100)


class NoticeView(Wire):
    id: UUID
    kind: str
    title: str
    body: str
    link: str | None
    created_at: datetime
    read_at: datetime | None

    @classmethod
    def of(cls, notice: Notice) -> NoticeView:
        return cls(
            id=notice.id,
            kind=notice.kind,
            title=notice.title,
            body=notice.body,
            link=notice.link,
            created_at=notice.created_at,
            read_at=notice.read_at,
        )


class Notices(Page):
    items: list[NoticeView]


class DeliveryView(Wire):
    id: UUID
    channel: str
    kind: str
    status: str
    attempts: int
    created_at: datetime
    last_error: str | None

    @classmethod
    def of(cls, delivery: Delivery) -> DeliveryView:
        return cls(
            id=delivery.id,
            channel=delivery.channel,
            kind=delivery.kind,
            status=delivery.status,
            attempts=delivery.attempts,
            created_at=delivery.created_at,
            last_error=delivery.last_error,
        )


class Deliveries(Page):
    items: list[DeliveryView]
