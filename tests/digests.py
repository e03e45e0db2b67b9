"""What all tables hold, in a form that two moments can be compared by."""

from __future__ import annotations

from django.db import connection


def of_tables() -> dict[str, tuple[int, str]]:
    """Each table of the database with its number of rows and a digest over all columns.

    The digest does not depend on the order of rows. Two queries.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1"
        )
        tables = [name for (name,) in cursor.fetchall()]
        cursor.execute(
            " UNION ALL ".join(
                f"SELECT {number}, count(*), "
                "coalesce(sum(hashtextextended(row::text, 0)::numeric), 0)::text "
                f"FROM {connection.ops.quote_name(name)} AS row"
                for number, name in enumerate(tables)
            )
        )
        return {tables[number]: (count, digest) for number, count, digest in cursor.fetchall()}
