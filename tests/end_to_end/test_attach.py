"""``itopd attach`` beside folder and database of an iTop, whole ones and broken ones, through the real command."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from itopd.database import Database
from itopd.heartbeat.tasks import SHIPPED
from tests.cli.calls import Answer, call
from tests.support.dumps import diff_dumps, dump_tables
from tests.support.sample import REFERENCE, fresh_sample_mariadb
from tests.support.servers import HOST, MARIADB_PORT, admin_connection

pytestmark = [pytest.mark.shared, pytest.mark.mariadb]

CONFIG = """<?php

/**
 * As a fresh installation writes it: the settings whose values differ from the code's, and the database.
 */
$MySettings = array(
	'app_root_url' => 'https://itop.example.com/',
	'application.secret' => '0123456789abcdef0123456789abcdef',
	'db_host' => '{host}:{port}',
	'db_name' => '{name}',
	'db_pwd' => '{password}',
	'db_subname' => '',
	'db_user' => '{user}',
	'encryption_key' => 'dc0ffee000000000000000000000000000000000000000000000000000000000',
	'encryption_library' => 'Sodium',
	'email_asynchronous' => true,
	'email_transport' => 'null',
	'tracking_level_linked_set_default' => 0,
);

$MyModuleSettings = array(
	'itop-backup' => array (
		'week_days' => 'monday, tuesday, wednesday, thursday, friday',
	),
);

$MyModules = array(
	'addons' => array (
		'user rights' => 'addons/userrights/userrightsprofile.class.inc.php',
	),
);
?>
"""
PASSWORD = "s3cret'#=@:/%"
PROCESSES = sorted(SHIPPED)


@dataclass(frozen=True)
class Itop:
    """An iTop: its folder, its database, an account of its own; and a place for the files of itopd."""

    folder: Path
    database: Database
    user: str

    @property
    def root(self) -> Path:
        return self.folder / "itop"

    @property
    def config(self) -> Path:
        return self.root / "conf/production/config-itop.php"

    @property
    def model(self) -> Path:
        return self.root / "data/datamodel-production.xml"

    @property
    def state(self) -> str:
        return f"{self.database.name}_state"

    def state_url(self, user: str = "root", password: str = "") -> str:
        return f"mysql://{user}{':' if password else ''}{password}@{HOST}:{MARIADB_PORT}/{self.state}"

    def php(self, **changes: str) -> str:
        values = {"host": HOST, "port": str(MARIADB_PORT), "name": self.database.name, "user": self.user}
        password = PASSWORD.replace("'", "\\'")
        text = CONFIG
        for name, value in {**values, "password": password, **changes}.items():
            text = text.replace(f"{{{name}}}", value)
        return text

    def attach(self, *words: str | Path, file: str = "itopd.params") -> Answer:
        state = f"--set=state_url={self.state_url()}"
        return call("attach", f"--itop={self.root}", state, f"--output={self.folder / file}", *words)

    def run(self, *words: str | Path, file: str = "itopd.params") -> Answer:
        return call("--config", self.folder / file, *words)


def admin(*statements: str) -> None:
    """Run statements as the server's root."""
    with admin_connection() as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@pytest.fixture(scope="module")
def itop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Itop]:
    """Give an iTop whose cron.php has run before."""
    folder = tmp_path_factory.mktemp("attach")
    with fresh_sample_mariadb() as database:
        user = f"u{database.name.removeprefix('itopd_test_')}"
        made = Itop(folder, database, user)
        escaped = PASSWORD.replace("'", "''").replace("%", "%%")
        processes = [name.replace("\\", "\\\\") for name in PROCESSES]
        rows = ", ".join(f"('{name}', '2024-01-02 00:01:00', 0, 0, 99999.999, 0, 0, 0, 'active')" for name in processes)
        admin(
            f"CREATE USER {user}@'%%' IDENTIFIED BY '{escaped}'".replace("%%", "%"),
            f"GRANT ALL ON `{database.name}`.* TO {user}@'%'",
            f"INSERT INTO {database.name}.priv_backgroundtask (class_name, next_run_date, total_exec_count, "
            "latest_run_duration, min_run_duration, max_run_duration, average_run_duration, running, status) "
            f"VALUES {rows}",
        )
        for name in ("conf/production", "data", "env-production/dictionaries"):
            (made.root / name).mkdir(parents=True)
        for name in ("data", "jobs"):
            (folder / name).mkdir()
        made.config.write_text(made.php())
        (made.root / "env-production/dictionaries/en-us.dict.php").write_text(
            "<?php\nDict::SetEntries('EN US', array('Class:Brand' => 'Brand'));\n"
        )
        shutil.copyfile(REFERENCE / "datamodel.xml", made.model)
        try:
            yield made
        finally:
            admin(f"DROP DATABASE IF EXISTS {made.state}", f"DROP USER {user}@'%'")


