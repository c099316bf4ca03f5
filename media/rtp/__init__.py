"""Pure RTP: bytes and ``now`` in, bytes and decisions out. No sockets, no clocks, no randomness of its own."""
