"""The shop, served."""

from __future__ import annotations

import pytest
from harness import MakeClient, TokenSessions
from shop import Client, Shop

from core.context import Context
from core.ids import uuid7


@pytest.fixture
async def shop() -> Shop:
    return Shop()


@pytest.fixture
async def client(context: Context, shop: Shop, make_client: MakeClient) -> Client:
    context.routes.append(shop.routes())
    return await make_client(context)


@pytest.fixture
async def headers(context: Context) -> dict[str, str]:
    return TokenSessions(context).sign_in(uuid7())
