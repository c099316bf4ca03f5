"""The demonstration's mailbox, read as somebody who is signed in would."""

from __future__ import annotations

import asyncio
import re
import time

import aiohttp
from server_process import Demonstration

READER, PASSWORD = "desk@demo.bedside", "bedside-demo"


async def mailed_link(demonstration: Demonstration, to: str, page: str, timeout_s: float = 30) -> str:
    """The newest link to this page (``/new-email``), its secret with it, in a letter to this address."""
    async with aiohttp.ClientSession(f"{demonstration.url}/api/v1/") as session:
        body = {"email": READER, "password": PASSWORD, "client": "native"}
        async with session.post("auth/login", json=body) as answer:
            headers = {"Authorization": f"Bearer {(await answer.json())['access_token']}"}
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            async with session.get("demo/mail", headers=headers) as answer:
                mails = (await answer.json())["items"]
            for mail in mails:
                if to not in str(mail["to"]):
                    continue
                async with session.get(f"demo/mail/{mail['id']}", headers=headers) as answer:
                    found = re.search(rf"{page}#[\w.~-]+", str((await answer.json())["text"]))
                if found is not None:
                    return found.group(0)
            await asyncio.sleep(0.2)
        raise AssertionError(f"no letter with {page} came")
