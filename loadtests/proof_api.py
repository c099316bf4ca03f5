"""Every published operation, tried by schemathesis with inputs of every kind, as nobody, patient and practitioner.

It reads the OpenAPI document of a running demonstration, and checks each answer against it: no failure of the server,
documented status, content type, shape and headers, invalid input refused, authentication asked for.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from loadtests.demonstration import Demonstration

# Ends the very sign-in, or sign-ins, that the run goes on with; these have tests of their own.
LEFT_OUT = r"/auth/(logout|refresh)|/me/(sessions|erasure|factors|password)|/people/\{id\}/(roles|deactivate)"
# What is well-formed may still be refused: a time that is not offered, a thing that is not there. A literal path and a
# pattern share their methods in ``Allow``. The others ask for more than HTTP does of what is gone.
NOT_CHECKED = (
    "positive_data_acceptance,allow_header_conformance,use_after_free,ensure_resource_availability,unsupported_method"
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """``failures`` are schemathesis' own words; none is what is wanted."""

    who: str
    operations: int
    cases: int
    failures: list[str]


def run(url: str, who: str, headers: dict[str, str], *, seconds: float, examples: int, seed: int = 1) -> Outcome:
    """One run; ``seconds`` bound it."""
    with tempfile.TemporaryDirectory(prefix="bedside-api-") as folder:
        command = [
            str(Path(sys.executable).with_name("schemathesis")),
            *("run", f"{url}/api/v1/openapi.json", "--url", url),
            *("--phases", "examples,coverage,fuzzing", "--checks", "all", "--exclude-checks", NOT_CHECKED),
            *("--exclude-path-regex", LEFT_OUT, "--max-examples", str(examples), "--max-time", str(int(seconds))),
            *("--seed", str(seed), "--continue-on-failure", "--no-shrink", "--no-color", "--warnings", "off"),
            *("--generation-database", "none", "--request-timeout", "20"),
        ]
        for name, value in headers.items():
            command += ["-H", f"{name}: {value}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 120, cwd=folder, check=False)
        return read(who, done.stdout + done.stderr)


def sign_in(url: str, email: str, password: str) -> dict[str, str]:
    """The headers of somebody of the demonstration."""
    body = json.dumps({"email": email, "password": password, "client": "native"}).encode()
    kind = {"Content-Type": "application/json"}
    asked = urllib.request.Request(f"{url}/api/v1/auth/login", body, kind)  # noqa: S310  # our own server
    with urllib.request.urlopen(asked, timeout=30) as answer:  # noqa: S310  # our own server
        return {"Authorization": f"Bearer {json.load(answer)['access_token']}"}


def prove(minutes: float) -> list[Outcome]:
    """A longer run over a demonstration of its own, each person for an equal share, within an access token's life."""
    seconds, outcomes = min(minutes * 60 / 3, 540.0), []
    with Demonstration() as demo:
        with urllib.request.urlopen(f"{demo.url}/api/v1/demo", timeout=30) as answer:  # noqa: S310  # our own server
            accounts = {each["role"]: each for each in reversed(json.load(answer)["accounts"])}
        for who in ("nobody", "patient", "practitioner"):
            account = accounts.get(who)
            headers = sign_in(demo.url, account["email"], account["password"]) if account else {}
            outcomes.append(run(demo.url, who, headers, seconds=seconds, examples=200))
    return outcomes


def table(outcomes: list[Outcome]) -> str:
    lines = ["| as | operations | cases | failures |", "|---|---:|---:|---:|"]
    lines += [f"| {each.who} | {each.operations} | {each.cases:,} | {len(each.failures)} |" for each in outcomes]
    return "\n".join(lines)


def read(who: str, output: str) -> Outcome:
    """From what was printed: the failures' blocks, and the counts of the summary."""
    failures = [block.strip() for block in re.split(r"\n(?=_{5,} )", output) if re.match(r"_{5,} ", block)]
    operations = re.search(r"Tested:\s+(\d+)", output)
    cases = re.search(r"(\d+) (?:generated|test cases)", output)
    if operations is None and cases is None:
        failures.append(output[-2000:])
    found = int(operations[1]) if operations else 0
    return Outcome(who, found, int(cases[1]) if cases else 0, failures)
