"""``itopd config``: the settings in force."""

from __future__ import annotations

import click

from itopd.cli.edge import settings_of
from itopd.cli.tables import print_table
from itopd.settings import describe, template


@click.group("config")
def config_command() -> None:
    """Show the settings in force."""


@config_command.command("show", short_help="print every setting that was given, with its origin")
@click.option("--all", "everything", is_flag=True, help="Settings at their defaults too.")
@click.pass_obj
def show(config: str | None, everything: bool) -> None:
    """Print every setting that was given, with its origin; secrets are stars."""
    rows = [row for row in describe(settings_of(config)) if everything or row.origin != "default"]
    if not rows:
        click.echo("every setting has its default: 'itopd config show --all' lists them")
        return
    print_table(("setting", "value", "from", "meaning"), [(row.name, row.value, row.origin, row.help) for row in rows])


@config_command.command("template", short_help="print a settings file with everything there is, commented")
def template_() -> None:
    """Print a parameters file that holds every setting at its default, with its meaning."""
    click.echo(template(), nl=False)