@contextmanager
def changed(path: Path, text: str) -> Iterator[None]:
    """Let a file say something else for a while."""
    before = path.read_text()
    path.write_text(text)
    try:
        yield
    finally:
        path.write_text(before)


def lines(answer: Answer) -> dict[str, tuple[str, str]]:
    """Return ok or TO DO, and the text, of each line of the report."""
    found = re.findall(r"^(ok|TO DO) +([\w ]+): (.*)$", answer.out, re.MULTILINE)
    return {about: (state, text) for state, about, text in found}


def test_a_parameters_file_is_written_and_nothing_else_changes(itop: Itop) -> None:
    before = dump_tables(itop.database)
    files = {path: path.read_bytes() for path in itop.root.rglob("*") if path.is_file()}
    answer = itop.attach()
    assert answer.code == 0, answer
    report = lines(answer)
    assert {state for state, _ in report.values()} == {"ok"}
    assert report["configuration"][1].endswith(f"settings read from {itop.config}")
    assert report["tables"] == ("ok", "as the data model says")
    assert report["core classes"] == ("ok", "as in iTop 3.2")
    assert report["processes"] == ("ok", f"iTop's cron.php runs {len(PROCESSES)} of {len(PROCESSES)}")
    assert "UserLocal" in report["PHP of its own"][1]
    file = itop.folder / "itopd.params"
    text = file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert f"itop_root = {itop.root}\nitop_config = {itop.config}\ndata_model = {itop.model}\n" in text
    assert PASSWORD not in text + answer.out
    assert "s3cret" not in text + answer.out
    assert diff_dumps(before, dump_tables(itop.database)) == {}
    assert {path: path.read_bytes() for path in itop.root.rglob("*") if path.is_file()} == files
    assert not list(itop.folder.glob(".*.part"))


def test_the_ordinary_commands_work_with_the_file(itop: Itop) -> None:
    itop.attach("--force")
    people = itop.folder / "brands.csv"
    people.write_text("name\nAttached brand\n")
    check = itop.run("check")
    assert (check.code, check.out.count("TO DO")) == (0, 0), check
    assert itop.run("query", "SELECT UserLocal WHERE login = 'admin'", "--fields=login").out.startswith(
        "login\nadmin\n"
    )
    taken = itop.run("attach", "--take_over", "--wait=5")
    assert taken.code == 0
    names = {line.split()[1].removesuffix(":") for line in taken.out.splitlines()}
    stays = {"CheckStopWatchThresholds", "BackupExec", "SessionGC", "TemporaryObjectGC"}
    assert names == {name for name in PROCESSES if name.rpartition("\\")[2] not in stays}
    imported = itop.run("import", "--class=Brand", f"--csvfile={people}", "--no_localize=1")
    assert (imported.code, imported.counter("Created")) == (0, 1), imported
    assert '"Attached brand"' in itop.run("export", "--expression=SELECT Brand", "--fields=name").out
    assert "ExecAsyncTask: done" in itop.run("tick").out
    assert "  ExecAsyncTask: itopd\n  " not in itop.run("detach").out
    status = itop.run("status")
    for process in PROCESSES:
        assert f"  {process}: iTop's cron.php\n" in status.out


