"""Settings of a project that a test makes multi-tenant. Environment variables specify the database."""

from __future__ import annotations

import os

SECRET_KEY = "of a test"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "shop",
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": os.environ["SHOP_HOST"],
        "NAME": os.environ["SHOP_DATABASE"],
        "USER": os.environ["SHOP_USER"],
        "OPTIONS": {"options": os.environ.get("SHOP_OPTIONS", "")},
    }
}
