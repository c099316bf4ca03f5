"""What each module's ports are given: the neighbours' services, in process.

One file per module that asks. An adapter reaches its neighbour when it is called, not before, so that modules may
need each other.
"""
