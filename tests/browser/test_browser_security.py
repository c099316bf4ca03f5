"""A person's second factors and password in a real Chromium, with its virtual authenticator for passkeys."""

from __future__ import annotations

import base64
import os
import re
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from playwright.async_api import Page, expect
from server_process import Demonstration
from visitor import Visitor

from core.ids import uuid7

pytestmark = pytest.mark.browser
# Slow machines show the same things, later.
expect.set_options(timeout=20_000)

Arrive = Callable[..., Awaitable[Visitor]]
PASSWORD, OTHER = "a quiet harbour at dawn", "another harbour, at dusk"
# A folder for pictures of the pages, to be looked at.
PICTURES = os.environ.get("BEDSIDE_PICTURES")


async def picture(page: Page, name: str) -> None:
    """The page in both themes and sizes, when somebody wants to look; it overflows in none."""
    for size in ((1280, 900), (360, 740)):
        await page.set_viewport_size({"width": size[0], "height": size[1]})
        assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (name, size)
        for theme in ("light", "dark") if PICTURES else ():
            await page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
            target = Path(PICTURES or "") / f"{name}-{size[0]}-{theme}.png"
            await page.screenshot(path=target, full_page=True)
    await page.set_viewport_size({"width": 1280, "height": 900})


def code_of(secret: str, steps_ahead: int = 0) -> str:
    totp = TOTP(base64.b32decode(secret + "=" * (-len(secret) % 8)), 6, SHA1(), 30)  # noqa: S303  (apps do)
    return totp.generate(int(time.time()) + 30 * steps_ahead).decode()


async def registered(url: str) -> str:
    email = f"{uuid7().hex}@example.org"
    async with aiohttp.ClientSession() as session:
        body = {"email": email, "password": PASSWORD, "name": "Awa Sow"}
        async with session.post(f"{url}/api/v1/auth/register", json=body) as answer:
            assert answer.status == 201
    return email


async def give_password(page: Page, email: str, password: str = PASSWORD) -> None:
    await page.goto("/sign-in")
    await page.get_by_label("Email").fill(email)
    await page.get_by_label("Password").fill(password)
    await page.get_by_role("main").get_by_role("button", name="Sign in", exact=True).click()


async def sign_out(page: Page) -> None:
    await page.get_by_role("button", name=re.compile("Awa Sow")).click()
    await page.get_by_role("menuitem", name="Sign out").click()
    await expect(page.get_by_role("link", name="Sign in").first).to_be_visible()


async def security(page: Page) -> None:
    await page.get_by_role("button", name=re.compile("Awa Sow")).click()
    await page.get_by_role("menuitem", name="Security").click()
    await expect(page.get_by_role("heading", name="Passkeys")).to_be_visible()


async def test_codes_of_an_app_and_recovery_codes(demonstration: Demonstration, arrive: Arrive) -> None:
    email = await registered(demonstration.url)
    visitor = await arrive("desktop")
    page = visitor.page
    await give_password(page, email)
    await security(page)
    await page.get_by_role("button", name="Set up an app").click()
    secret = await page.get_by_label("Key", exact=True).input_value()
    await expect(page.get_by_role("img", name="QR code")).to_be_visible()
    await picture(page, "totp")
    await page.get_by_label("Code from the app").fill("000000")
    await page.get_by_role("button", name="Turn on").click()
    await expect(page.get_by_role("alert")).to_contain_text("wrong or has been used")
    await page.get_by_label("Code from the app").fill(code_of(secret))
    await page.get_by_role("button", name="Turn on").click()
    codes = page.locator(".codes code")
    await expect(codes).to_have_count(10)
    kept = await codes.all_inner_texts()
    await picture(page, "recovery-codes")
    await page.get_by_role("button", name="I have kept them").click()
    await expect(codes).to_have_count(0)
    await expect(page.get_by_text("10 codes left")).to_be_visible()

    await sign_out(page)
    await give_password(page, email)
    await expect(page.get_by_role("heading", name="One more step")).to_be_visible()
    await picture(page, "second-step")
    await page.get_by_label("Code").fill(code_of(secret, steps_ahead=1))
    await page.get_by_role("button", name="Confirm").click()
    await expect(page.get_by_role("button", name=re.compile("Awa Sow"))).to_be_visible()

    await sign_out(page)
    for attempt in range(2):
        await give_password(page, email)
        await page.get_by_label("Code").fill(kept[0])
        await page.get_by_role("button", name="Confirm").click()
        if attempt == 0:
            await security(page)
            await expect(page.get_by_text("9 codes left")).to_be_visible()
            await sign_out(page)
        else:
            await expect(page.get_by_role("alert")).to_contain_text("wrong or has been used")
    assert visitor.broken == []


