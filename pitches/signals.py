"""News that travels up from pitches. Sent inside the transaction that made it true."""

from django.dispatch import Signal

pitch_sent = Signal()
"""The first message of a pitch went out. ``pitch=``."""

reply_received = Signal()
"""A person answered. ``incoming=``."""

placement_changed = Signal()
"""A placement was made or moved. ``placement=``."""

left_alone = Signal()
"""A person or an organization is never to be written to again. ``stop=``."""