def test_a_file_that_is_there_is_kept_unless_force_says_otherwise(itop: Itop) -> None:
    file = itop.folder / "kept.params"
    file.write_text("mine\n")
    refused = itop.attach(file="kept.params")
    assert (refused.code, file.read_text()) == (69, "mine\n")
    assert "--force" in refused.err
    simulated = itop.attach("--simulate", file="kept.params")
    assert file.read_text() == "mine\n"
    assert f"would write {file}:\n# itopd beside the iTop in {itop.root}." in simulated.out
    assert itop.attach("--force", file="kept.params").code == 0
    assert file.read_text().startswith("# itopd beside")
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_database_and_a_model_file_do_without_a_folder(itop: Itop) -> None:
    file = itop.folder / "url.params"
    url = itop.database.engine.url.render_as_string(hide_password=False)
    words = (f"--database_url={url}", f"--set=state_url={itop.state_url()}", f"--output={file}")
    assert call("attach", *words).code == 64
    answer = call("attach", *words, f"--data_model={itop.model}")
    assert answer.code == 0, answer
    assert "attached = yes\n" in file.read_text()
    assert "mode: attached to a running iTop" in itop.run("check", file="url.params").out


def test_a_database_url_can_be_kept_from_the_command_line(itop: Itop) -> None:
    secret = itop.folder / "url"
    secret.write_text(f"mysql://{itop.user}:{quote(PASSWORD, safe='')}@{HOST}:{MARIADB_PORT}/{itop.database.name}\n")
    words = (f"--data_model={itop.model}", f"--set=state_url={itop.state_url()}")
    answer = call("attach", *words, f"--set=database_url_file={secret}", f"--output={itop.folder / 'secret.params'}")
    assert answer.code == 0, answer
    assert "s3cret" not in answer.out + answer.err + (itop.folder / "secret.params").read_text()
    answer = call("attach", *words, f"--output={itop.folder / 'none.params'}")
    assert (answer.code, answer.err.count("--set database_url_file=PATH")) == (64, 1), answer


def test_what_would_be_written_is_shown_without_its_secrets(itop: Itop) -> None:
    answer = itop.attach(
        "--simulate",
        "--set=mail_redirect_to=me@example.com",
        "--set=email_transport_smtp.password=Sm-s3cret",
        "--set=db_pwd=" + PASSWORD,
        f"--set=state_url={itop.state_url(itop.user, 'St-s3cret')}",
        file="none.params",
    )
    assert "mail_redirect_to = me@example.com\n" in answer.out
    assert "s3cret" not in answer.out + answer.err
    assert not (itop.folder / "none.params").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--processes=ExecAsyncTask",), "--processes means nothing without --take_over"),
        (("--simulate", "--take_over", "--wait=3"), "--simulate means nothing without --itop DIR"),
        (("--set=run_as=joe", "--force"), "--set, --force means nothing without --itop DIR"),
    ],
)
def test_options_that_would_say_nothing_are_refused(itop: Itop, words: tuple[str, ...], message: str) -> None:
    itop.attach("--force")
    answer = itop.run("attach", *words)
    assert answer.code == 64
    assert message in answer.err


def test_without_anything_to_attach_to_it_says_what_to_give(itop: Itop) -> None:
    own = itop.folder / "own.params"
    own.write_text(f"data_folder = {itop.folder}\n")
    for words in (("attach",), ("attach", "--take_over"), ("detach",)):
        answer = itop.run(*words, file="own.params")
        assert answer.code == 64
        assert "itopd attach --itop DIR" in answer.err


BROKEN = [
    # (what is wrong with config-itop.php: from, to; exit code; message)
    (
        "'db_pwd' => '{password}'",
        "'db_pwd' => getenv('DB_PWD')",
        64,
        r"config-itop\.php:11: setting 'db_pwd': 'getenv'",
    ),
    ("'db_name' =>", "if (true) 'db_name' =>", 64, r"config-itop\.php:10: "),
    ("$MyModules = array(", "$MyModules = foo(", 64, r"config-itop\.php:\d+: 'foo' is no literal"),
    ("'{password}'", "'wrong'", 69, r"cannot open database .*Access denied"),
    ("'{host}:{port}'", "'127.0.0.1:1'", 69, r"cannot open database .*127\.0\.0\.1:1 .*db_host"),
    ("'{host}:{port}'", "'nowhere.invalid'", 69, "cannot open database .*nowhere.invalid"),
    ("'{name}'", "'no_such_database'", 69, "cannot open database 'no_such_database'"),
    ("'db_subname' => ''", "'db_subname' => 'other_'", 69, "no tables of an iTop with the prefix 'other_'"),
    ("'db_subname' => ''", "'db_tls.enabled' => true", 69, "cannot open database"),
    ("'db_subname' => ''", "'db_tls.enabled' => true, 'db_tls.ca' => '/no/ca.pem'", 64, "db_tls.ca.*/no/ca.pem"),
]


