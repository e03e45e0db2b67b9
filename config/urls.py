"""Every address the web answers; the roof of the project."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from campaigns import media

from . import health

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("api/", include("config.api")),
    path("", include("pitches.public")),
    path("webhooks/", include("pitches.webhooks")),
    path("media/<path:name>", media.show, name="media"),
    path("healthz", health.healthz, name="healthz"),
]
