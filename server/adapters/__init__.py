"""Adapters: how each module's ports are answered by its neighbours in the same process."""