async def test_a_passkey_is_made_signs_in_and_is_removed(
    demonstration: Demonstration, arrive_at: Callable[..., Awaitable[Visitor]]
) -> None:
    email = await registered(demonstration.url)
    # Passkeys belong to a name: at the bare address they are not offered.
    visitor = await arrive_at(demonstration.url.replace("127.0.0.1", "localhost"))
    page = visitor.page
    devices = await page.context.new_cdp_session(page)
    await devices.send("WebAuthn.enable")
    options: dict[str, Any] = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    device = (await devices.send("WebAuthn.addVirtualAuthenticator", {"options": options}))["authenticatorId"]
    await give_password(page, email)
    await security(page)
    await page.get_by_role("button", name="Add a passkey").click()
    await expect(page.get_by_text("My passkey").first).to_be_visible()
    await expect(page.locator(".codes code")).to_have_count(10)
    await page.get_by_role("button", name="I have kept them").click()
    await page.get_by_role("button", name="Rename: My passkey").click()
    await page.get_by_role("dialog").get_by_label("Name").fill("Laptop")
    await page.get_by_role("dialog").get_by_role("button", name="Save").click()
    await expect(page.get_by_role("button", name="Remove: Laptop")).to_be_visible()
    await picture(page, "security")

    await sign_out(page)
    await page.goto("/sign-in")
    await picture(page, "sign-in")
    await page.get_by_role("button", name="Sign in with a passkey").click()
    await expect(page.get_by_role("button", name=re.compile("Awa Sow"))).to_be_visible()

    # After the password it is the second factor.
    await sign_out(page)
    await give_password(page, email)
    await page.get_by_role("button", name="Use your passkey").click()
    await expect(page.get_by_role("button", name=re.compile("Awa Sow"))).to_be_visible()

    # A device that does not know who holds it signs nobody in.
    await sign_out(page)
    await devices.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": False})
    await page.goto("/sign-in")
    await page.get_by_role("button", name="Sign in with a passkey").click()
    await expect(page.get_by_role("alert")).to_contain_text("The passkey was not used")
    await devices.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": True})
    await page.get_by_role("button", name="Sign in with a passkey").click()
    await expect(page.get_by_role("button", name=re.compile("Awa Sow"))).to_be_visible()
    await security(page)
    await page.get_by_role("button", name="Remove: Laptop").click()
    await page.get_by_role("alertdialog").get_by_role("button", name="Remove").click()
    await expect(page.get_by_text("No passkey yet")).to_be_visible()
    await sign_out(page)
    await page.goto("/sign-in")
    await page.get_by_role("button", name="Sign in with a passkey").click()
    await expect(page.get_by_role("alert")).to_contain_text("could not be accepted")
    assert visitor.broken == []


async def test_a_forgotten_password(demonstration: Demonstration, arrive: Arrive) -> None:
    email = await registered(demonstration.url)
    visitor = await arrive("phone")
    page = visitor.page
    await page.goto("/forgot-password")
    await picture(page, "forgot")
    await page.get_by_label("Email").fill(email)
    await page.get_by_role("button", name="Send the link").click()
    await expect(page.get_by_role("main").get_by_role("status")).to_contain_text("a mail is on its way")
    link = await mailed_link(demonstration, email)
    await page.goto(link)
    await expect(page.get_by_role("heading", name="Choose a new password")).to_be_visible()
    assert "#" not in page.url, "the secret does not stay in the address"
    await picture(page, "reset")
    await page.get_by_role("textbox", name="New password").fill("short")
    await page.get_by_role("button", name="Save the new password").click()
    await expect(page.get_by_text("use at least 15 characters")).to_be_visible()
    await page.get_by_role("textbox", name="New password").fill(OTHER)
    await page.get_by_role("button", name="Save the new password").click()
    await expect(page.get_by_role("main").get_by_role("status")).to_contain_text("is saved")
    await page.goto("about:blank")
    await page.goto(link)
    await page.get_by_role("textbox", name="New password").fill("yet another harbour")
    await page.get_by_role("button", name="Save the new password").click()
    await expect(page.get_by_role("main").get_by_role("status")).to_contain_text("has been used or has expired")
    await give_password(page, email, OTHER)
    await expect(page.get_by_role("button", name=re.compile("Awa Sow"))).to_be_visible()
    assert visitor.broken == []


async def mailed_link(demonstration: Demonstration, email: str) -> str:
    """Out of the demonstration's mailbox, which shows every mail to whoever is signed in."""
    async with aiohttp.ClientSession(f"{demonstration.url}/api/v1/") as session:
        body = {"email": email, "password": PASSWORD, "client": "native"}
        async with session.post("auth/login", json=body) as answer:
            headers = {"Authorization": f"Bearer {(await answer.json())['access_token']}"}
        until = time.monotonic() + 30
        while time.monotonic() < until:
            async with session.get("demo/mail", headers=headers) as answer:
                mails = (await answer.json())["items"]
            for mail in mails:
                if email in str(mail["to"]) and "password" in mail["subject"]:
                    async with session.get(f"demo/mail/{mail['id']}", headers=headers) as answer:
                        found = re.search(r"/reset-password#[\w.~-]+", str(await answer.json()))
                    if found is not None:
                        return found.group(0)
        raise AssertionError("no letter came")
