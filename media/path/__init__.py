"""The path of a packet: socket to socket, behind small interfaces, with two implementations that behave alike.

``api`` says what a path does. ``python_*`` is the one in Python; ``native`` binds the one in C. Everything
that happens once a packet is here; everything slower (negotiation, reports, timers) stays outside.
"""
