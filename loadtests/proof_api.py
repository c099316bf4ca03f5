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
from dataclasses import dataclass
from pathlib import Path

# Ends the very sign-in, or sign-ins, that the run goes on with; these have tests of their own.
LEFT_OUT = r"/auth/(logout|refresh)|/me/(sessions|erasure|factors|password)|/people/\{id\}/(roles|deactivate)"
# What a token-less caller is refused is checked by the run as nobody; a resource that is gone by our own tests as well.
NOT_CHECKED = "use_after_free,ensure_resource_availability,unsupported_method"


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
        report = Path(folder) / "report.json"
        command = [
            str(Path(sys.executable).with_name("schemathesis")),
            *("run", f"{url}/api/v1/openapi.json", "--url", url),
            *("--phases", "examples,coverage,fuzzing", "--checks", "all", "--exclude-checks", NOT_CHECKED),
            *("--exclude-path-regex", LEFT_OUT, "--max-examples", str(examples), "--max-time", str(seconds)),
            *("--seed", str(seed), "--continue-on-failure", "--no-shrink", "--no-color", "--warnings", "off"),
            *("--generation-database", "none", "--request-timeout", "20", "--report-json-path", str(report)),
        ]
        for name, value in headers.items():
            command += ["-H", f"{name}: {value}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 120, cwd=folder, check=False)
        return read(who, done.stdout, report)


def read(who: str, output: str, report: Path) -> Outcome:
    """From what was printed: the failures' blocks, and the counts of the summary."""
    failures = [block.strip() for block in re.split(r"\n(?=_{5,} )", output) if re.match(r"_{5,} ", block)]
    operations = re.search(r"Tested:\s+(\d+)|Operations:\s+(\d+)", output)
    cases = re.search(r"(\d+) (?:generated|test cases)", output)
    if report.is_file():
        document = json.loads(report.read_text(encoding="utf-8"))
        (report.parent / "seen").write_text(str(len(document)), encoding="utf-8")
    if operations is None and cases is None:
        failures.append(output[-2000:])
    found = next((int(each) for each in (operations.groups() if operations else ()) if each), 0)
    return Outcome(who, found, int(cases[1]) if cases else 0, failures)
