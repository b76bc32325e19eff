"""Django's settings, made from `chopmark.site.config`.

Rooms below read only the `CHOPMARK_*` names at the end. Importing this needs no initialised home:
`check` and `migrate` run before `init`. Without the stored secret key each process makes its own;
sessions then end with the process, and `chopmark.site.wsgi` refuses to serve.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

from csp.constants import NONE, SELF, WASM_UNSAFE_EVAL
from django.utils.translation import gettext_lazy as _

from chopmark.site import config as _config
from chopmark.site.logs import logging_config

CONFIG, CONFIG_PROBLEMS = _config.read_config()
_WEB = Path(__file__).resolve().parent.parent / "web"

# SQLite makes its file, not the folder around it.
CONFIG.home.mkdir(mode=0o700, parents=True, exist_ok=True)

DEBUG = CONFIG.debug
SECRET_KEY = _config.read_secret_key(CONFIG) or secrets.token_urlsafe(64)
ALLOWED_HOSTS = [CONFIG.host, *CONFIG.allowed_hosts, *(["localhost", "127.0.0.1", "[::1]"] if CONFIG.local else [])]
CSRF_TRUSTED_ORIGINS = [CONFIG.base_url]

INSTALLED_APPS = [
    "chopmark.web",
    "chopmark.cases",
    "chopmark.watch",
    "chopmark.rights",
    "chopmark.evidence",
    "chopmark.people",
    "chopmark.site",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django.forms",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.usersessions",
    "ninja",
]

# Sessions, Locale, Authentication and Messages step aside for calls that carry no session (see the module).
MIDDLEWARE = [
    "chopmark.web.middleware.TrustedProxies",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "chopmark.web.middleware.PermissionsPolicy",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "chopmark.web.middleware.MarkPlainCalls",
    "chopmark.web.middleware.OwnEyesOnly",
    "chopmark.web.middleware.Sessions",
    "chopmark.web.middleware.Locale",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "chopmark.web.middleware.Authentication",
    "chopmark.web.middleware.Messages",
    "chopmark.web.middleware.Bodies",
    "allauth.account.middleware.AccountMiddleware",
    "chopmark.web.middleware.Errors",
]

ROOT_URLCONF = "chopmark.site.urls"
WSGI_APPLICATION = "chopmark.site.wsgi.application"
APPEND_SLASH = True

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "chopmark.web.context.site",
            ],
        },
    },
]
# Forms are drawn by templates/django/forms in the web room.
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

DATABASES = {"default": _config.databases(CONFIG)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# allauth counts its rate limits here; one table serves all processes.
CACHES = {"default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "chopmark_cache"}}

# People and signing in
AUTH_USER_MODEL = "people.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "chopmark.people.adapter.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_SIGNUP_FORM_CLASS = "chopmark.people.signup.SignupForm"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_USER_DISPLAY = "chopmark.people.signup.display_name"
ACCOUNT_EMAIL_VERIFICATION = "mandatory" if CONFIG.mail else "optional"
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = "[Chopmark] "
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if CONFIG.https else "http"
ACCOUNT_LOGOUT_REDIRECT_URL = "/"
ACCOUNT_SESSION_REMEMBER = True
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes", "webauthn"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = "Chopmark"
# A passkey needs a confirmed address; on a local site without mail nobody could confirm one.
MFA_ALLOW_UNVERIFIED_EMAIL = CONFIG.mail is None
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = CONFIG.local
SOCIALACCOUNT_ADAPTER = "chopmark.people.adapter.SocialAccountAdapter"
SOCIALACCOUNT_EMAIL_AUTHENTICATION = False
SOCIALACCOUNT_LOGIN_ON_GET = False
SOCIALACCOUNT_PROVIDERS: dict[str, Any] = {
    "openid_connect": {
        "OAUTH_PKCE_ENABLED": True,
        "APPS": [
            {
                "provider_id": provider.id,
                "name": provider.name,
                "client_id": provider.client_id,
                "secret": provider.client_secret,
                "settings": {"server_url": provider.server_url},
            }
            for provider in CONFIG.oidc
        ],
    }
}
USERSESSIONS_TRACK_ACTIVITY = False

# Languages and time
LANGUAGES = [("en", _("English")), ("zh-hans", _("Simplified Chinese"))]
LANGUAGE_CODE = "en"
LOCALE_PATHS = [str(_WEB / "locale")]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

# Static files: vendored, hashed by WhiteNoise's finder; no collectstatic step on one machine.
STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG

# Headers and cookies
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = CONFIG.https
SESSION_COOKIE_HTTPONLY = LANGUAGE_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_NAME = "chopmark_session"
CSRF_COOKIE_NAME = "chopmark_csrf"
LANGUAGE_COOKIE_NAME = "chopmark_language"
CSRF_FAILURE_VIEW = "chopmark.web.errors.csrf_failure"
SECURE_HSTS_SECONDS = 31_536_000 if CONFIG.https else 0
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
CONTENT_SECURITY_POLICY: dict[str, Any] = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, WASM_UNSAFE_EVAL],
        "style-src": [SELF],
        "img-src": [SELF, "data:", "blob:"],
        "connect-src": [SELF],
        "worker-src": [SELF],
        "font-src": [SELF],
        "form-action": [SELF, *sorted({provider.origin for provider in CONFIG.oidc})],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}

# Bodies: files arrive in pieces over tus, never as a form's file.
DATA_UPLOAD_MAX_MEMORY_SIZE = 10 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 4000

# E-mail
if CONFIG.mail is None:
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = str(CONFIG.home / "mail")
    DEFAULT_FROM_EMAIL = f"chopmark@{CONFIG.host}"
else:
    EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    EMAIL_HOST = CONFIG.mail.host
    EMAIL_PORT = CONFIG.mail.port
    EMAIL_HOST_USER = CONFIG.mail.user
    EMAIL_HOST_PASSWORD = CONFIG.mail.password
    EMAIL_USE_TLS = CONFIG.mail.tls == "start"
    EMAIL_USE_SSL = CONFIG.mail.tls == "full"
    EMAIL_TIMEOUT = 15
    DEFAULT_FROM_EMAIL = CONFIG.mail.sender
SERVER_EMAIL = DEFAULT_FROM_EMAIL

LOGGING_CONFIG = "chopmark.site.logs.configure"
LOGGING = logging_config(debug=DEBUG)

# What the rooms below read
CHOPMARK_HOME = CONFIG.home
CHOPMARK_BASE_URL = CONFIG.base_url
CHOPMARK_ORIGIN = CONFIG.origin
CHOPMARK_UPLOAD_LIMIT = CONFIG.upload_limit
CHOPMARK_PDF_SEAL = "chopmark.site.seal.seal_pdf"
# An upload holds its thread as long as its line is slow: half of the server's threads stay for everybody else.
CHOPMARK_UPLOADS_AT_ONCE = max(1, int(os.environ.get("CHOPMARK_THREADS", "8")) // 2)
CHOPMARK_SIGNUP = CONFIG.signup
CHOPMARK_MEDIA_MODEL = CONFIG.media_model
CHOPMARK_CAPTURE_ALLOW = CONFIG.capture_allow
CHOPMARK_WATCH_STORAGE = CONFIG.watch_storage
CHOPMARK_WATCH_CLUSTERS = CONFIG.watch_clusters
CHOPMARK_TRUSTED_PROXIES = CONFIG.trusted_proxies
CHOPMARK_METRICS_TOKEN = CONFIG.metrics_token
CHOPMARK_OIDC = CONFIG.oidc
