"""The services that setting the modules up gives, for adapters and for the parts of the server that use several."""

from __future__ import annotations

from dataclasses import dataclass, field

import billing
import compliance
import identity
import records
import scheduling
from consultations.service import Consultations
from notifications.service import Notifications
from signaling.live import Live


@dataclass(slots=True)
class Modules:
    """The modules' services, filled by ``compose``."""

    identity: identity.Identity = field(init=False)
    scheduling: scheduling.Scheduling = field(init=False)
    consultations: Consultations = field(init=False)
    records: records.Records = field(init=False)
    billing: billing.Billing = field(init=False)
    notifications: Notifications = field(init=False)
    compliance: compliance.Compliance = field(init=False)
    signaling: Live = field(init=False)