@pytest.mark.parametrize(("old", "new", "code", "message"), BROKEN)
def test_a_broken_configuration_is_told_and_no_file_is_written(
    itop: Itop, old: str, new: str, code: int, message: str
) -> None:
    broken = Itop(itop.folder, itop.database, itop.user)
    text = CONFIG.replace(old, new)
    assert text != CONFIG
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(globals(), "CONFIG", text)
        php = broken.php()
    with changed(itop.config, php):
        answer = itop.attach(file="broken.params")
    assert answer.code == code, answer
    assert re.search(message, answer.err), answer.err
    assert "s3cret" not in answer.err
    assert not (itop.folder / "broken.params").exists()


def test_what_cannot_be_read_is_given_by_hand(itop: Itop) -> None:
    secret = itop.folder / "pwd"
    secret.write_text(PASSWORD)
    with changed(itop.config, itop.php().replace(f"'{PASSWORD.replace(chr(39), chr(92) + chr(39))}'", "getenv('X')")):
        assert itop.attach(file="hand.params").code == 64
        answer = itop.attach(f"--set=db_pwd_file={secret}", file="hand.params")
        assert answer.code == 0, answer
        assert f"db_pwd_file = {secret}\n" in (itop.folder / "hand.params").read_text()
        assert itop.run("check", file="hand.params").code == 0


@pytest.mark.parametrize("host", ["p:127.0.0.1", "127.0.0.1", "p:127.0.0.1:3306", "localhost"])
def test_every_way_to_write_the_host_leads_there(itop: Itop, host: str) -> None:
    with changed(itop.config, itop.php().replace(f"'{HOST}:{MARIADB_PORT}'", f"'{host}'")):
        answer = itop.attach("--simulate", f"--set=state_url={itop.state_url()}")
    assert answer.code == 0, answer


def _refuse(*_arguments: object, **_options: object) -> None:
    raise ConnectionRefusedError(111, "Connection refused")


def test_the_unix_socket_that_php_means_by_localhost_is_found(itop: Itop, monkeypatch: pytest.MonkeyPatch) -> None:
    with admin_connection() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT @@socket")
        socket = Path((cursor.fetchone() or ("",))[0])
    if not socket.is_socket():
        pytest.skip("the server's socket is not on this machine")
    monkeypatch.setattr("itopd.attaching.folder.SOCKETS", (Path("/no/socket"), socket))
    with changed(itop.config, itop.php().replace(f"'{HOST}:{MARIADB_PORT}'", "'localhost'")):
        monkeypatch.setattr("socket.create_connection", _refuse)  # nothing answers at TCP
        answer = itop.attach(file="socket.params")
        assert lines(answer)["tables"] == ("ok", "as the data model says"), answer
        assert lines(answer)["state store"][0] == "TO DO", "it was given with a host"
    assert f"db_socket = {socket}\n" in (itop.folder / "socket.params").read_text()


def test_folders_that_are_no_itop_are_told(itop: Itop, tmp_path: Path) -> None:
    def attach(root: Path, *words: str) -> Answer:
        answer = call("attach", f"--itop={root}", f"--output={tmp_path / 'no.params'}", *words)
        assert answer.code == 66, answer
        return answer

    assert "is no folder" in attach(tmp_path / "missing").err
    assert "conf/production/config-itop.php is missing" in attach(tmp_path).err
    assert "its environments are production: say --environment" in attach(itop.root, "--environment=test").err
    (tmp_path / "conf/production").mkdir(parents=True)
    (tmp_path / "conf/production/config-itop.php").write_text(itop.php())
    assert "datamodel-production.xml is missing: iTop's set-up writes it" in attach(tmp_path).err
    (tmp_path / "data/datamodel-production.xml").mkdir(parents=True)
    assert "cannot be read" in attach(tmp_path).err


