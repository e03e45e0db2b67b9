from django.apps import AppConfig


class PitchesConfig(AppConfig):
    name = "pitches"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from pitches import checks  # noqa: F401  registers what it checks
