"""Tokens, the access policy, envelope encryption and encrypted files."""
