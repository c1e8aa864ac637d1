"""All settings of itopd, each declared once: name, type, default, meaning.

Names are iTop's (``params.md`` §5) with ``_`` for ``.``; files may use either spelling. What iTop does not have is
declared with :func:`own`. The object is frozen: whoever needs another value makes another object.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationInfo, field_validator

from itopd.rules import Rules, rules_for
from itopd.settings.declare import (
    DateFormat,
    DateFormats,
    Level,
    Names,
    OptionalPath,
    RetryRules,
    Switch,
    Words,
    itop,
    own,
)
from itopd.settings.urls import database_url_of, place_sqlite, same_database, state_url_beside

_EMAIL_PATTERN = r"[a-zA-Z0-9._&'-]+@[a-zA-Z0-9.-]+\.[a-zA-Z0-9-]{2,}"
_PHONE_PATTERN = r"[0-9.\-\ \+\(\)]+"
_URL_PATTERN = (
    r"(https?|ftp)\://([a-zA-Z0-9+!*(),;?&=\$_.-]+(\:[a-zA-Z0-9+!*(),;?&=\$_.-]+)?@)?([a-zA-Z0-9-.]{3,})"
    r"(\:[0-9]{2,5})?(/([a-zA-Z0-9:%+\$_-]\.?)+)*/?(\?[a-zA-Z+&\$_.-][a-zA-Z0-9;:[\]@&%=+/\$_.,-]*)?"
    r"(#[a-zA-Z0-9_.-][a-zA-Z0-9+\$_.-]*)?"
)
_PASSWORD_PATTERN = r"^(?=.*[a-z])(?=.*[A-Z])(?=.*\d)(?=.*[^\da-zA-Z]).{8,}$"  # noqa: S105 - a pattern, no password
_ALL_DAYS = "monday, tuesday, wednesday, thursday, friday, saturday, sunday"


Executor = Literal["process", "celery"]


class Settings(BaseModel):
    """Every setting. Relative paths start at the working directory, except where their text says otherwise."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    # Where things are. A field reads the ones above it, so the order matters here.
    data_folder: Path = own(Path("data"), "folder of what itopd writes: SQLite files, reports, marker files")
    jobs_folder: Path = own(Path("config/jobs"), "folder of the jobs: NAME.params files with a schedule")
    parameters_folder: Path = own(Path("config"), "folder whose parameters files HTTP requests may name")
    itop_config: OptionalPath = own(None, "config-itop.php of the iTop to attach to; read, never written")
    itop_root: OptionalPath = own(None, "root folder of that iTop: marker files, dictionaries, thread ids of mails")
    itop_environment: str = own("production", "its environment: dictionaries are in the folder env-NAME")
    data_model: str = own("", "iTop data model (datamodel-production.xml); empty = the bundled one")

    attached: Switch = own(False, "the database is a running iTop's; implied by itop_config and itop_root")

    # Database.
    db_host: str = itop("localhost", "database server: host, host:port or p:host")
    db_socket: str = own("", "Unix socket of the server, which PHP means by localhost; empty = TCP")
    db_user: str = itop("", "database account")
    db_pwd: SecretStr = itop(SecretStr(""), "its password")
    db_name: str = itop("", "name of the database; part of every lock name")
    db_subname: str = itop("", "prefix of all table names; part of every lock name")
    db_tls_enabled: Switch = itop(False, "encrypt the database connection", name="db_tls.enabled")
    db_tls_ca: str = itop("", "certificate authority file of that connection", name="db_tls.ca")
    database_url: str = own(
        "",
        "sqlite:///path, postgresql://user:password@host/name or mysql://user:password@host/name; empty = made from "
        "db_* when db_name is set, else sqlite:///itopd.db; a relative SQLite path starts at data_folder",
        repr=False,
    )
    read_url: str = own(
        "",
        "a replica that exports and queries read instead of the database; empty = they read the database; a relative "
        "SQLite path starts at data_folder",
        repr=False,
    )
    state_url: str = own(
        "",
        "where itopd keeps its ledger and leases; empty = itopd-state.db in data_folder beside SQLite, schema "
        "itopd_state in a PostgreSQL database, database itopd on a MariaDB server; a relative SQLite path starts at "
        "data_folder",
        repr=False,
    )
    server_identity: str = own(
        "", "what the clone guard takes for the identity of the database server; empty = what the server says of itself"
    )
    db_core_transactions_enabled: Switch = itop(True, "one transaction per object write; itopd always has them")
    db_core_transactions_retry_count: int = itop(
        3, "how often a write that lost a dead lock, or waited too long for others, is done again", ge=0
    )
    db_core_transactions_retry_delay_ms: int = itop(
        500, "base of the pause before each of these: times the attempts made, times 1 to 5 by chance", unit="ms", ge=0
    )

    # Behaviour.
    compat: Literal["itopd", "itop"] = own("itopd", "whose rules hold where iTop is lenient (params.md §7)")
    run_as: str = own("admin", "account that acts where no auth_user is given")
    timezone: str = itop("Europe/Paris", "zone of every date in the database")
    default_language: str = itop("EN US", "language of accounts without one", older=True)
    access_mode: int = itop(3, "bit 1 = users may write, bit 2 = administrators may write", ge=0, le=3)
    access_message: str = itop(
        "iTop is temporarily frozen, please wait... (the admin team)", "text shown while writing is restricted"
    )
    demo_mode: Switch = itop(False, "refuse the writes that iTop's demonstration mode refuses")
    app_root_url: str = itop("", "base of all URLs; $SERVER_NAME$ stands for the host name")
    stop_timeout: int = own(60, "how long a stopping daemon waits for its runs", unit="seconds", ge=1)
    simulate_limit: int = own(50_000, "greatest input of a simulation", unit="rows", ge=1)

    # Lanes: where runs execute, how many side by side, how long, how much they give way.
    lane_mail_executor: Executor = own("process", "where mails are sent: process = here, celery = at a worker")
    lane_mail_limit: int = own(1, "runs of the lane mail at a time, per daemon or worker", ge=1)
    lane_mail_soft_seconds: int = own(600, "when a run is asked to stop between two mails", unit="seconds", ge=1)
    lane_mail_hard_seconds: int = own(300, "how long after that its process is killed", unit="seconds", ge=1)
    lane_mail_nice: int = own(
        0, "how much its processes give way to all others when processors are scarce (nice)", ge=0, le=19
    )
    lane_tasks_executor: Executor = own("process", "where the other background tasks run: process or celery")
    lane_tasks_limit: int = own(2, "runs of the lane tasks at a time, per daemon or worker", ge=1)
    lane_tasks_soft_seconds: int = own(600, "when a run is asked to stop", unit="seconds", ge=1)
    lane_tasks_hard_seconds: int = own(300, "how long after that its process is killed", unit="seconds", ge=1)
    lane_tasks_nice: int = own(
        10, "how much its processes give way to all others when processors are scarce (nice)", ge=0, le=19
    )
    lane_synchro_executor: Executor = own("process", "where data is synchronized: process or celery")
    lane_synchro_limit: int = own(1, "runs of the lane synchro at a time, per daemon or worker", ge=1)
    lane_synchro_soft_seconds: int = own(21_600, "when a run is asked to stop", unit="seconds", ge=1)
    lane_synchro_hard_seconds: int = own(300, "how long after that its process is killed", unit="seconds", ge=1)
    lane_synchro_nice: int = own(
        10, "how much its processes give way to all others when processors are scarce (nice)", ge=0, le=19
    )
    lane_transfer_executor: Executor = own("process", "where imports and exports run: process or celery")
    lane_transfer_limit: int = own(2, "runs of the lane transfer at a time, per daemon or worker", ge=1)
    lane_transfer_soft_seconds: int = own(21_600, "when a run is asked to stop", unit="seconds", ge=1)
    lane_transfer_hard_seconds: int = own(300, "how long after that its process is killed", unit="seconds", ge=1)
    lane_transfer_nice: int = own(
        10, "how much its processes give way to all others when processors are scarce (nice)", ge=0, le=19
    )
    celery_broker_url: SecretStr = own(
        SecretStr(""), "broker of the lanes whose executor is celery: amqp://user:password@host/vhost or redis://host/0"
    )
    celery_prefix: str = own("itopd", "what the names of the broker's queues begin with: one per itopd", min_length=1)

    # Logs and event rows.
    log_format: Literal["console", "json"] = own("console", "shape of log lines")
    log_file: str = own(
        "",
        "where the daemon, ticks and their runs log: a file, stdout or stderr; empty = stderr. A file that was renamed "
        "is made anew. Other commands log to stderr",
    )
    log_level: Literal["", "debug", "info", "warning", "error"] = own(
        "", "lowest level logged; empty = info of the daemon and its runs, warning of other commands"
    )
    log_level_min: Level = itop("", "lowest level logged: a level, or JSON channel -> level; empty = Ok")
    log_level_min_write_in_db: Level = itop(
        "", "the same for the copy in event rows; empty = none", name="log_level_min.write_in_db"
    )
    log_global: Switch = itop(True, "write event rows at all", older=True)
    log_notification: Switch = itop(True, "event rows of e-mail actions", older=True)
    log_issue: Switch = itop(True, "event rows of errors", older=True)
    log_web_service: Switch = itop(True, "event rows of web services", older=True)
    log_usage: Switch = itop(False, "one event row per login")
    log_rest_service: Switch = itop(False, "one event row per REST call")
    log_filename_builder_impl: str = itop("MonthlyRotatingLogFileNameBuilder", "rotation of iTop's log files")
    log_purge_enabled: Switch = itop(False, "delete old log files", name="log_purge.enabled")
    log_purge_max_keep_days: int = itop(365, "how old they get", name="log_purge.max_keep_days", unit="days", ge=0)

    # Heartbeat.
    cron_max_execution_time: int = itop(600, "length of one heartbeat of cron.php", unit="seconds", ge=0)
    cron_sleep: int = itop(2, "pause between two looks for due work", unit="seconds", ge=1)
    cron_task_max_execution_time: int = itop(
        0, "k > 0: a periodic process gets at most k times its period; 0 = no limit", ge=0
    )
    obsolescence_date_update_interval: int = itop(
        600, "period of the obsolescence process", name="obsolescence.date_update_interval", unit="seconds", ge=1
    )
    temporary_object_lifetime: int = itop(
        300, "life of a temporary object", name="temporary_object.lifetime", unit="seconds", ge=0
    )
    temporary_object_garbage_interval: int = itop(
        60, "period of their removal", name="temporary_object.garbage_interval", unit="seconds", ge=1
    )
    draft_attachments_lifetime: int = itop(86_400, "life of a draft attachment", unit="seconds", ge=0)
    notifications_itop_read_notification_retention: int = itop(
        182,
        "how long a read newsroom event is kept",
        name="notifications.itop.read_notification_retention",
        unit="days",
        ge=0,
    )
    itop_backup_enabled: Switch = itop(True, "whether backups are scheduled", name="itop-backup/enabled")
    itop_backup_week_days: str = itop(_ALL_DAYS, "their days", name="itop-backup/week_days")
    itop_backup_time: str = itop("23:30", "their time of day", name="itop-backup/time")
    itop_backup_retention_count: int = itop(
        5, "backups kept; 0 = all", name="itop-backup/retention_count", unit="files", ge=0
    )
    itop_backup_file_name_format: str = itop(
        "__DB__-%Y-%m-%d_%H_%M", "their name without extension", name="itop-backup/file_name_format"
    )
    itop_backup_mysql_bindir: str = itop(
        "", "folder of mysqldump; empty = search path", name="itop-backup/mysql_bindir"
    )
    itop_backup_extra_files: Words = itop(
        (),
        "further files and folders put into a backup, relative to itop_root, else data_folder",
        name="itop-backup/extra_files",
    )
    backup_folder: OptionalPath = own(
        None, "where backups go; empty = data/backups/auto below itop_root, else backups/auto in data_folder"
    )
    backup_postgresql_bindir: str = own("", "folder of pg_dump and psql; empty = search path")

    # E-mail.
    email_asynchronous: Switch = itop(False, "queue e-mails instead of sending them at once")
    email_transport: Literal["PHPMail", "SMTP", "SMTP_OAuth", "LogFile", "Null", "null", "directory"] = itop(
        "PHPMail",
        "how mails leave: PHPMail (sendmail), SMTP, SMTP_OAuth, LogFile, Null (SMTP to localhost:25), "
        "null (nowhere), directory (one .eml file each)",
    )
    email_transport_smtp_host: str = itop("localhost", "SMTP server", name="email_transport_smtp.host")
    email_transport_smtp_port: int = itop(25, "its port", name="email_transport_smtp.port", ge=1, le=65_535)
    email_transport_smtp_encryption: Literal["", "tls", "ssl"] = itop(
        "", "tls = STARTTLS, ssl = TLS from the start", name="email_transport_smtp.encryption"
    )
    email_transport_smtp_username: str = itop("", "SMTP login", name="email_transport_smtp.username")
    email_transport_smtp_password: SecretStr = itop(
        SecretStr(""), "its password; empty = no login", name="email_transport_smtp.password"
    )
    email_transport_smtp_verify_peer: Switch = itop(
        True, "check the certificate of the server", name="email_transport_smtp.verify_peer"
    )
    email_transport_smtp_allow_self_signed: Switch = itop(
        False, "iTop reads it nowhere; accepted for its files", name="email_transport_smtp.allow_self_signed"
    )
    email_default_sender_address: str = itop("", "From of mails without one")
    email_default_sender_label: str = itop("", "its label")
    email_css: str = itop("", "style sheet text added to notifications")
    async_task_retries: RetryRules = itop(
        {}, "JSON: class of queued task -> max_retries, retry_delay, exponential_delay; empty = the rules' own"
    )
    mail_timeout: int = own(30, "patience with a mail server", unit="seconds", ge=1)
    mail_rate_limit: float = own(0.0, "mails per second at most; 0 = no limit", ge=0)
    mail_redirect_to: str = own(
        "", "test systems: addresses that get every mail instead of its recipients; empty = mails go where they say"
    )
    mail_directory: Path = own(Path("mails"), "folder of the directory transport; relative to data_folder")
    mail_thread_env: str = own("", "environment part of thread ids; empty = as iTop: from itop_root, else app_root_url")
    notifications_itop_send_asynchronously: Switch = itop(
        False, "queue newsroom notifications", name="notifications.itop.send_asynchronously"
    )
    max_linkset_output: int = itop(100, "items of a link set that a placeholder writes; 0 = all", ge=0)

    # Writing.
    allow_unported: Words = own(
        (), "attached: classes to write although iTop runs PHP of its own for them; subclasses included"
    )
    email_validation_pattern: str = itop(_EMAIL_PATTERN, "format of e-mail attributes")
    phone_number_validation_pattern: str = itop(_PHONE_PATTERN, "format of phone attributes")
    url_validation_pattern: str = itop(_URL_PATTERN, "format of URL attributes")
    authent_local_password_validation_pattern: str = itop(
        _PASSWORD_PATTERN, "policy of new passwords", name="authent-local/password_validation.pattern"
    )
    password_hash_algo: str = itop("2y", "algorithm of new password hashes; itopd writes 2y", older=True)
    encryption_key: SecretStr = itop(SecretStr(""), "key of encrypted attributes", older=True)
    encryption_library: str = itop("Mcrypt", "Sodium, OpenSSL, Mcrypt or Simple", older=True)
    html_sanitizer: str = itop("HTMLDOMSanitizer", "cleaner of stored HTML")
    skip_check_to_write: Switch = itop(False, "skip all checks before a write")
    skip_check_ext_keys: Switch = itop(False, "skip the check that the target of a key exists")
    disable_mandatory_ext_keys: Switch = itop(False, "let mandatory keys stay unset")
    tracking_level_linked_set_default: int = itop(
        0, "history of 1-n link sets: bit 1 additions and removals, bit 2 changes of links", ge=0, le=3
    )
    tracking_level_linked_set_indirect_default: int = itop(3, "the same for n-n link sets", ge=0, le=3)
    purge_data_max_chunk_size: int = itop(
        1000, "rows per statement when history is purged", name="purge_data.max_chunk_size", unit="rows", ge=1
    )
    itop_attachments_allowed_classes: Words = itop(
        ("Ticket",), "classes with attachments, subclasses included", name="itop-attachments/allowed_classes"
    )

    # Import, export, synchronization.
    csv_file_default_charset: str = itop(
        "", "charset of CSV text when none is asked; empty = the rules': UTF-8, iTop's ISO-8859-1"
    )
    csv_import_charsets: Names = itop({}, "JSON: further charsets, iconv name -> label", older=True)
    date_and_time_format: DateFormats = itop(
        {"default": DateFormat()}, "JSON: language or default -> date, time, date_time"
    )
    deadline_format: str = itop("$difference$", "text of deadlines: $date$ and $difference$ are replaced")
    link_set_item_separator: str = itop("|", "link sets in text: between links", min_length=1)
    link_set_attribute_separator: str = itop(";", "link sets in text: between attributes", min_length=1)
    link_set_value_separator: str = itop(":", "link sets in text: between attribute and value", min_length=1)
    link_set_attribute_qualifier: str = itop("'", "link sets in text: quote", min_length=1)
    tag_set_item_separator: str = itop("|", "tag sets in text", min_length=1)
    export_pdf_font: str = itop("DejaVuSans", "font of PDF exports")
    obsolescence_show_obsolete_data: Switch = itop(
        False, "show obsolete objects to accounts that did not choose", name="obsolescence.show_obsolete_data"
    )
    synchro_trace: Literal["none", "display", "save"] = itop("none", "trace of an execution")
    synchro_prevent_delete_all: Switch = itop(True, "refuse a run in which every replica would become obsolete")
    synchro_obsolete_replica_locks_object: Switch = itop(True, "an obsolete replica still locks its attributes")

    # HTTP, accounts, rights.
    allowed_login_types: str = itop("form|external|basic", "login modes, in order of precedence", older=True)
    ext_auth_variable: str = itop("$_SERVER['REMOTE_USER']", "server variable of mode external", older=True)
    behind_reverse_proxy: Switch = itop(False, "trust the X-Forwarded headers")
    secure_connection_required: Switch = itop(False, "refuse plain HTTP", older=True)
    application_secret: SecretStr = itop(SecretStr(""), "key of signed links", name="application.secret")
    secure_rest_services: Switch = itop(True, "REST needs the profile REST Services User")
    allow_rest_services_via_tokens: Switch = itop(False, "a token replaces that profile")
    security_hide_administrators: Switch = itop(
        True, "accounts that are no administrators do not see those that are", name="security.hide_administrators"
    )
    user_rights_legacy: Switch = itop(
        False, "within a profile, an allowance on the class wins over a denial on its parent"
    )
    relations_complete_analysis: Switch = itop(
        False, "explore relations through objects the account may not see", name="relations.complete_analysis"
    )

    @property
    def zone(self) -> ZoneInfo:
        """Return the time zone of the database's dates."""
        return ZoneInfo(self.timezone)

    @property
    def rules(self) -> Rules:
        """Return the rules that ``compat`` names."""
        return rules_for(self.compat)

    @property
    def effective_state_url(self) -> str:
        """Return where the state store is: ``state_url``, else what follows from the database."""
        return self.state_url or state_url_beside(self.database_url, self.data_folder)

    @property
    def mail_folder(self) -> Path:
        """Return the folder of the ``directory`` transport."""
        return self.data_folder / self.mail_directory

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("not a time zone; name one as in Europe/Paris or UTC") from None
        return name

    @field_validator("database_url")
    @classmethod
    def _complete_database_url(cls, url: str, info: ValidationInfo) -> str:
        known: Mapping[str, Any] = info.data  # lacks what was refused: that is reported on its own
        if not url and known.get("db_name") and "db_pwd" in known:
            return database_url_of(
                host=known.get("db_host", ""),
                user=known.get("db_user", ""),
                password=known["db_pwd"].get_secret_value(),
                name=known["db_name"],
                socket=known.get("db_socket", ""),
                tls_ca=known.get("db_tls_ca", "") if known.get("db_tls_enabled") else None,
            )
        return place_sqlite(url or "sqlite:///itopd.db", known.get("data_folder", Path()))

    @field_validator("read_url")
    @classmethod
    def _place_read_url(cls, url: str, info: ValidationInfo) -> str:
        return place_sqlite(url, info.data.get("data_folder", Path()))

    @field_validator("state_url")
    @classmethod
    def _complete_state_url(cls, url: str, info: ValidationInfo) -> str:
        placed = place_sqlite(url, info.data.get("data_folder", Path()))
        apart = placed.startswith("postgres")  # there the store lies in a schema of its own
        if placed and not apart and same_database(placed, info.data.get("database_url", "")):
            raise ValueError(
                "the state store needs a file or database of its own, apart from database_url; leave it out to get one"
            )
        return placed
