"""Limits and lengths both paths of packets keep to; seconds and bytes where nothing else is said."""

BATCH = 64  # datagrams of one poll
SHED_AFTER_S = 0.2  # behind for longer than this: pictures that wait are dropped, not forwarded late
SHED_SOUND_AFTER_S = 1.0  # for so long although they are dropped: so is everything
INTERVAL_S = 0.1  # of rate limits and budgets
MAX_BYTES_PER_INTERVAL = 400_000  # of one connection: 32 Mbit/s, far over any honest sender
MAX_PACKETS_PER_INTERVAL = 300  # three layers, a screen and their repetition stay below 200
MAX_UNKNOWN_PER_INTERVAL = 60  # packets of unknown SSRCs handed up
MAX_DATAGRAM = 2048
SMALLEST_RTP = 12
SMALLEST_RTCP = 8
MAX_RTP = 1500  # a larger packet can't come from an honest sender on Ethernet

VIDEO_HISTORY = 512  # packets; a power of two
AUDIO_HISTORY = 128
KEEP_S = 2.0  # packets older than this are not sent again: nobody waits for them
AUDIO_NACK_AGE_S = 0.4
RESTART_AFTER = 50  # packets in a row from far behind: the sender began its numbering anew
FAR_BEHIND = 1_000

RESEND_INTERVAL_S = 0.015  # the same packet is not sent again sooner: two NACKs crossed
LONGEST_GUARD_S = 0.5
RESENT_KEPT = 512
RESENDS_PER_INTERVAL = 150  # a NACK flood can't turn us into an amplifier
MAX_MAPPINGS = 8  # changes of numbering a late NACK can still be translated through

SOUND, AGAIN, CAMERA, SCREEN, PADDING = range(5)
"""What goes first where a receiver's rate does not suffice for all: sound is never kept waiting."""
PACED_PACKETS = 512  # that wait on one link at most
PACED_WAIT_S = 1.5  # what waited longer is dropped: it would only make the rest late
CHOKED_S = 3.0  # a track of which that happened waits so long for a key frame at most: it may be one we can't tell
PACED_DEBT_S = 1.0  # that much of the rate sound may use up in advance
PACED_BURST_S = 0.04  # unused rate that may be used at once
PACED_BURST_BYTES = 4_000  # or this, where it is more
MAX_PADDING = 255  # bytes, as one byte counts them
WORTH_A_COPY = 500  # bytes a probe lacks: less is padding alone
PADS_AT_ONCE = 64
UDP_IP = 28  # bytes around a datagram on its way
PACE_S = 0.005  # how often `Path.pace` wants to be called while something waits

DROPS = (
    "stranger",
    "unknown",
    "over_rate",
    "before_dtls",
    "srtp",
    "srtcp",
    "rtp_malformed",
    "unrouted",
    "protect",
    "send_failed",
    "send_buffer_full",
    "overload",
    "paced",
)
"""Reasons a path drops for; the order is that of the counters in C."""
