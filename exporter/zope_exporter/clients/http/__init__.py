"""Probing an address from outside, as a visitor would."""
