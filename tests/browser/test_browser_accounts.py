"""Another address, and colleagues by invitation, in a real Chromium with the letters that were really sent."""

from __future__ import annotations

import re
from mailbox import mailed_link

import pytest
from arrivals import Arrive
from playwright.async_api import expect
from server_process import Demonstration
from test_browser_security import OTHER, PASSWORD, give_password, picture, registered, security

from core.ids import uuid7

pytestmark = pytest.mark.browser


async def test_another_address_is_confirmed_and_undone(demonstration: Demonstration, arrive: Arrive) -> None:
    email, new = await registered(demonstration.url), f"{uuid7().hex}@example.org"
    visitor = await arrive("desktop")
    page = visitor.page
    await give_password(page, email)
    await expect(page.get_by_role("button", name=re.compile("Awa Sow"))).to_be_visible()
    await security(page)
    await page.get_by_label("New email address").fill(email)
    await page.get_by_role("button", name="Change address").click()
    await expect(page.get_by_text("This is the address you have")).to_be_visible()
    await page.get_by_label("New email address").fill(new)
    await page.get_by_role("button", name="Change address").click()
    await expect(page.get_by_text(f"We sent a link to {new}")).to_be_visible()
    await picture(page, "security-email")

    await page.goto(await mailed_link(demonstration, new, "/new-email"))
    await expect(page.get_by_role("heading", name="Confirm your new email address")).to_be_visible()
    assert "#" not in page.url, "the secret does not stay in the address"
    await picture(page, "new-email")
    await page.get_by_role("button", name="Use this address").click()
    await expect(page.get_by_role("main").get_by_role("status")).to_contain_text("Sign in with this address")

    # Whoever still has the old mailbox takes it back: everybody is out, and a letter brings a new password.
    stranger = await arrive("phone")
    old = stranger.page
    await old.goto(await mailed_link(demonstration, email, "/old-email"))
    await picture(old, "old-email")
    await old.get_by_role("button", name="It was not me: undo it").click()
    await expect(old.get_by_role("main").get_by_role("status")).to_contain_text("Your old address is back")
    await page.goto("/security")
    await expect(page.get_by_role("heading", name="Welcome back")).to_be_visible()
    await old.goto(await mailed_link(demonstration, email, "/reset-password"))
    await old.get_by_role("textbox", name="New password").fill(OTHER)
    await old.get_by_role("button", name="Save the new password").click()
    await expect(old.get_by_role("main").get_by_role("status")).to_contain_text("is saved")
    await give_password(old, email, OTHER)
    await expect(old.get_by_role("button", name=re.compile("Awa Sow"))).to_be_visible()
    assert visitor.broken == stranger.broken == []


async def test_a_colleague_comes_by_invitation(demonstration: Demonstration, arrive: Arrive) -> None:
    email = f"{uuid7().hex}@example.org"
    admin, colleague = await arrive("desktop"), await arrive("phone")
    page, theirs = admin.page, colleague.page
    await admin.sign_in("admin@demo.bedside", "/calendar")
    await page.goto("/people")
    await page.get_by_role("button", name="Invite somebody").click()
    form = page.get_by_role("dialog")
    await form.get_by_label("Name").fill("Fatou Ndour")
    await form.get_by_label("Email").fill(email)
    await form.get_by_label("Licence number").fill("SN-2027-114")
    await form.get_by_label("Place").fill("Thiès")
    await form.get_by_label("Fee of a visit").fill("a lot")
    await form.get_by_role("button", name="Send the invitation").click()
    await expect(form.get_by_text("Write an amount")).to_be_visible()
    await form.get_by_label("Fee of a visit").fill("12 000")
    await picture(page, "invite")
    await form.get_by_role("button", name="Send the invitation").click()
    row = page.get_by_test_id("staff-invitation").filter(has_text=email)
    await expect(row).to_contain_text("Sent")
    await picture(page, "people")

    link = await mailed_link(demonstration, email, "/invited")
    await theirs.goto(link)
    await expect(theirs.get_by_text(f"The invitation was sent to {email}")).to_be_visible()
    assert "#" not in theirs.url, "the secret does not stay in the address"
    await picture(theirs, "invited")
    await theirs.get_by_role("textbox", name="Password").fill(PASSWORD)
    await theirs.get_by_role("button", name="Accept the invitation").click()
    await theirs.wait_for_url("**/practice")

    # The link is used up, and the administrator sees who has come.
    await page.reload()
    await expect(row).to_contain_text("Accepted")
    again = await arrive("phone")
    await again.page.goto(link)
    await expect(again.page.get_by_text("has been used, withdrawn or has expired")).to_be_visible()
    assert admin.broken == colleague.broken == again.broken == []


async def test_pages_of_rights_and_administration_fit_every_screen(arrive: Arrive) -> None:
    patient, auditor = await arrive("desktop"), await arrive("desktop")
    page = patient.page
    await patient.sign_in("patient@demo.bedside", "/")
    await page.goto("/privacy")
    await expect(page.get_by_test_id("consent-telehealth")).to_be_visible()
    await expect(page.get_by_role("heading", name="Be forgotten")).to_be_visible()
    await picture(page, "privacy")
    await auditor.sign_in("admin@demo.bedside", "/calendar")
    await auditor.page.goto("/audit")
    await expect(auditor.page.get_by_role("table")).to_be_visible()
    await picture(auditor.page, "audit")
    assert patient.broken == auditor.broken == []
