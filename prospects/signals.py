"""News that travels up from prospects. Sent inside the transaction that made it true."""

from django.dispatch import Signal

lead_scored = Signal()
"""A run gave a lead its score. ``assessment=``."""
