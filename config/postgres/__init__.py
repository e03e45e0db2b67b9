"""PostgreSQL without an installation: ENGINE = "config.postgres"."""
