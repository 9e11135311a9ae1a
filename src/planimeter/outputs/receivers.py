"""The receivers that the settings of a service name."""

from collections.abc import Mapping
from pathlib import Path

from planimeter.errors import InvalidOption
from planimeter.outputs.mqtt import Mqtt
from planimeter.outputs.receiver import Receiver
from planimeter.outputs.signing import HOW_TO_MAKE, parse_secrets
from planimeter.outputs.webhook import Webhook
from planimeter.reading import read_file
from planimeter.settings import Settings

SECRET, PASSWORD = "PLANIMETER_WEBHOOK_SECRET", "PLANIMETER_MQTT_PASSWORD"
_MOST_BYTES = 4096


def receivers_of(settings: Settings, environ: Mapping[str, str]) -> list[Receiver]:
    """Return them; raises `InvalidOption` for what cannot be, and `NotReady` where something is not installed."""
    found: list[Receiver] = []
    if settings.webhook:
        secret, source = _secret(settings.webhook_secret_file, "--webhook-secret-file", environ, SECRET)
        if secret is None:
            raise InvalidOption(
                f"--webhook needs a secret that messages are signed with: put it into {SECRET}, or into a file that "
                f"--webhook-secret-file names; make one with {HOW_TO_MAKE}"
            )
        secrets = parse_secrets(secret, source)
        found += [Webhook(url, secrets) for url in dict.fromkeys(settings.webhook)]
    if settings.mqtt:
        password, _ = _secret(settings.mqtt_password_file, "--mqtt-password-file", environ, PASSWORD)
        if password is not None and not settings.mqtt_user:
            raise InvalidOption(f"{PASSWORD} or --mqtt-password-file needs --mqtt-user, whose password it is")
        found.append(Mqtt(settings.mqtt, settings.mqtt_user, password))
    return found


def _secret(
    file: Path | None, flag: str, environ: Mapping[str, str], variable: str
) -> tuple[str | None, str]:
    """Return a secret and where it stands: in the file, where one is named, else in the variable."""
    if file is None:
        return environ.get(variable), variable
    try:
        return read_file(file, most_bytes=_MOST_BYTES).decode("utf-8").strip(), f"{flag} {file}"
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise InvalidOption(f"{flag} {file} cannot be read ({reason})") from error
