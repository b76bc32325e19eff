"""The Django project: settings, urls, start-up checks, the supervisor."""
