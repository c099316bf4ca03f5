"""One demonstration for all tests of the contract: they make things of their own and break nothing for good."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
from contract_clinic import LIMITS, Clinic
from server_process import Demonstration


@pytest.fixture(scope="session")
async def clinic(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Clinic]:
    demo = Demonstration(tmp_path_factory.mktemp("contract"))
    demo.env |= LIMITS
    await demo.start()
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(demo.url, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session:
        made = Clinic(demo, session)
        await made.begin()
        yield made
    await demo.stop()
