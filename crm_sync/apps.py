from django.apps import AppConfig


class CrmSyncConfig(AppConfig):
    name = "crm_sync"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        import crm_sync.receivers  # noqa: F401  (connects the signals)
