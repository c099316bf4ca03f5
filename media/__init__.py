"""The media worker: a selective forwarding unit of its own process. ``worker.run`` starts it."""
