"""A person in front of a Chromium."""

from __future__ import annotations

from typing import Any

from person import KEEP_CONNECTIONS, Person
from playwright.async_api import BrowserContext, Page, expect


class Visitor(Person):
    def __init__(self, page: Page) -> None:
        super().__init__()
        self.page = page
        page.on("pageerror", lambda error: self.broken.append(str(error)))

    @classmethod
    async def enter(cls, context: BrowserContext) -> Visitor:
        await context.add_init_script(KEEP_CONNECTIONS)
        return cls(await context.new_page())

    async def open(self, path: str) -> None:
        await self.page.goto(path)

    async def reload(self) -> None:
        await self.page.reload()

    async def evaluate(self, function: str, argument: Any = None) -> Any:
        return await self.page.evaluate(function, argument)

    async def press(self, name: str) -> None:
        await self.page.get_by_role("main").get_by_role("button", name=name, exact=True).first.click()

    async def fill(self, label: str, text: str) -> None:
        await self.page.get_by_label(label).fill(text)

    async def sees(self, test_id: str, timeout_s: float = 20.0) -> None:
        await expect(self.page.get_by_test_id(test_id).first).to_be_visible(timeout=timeout_s * 1000)

    async def arrives(self, path: str) -> None:
        await self.page.wait_for_url(f"**{path}")

    async def say(self, words: str) -> None:
        chat = self.page.get_by_test_id("chat")
        await chat.get_by_label("Write a message").fill(words)
        await chat.get_by_role("button", name="Send").click()

    async def reads(self, words: str, timeout_s: float = 20.0) -> None:
        await self.page.get_by_test_id("chat").locator(".v-bubble", has_text=words).wait_for(timeout=timeout_s * 1000)
