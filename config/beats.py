"""Signs of life. Whoever works writes them; the watchdog and the doctor read them.

All times are the database's, so a host with a wrong clock neither kills nor saves anybody.
"""

import os
import socket

from django.db import connection

BEAT = """
    INSERT INTO config_beat (name, host, pid, beaten_at, valid_until)
    VALUES (%s, %s, %s, clock_timestamp(), clock_timestamp() + make_interval(secs => %s))
    ON CONFLICT (host, pid) DO UPDATE SET
        name = EXCLUDED.name, beaten_at = EXCLUDED.beaten_at, valid_until = EXCLUDED.valid_until
"""

SILENCE = """
    SELECT extract(epoch FROM clock_timestamp() - max(greatest(beaten_at, valid_until)))
    FROM config_beat
"""


def beat(name: str, *, valid_for: float | None = None) -> None:
    """Say that this process lives, doing `name`, and may be silent for `valid_for` seconds.

    Call it outside a transaction: others see it only once it is committed.
    """
    with connection.cursor() as cursor:
        cursor.execute(BEAT, [name[:50], socket.gethostname(), os.getpid(), valid_for])


def silence() -> float | None:
    """Seconds since the last sign of life; negative while somebody announced to be quiet.

    None if nobody has ever beaten.
    """
    with connection.cursor() as cursor:
        cursor.execute(SILENCE)
        (seconds,) = cursor.fetchone()
        return None if seconds is None else float(seconds)
