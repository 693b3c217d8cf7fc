"""Couplings between oscillators, learned."""
