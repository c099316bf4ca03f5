"""How people come to the browser tests: which browser, with which devices, on which screen."""

from __future__ import annotations

import os
import shutil
from collections.abc import Awaitable, Callable

from firefox import FirefoxVisitor
from visitor import Visitor

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Simulated devices; a person who allows, or forbids, whatever the browser asks.
DEVICES = ("--use-fake-device-for-media-stream",)
# Who is asked what to share picks this very tab.
SHARES_TAB = ("--auto-accept-this-tab-capture", "--auto-select-tab-capture-source-by-title=Bedside")
ALLOWS, DENIES = "--use-fake-ui-for-media-stream", "--deny-permission-prompts"
FLAGS = ("--no-sandbox",) if os.geteuid() == 0 else ()
SIZES = {"phone": (360, 780), "desktop": (1440, 900)}
Arrive = Callable[..., Awaitable[Visitor]]
ArriveInFirefox = Callable[..., Awaitable[FirefoxVisitor]]


def chromium() -> str | None:
    """The system's Chromium; None means the one that Playwright's installer brought."""
    return next((path for name in CHROMIUM_NAMES if (path := shutil.which(name))), None)