def test_the_model_of_another_version_is_noticed(itop: Itop) -> None:
    field = '<field id="nickname" xsi:type="AttributeString"><sql>nickname</sql></field>'
    text = itop.model.read_text()
    start = text.index("<fields>", text.index('<class id="Person"')) + len("<fields>")
    with changed(itop.model, text[:start] + field + text[start:]):
        answer = itop.attach(file="version.params")
    assert answer.code == 1, answer
    state, said = lines(answer)["tables"]
    assert state == "TO DO"
    assert "table person has no column nickname" in said
    with changed(itop.model, text[: len(text) // 2]):
        answer = itop.attach(file="half.params")
    assert (answer.code, (itop.folder / "half.params").exists()) == (64, False)
    assert "not well-formed XML" in answer.err


def test_classes_with_php_of_their_own_are_not_written_until_they_are_allowed(itop: Itop) -> None:
    text = itop.model.read_text()
    methods = '<methods><method id="OnInsert"><code>sometimes()</code></method></methods>'
    start = text.index(">", text.index('<class id="Brand"')) + 1
    brands = itop.folder / "php.csv"
    brands.write_text("name\nOf PHP\n")
    words = ("import", "--class=Brand", f"--csvfile={brands}", "--no_localize=1")
    with changed(itop.model, text[:start] + methods + text[start:]):
        answer = itop.attach("--force")
        assert "Brand" in lines(answer)["PHP of its own"][1].split(", ")[0]
        assert (
            "#   Brand: values that it completes before a creation (OnInsert of Brand)\n"
            in (itop.folder / "itopd.params").read_text()
        )
        before = dump_tables(itop.database)
        refused = itop.run(*words)
        assert refused.code == 69
        assert "writing to Brand is refused" in refused.err
        assert "\n  Brand: values that it completes before a creation (OnInsert of Brand)\n" in refused.err
        assert refused.err.endswith("\n  allow_unported = Brand\n")
        assert diff_dumps(before, dump_tables(itop.database)) == {}
        itop.attach("--force", "--set=allow_unported=Typology")
        assert itop.run(*words).counter("Created") == 1
    itop.attach("--force")


def test_an_account_that_only_reads_is_told_before_anything_is_taken_over(itop: Itop) -> None:
    account = f"r{itop.user[:20]}"
    admin(f"CREATE USER {account}@'%' IDENTIFIED BY 'pw'", f"GRANT SELECT ON {itop.database.name}.* TO {account}@'%'")
    try:
        answer = itop.attach(f"--set=db_user={account}", "--set=db_pwd=pw", file="reader.params")
        assert answer.code == 1, answer
        state, said = lines(answer)["rights"]
        assert state == "TO DO"
        assert re.search(r"cannot write \(.*UPDATE command denied.*\): run the statements below", said)
        refused = itop.run("attach", "--take_over", "--wait=2", file="reader.params")
        assert (refused.code, "UPDATE command denied" in refused.err) == (69, True), refused
        assert itop.run("detach", file="reader.params").code == 0
    finally:
        admin(f"DROP USER {account}@'%'")


def test_a_take_over_tells_of_mails_that_wait_and_none_of_them_is_sent_before_an_adoption(itop: Itop) -> None:
    itop.attach("--force")
    admin(f"DROP DATABASE IF EXISTS {itop.state}")
    mail = ("mail", "enqueue", "--to=a@example.com", "--subject=s", "--body=b", "--from=i@example.com")
    assert itop.run(*mail).code == 0
    taken = itop.run("attach", "--take_over", "--wait=5")
    assert taken.code == 1, taken
    assert "ok     ExecAsyncTask: runs here now" in taken.out
    assert "TO DO  clone guard: itopd was never started on this database, and 1 mails wait in it since" in taken.out
    assert itop.run("tick").code == 69
    assert itop.run("adopt", "--yes").code == 0
    assert "ExecAsyncTask: done" in itop.run("tick").out
    assert itop.run("detach").code == 0


def test_accounts_are_kept_though_importing_them_is_refused(itop: Itop) -> None:
    itop.attach("--force")
    secret = itop.folder / "joe.pwd"
    secret.write_text("Good-Enough-1\n")
    password = f"--password_file={secret}"
    assert itop.run("user", "add", "joe", "--profile=Configuration Manager", "--org=Demo", password).code == 0
    secret.write_text("Good-Enough-2\n")
    assert itop.run("user", "passwd", "joe", password).code == 0
    call_ = itop.run(
        "export", "--expression=SELECT Brand", "--fields=name", "--auth_user=joe", "--auth_pwd=Good-Enough-2"
    )
    assert call_.code == 0, call_
    assert itop.run("user", "disable", "joe").out == "account 'joe' is disabled\n"
    rows = itop.folder / "accounts.csv"
    rows.write_text("login\njim\n")
    refused = itop.run(
        "import", "--class=UserLocal", f"--csvfile={rows}", "--no_localize=1", "--reconciliationkeys=login"
    )
    assert refused.code == 69, refused
    assert "the refusal of any change while demo_mode is on" in refused.err
    assert refused.err.endswith("\n  allow_unported = UserLocal\n")


def test_an_older_itop_is_said_and_what_a_service_needs_is_told(itop: Itop) -> None:
    name = itop.database.name
    itop.attach("--force")
    admin(
        f"ALTER TABLE {name}.priv_action RENAME COLUMN description TO description_x",
        f"ALTER TABLE {name}.priv_async_task RENAME COLUMN planned TO planned_x",
        f"ALTER TABLE {name}.priv_change RENAME COLUMN origin TO origin_x",
    )
    brands = itop.folder / "older.csv"
    brands.write_text("name\nOlder\n")
    try:
        check = itop.run("check")
        assert check.code == 0, check
        assert (
            "left out, as in an older iTop, are 3 parts of core classes: Action.description (table priv_act"
            in check.out
        )
        assert "those of an older iTop: 3 parts of 3.2" in lines(itop.attach("--simulate"))["core classes"][1]
        assert itop.run("query", "SELECT Brand", "--fields=name").code == 0
        mail = itop.run("mail", "enqueue", "--to=a@example.com", "--subject=s", "--body=b", "--from=i@example.com")
        assert mail.code == 69
        assert "lacks what itopd needs for mails: AsyncTask.planned" in mail.err
        imported = itop.run("import", "--class=Brand", f"--csvfile={brands}", "--no_localize=1")
        assert imported.code == 69
        assert "lacks what itopd needs for history: CMDBChange.origin" in imported.err
        status = itop.run("status")
        assert status.code == 1
        assert "ExecAsyncTask: the database lacks what itopd needs for mails" in status.out
    finally:
        admin(
            f"ALTER TABLE {name}.priv_action RENAME COLUMN description_x TO description",
            f"ALTER TABLE {name}.priv_async_task RENAME COLUMN planned_x TO planned",
            f"ALTER TABLE {name}.priv_change RENAME COLUMN origin_x TO origin",
        )


@pytest.mark.parametrize("per_table", [False, True])
def test_an_account_with_just_the_printed_grants_can_do_everything(itop: Itop, per_table: bool) -> None:
    account = f"g{int(per_table)}{itop.user[1:]}"
    words = ["--per_table"] if per_table else []
    answer = itop.attach("--simulate", f"--account={account}@%", *words)
    statements = re.findall(r"^    ((?:GRANT|CREATE DATABASE) .*);$", answer.out, re.MULTILINE)
    assert any("priv_backgroundtask" in one for one in statements) == per_table
    assert not [one for one in statements if re.search(r"\b(ALL|SUPER|FILE|PROCESS|GRANT OPTION|\*\.\*)\b", one)]
    file = f"grants{int(per_table)}.params"
    brands = itop.folder / "grants.csv"
    brands.write_text(f"name\nOf {account}\n")
    admin(f"DROP DATABASE IF EXISTS {itop.state}", f"CREATE USER '{account}'@'%' IDENTIFIED BY 'pw'", *statements)
    try:
        access = (f"--set=db_user={account}", "--set=db_pwd=pw", f"--set=state_url={itop.state_url(account, 'pw')}")
        assert itop.attach(*access, file=file).code == 0
        for words, code in (
            (["check"], 0),
            (["attach", "--take_over", "--wait=5"], 0),
            (["import", "--class=Brand", f"--csvfile={brands}", "--no_localize=1"], 0),
            (["export", "--expression=SELECT Person", "--fields=name,org_name"], 0),
            (["mail", "enqueue", "--to=a@example.com", "--subject=s", "--body=b", "--from=i@example.com"], 0),
            (["tick"], 0),
            (["status"], 0),
            (["detach"], 0),
        ):
            done = itop.run(*words, file=file)
            assert done.code == code, (words, done)
        with itop.database.read() as connection:
            assert connection.exec_driver_sql("SELECT COUNT(*) FROM priv_async_task").scalar() == 0, "the mail was sent"
    finally:
        admin(f"DROP USER '{account}'@'%'", f"DROP DATABASE IF EXISTS {itop.state}")
