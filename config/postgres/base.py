"""Django's PostgreSQL backend, which starts the embedded server at the first connection."""

from typing import Any

from django.db import OperationalError
from django.db.backends.postgresql import base, creation

from .server import DB_USER, Server, ServerError


class DatabaseCreation(creation.DatabaseCreation):
    def _destroy_test_db(self, test_database_name: str, verbosity: int) -> None:
        """A session that some thread of a test left open must not keep its database alive."""
        name = self.connection.ops.quote_name(test_database_name)
        with self.connection._nodb_cursor() as cursor:
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


class DatabaseWrapper(base.DatabaseWrapper):
    creation_class = DatabaseCreation

    def get_connection_params(self) -> dict[str, Any]:
        """Where to connect; by then the server runs.

        Only a real connection asks for this: settings, checks and type checkers start nothing.
        """
        server = Server(self.settings_dict["DATA_DIR"], self.settings_dict["SERVER_OPTIONS"])
        try:
            server.ensure_running()
        except ServerError as e:
            raise OperationalError(str(e)) from e
        self.settings_dict |= {"HOST": str(server.socket_dir), "PORT": "5432", "USER": DB_USER}
        return super().get_connection_params()
