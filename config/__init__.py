"""The project itself: settings, database, processes, and what every app stands on."""
