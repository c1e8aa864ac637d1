"""What every command does first and last: find the settings, set up the log, turn parameters into a call."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
from pydantic import BaseModel

from itopd.settings import LoadedSettings, Settings, declared_parameters
from itopd.wiring import load, set_up_log

DEFAULT_PLACES = (Path("itopd.params"), Path("/etc/itopd/itopd.params"))


def settings_of(config: str | None, *, log_level: int = logging.WARNING, log_to_file: bool = False) -> LoadedSettings:
    """Load the settings: the files named with ``--config``, else the first of :data:`DEFAULT_PLACES` that exists.

    A command that prints its own report logs warnings only. What runs tasks and jobs logs where ``log_file`` says.
    """
    loaded = load(settings_files(config), {}, os.environ)
    set_up_log(loaded.settings, log_level, to_file=log_to_file)
    for warning in loaded.warnings:
        click.echo(f"itopd: warning: {warning}", err=True)
    return loaded


def settings_with(config: str | None, own: Mapping[str, str]) -> Settings:
    """Load the settings again, now with those that the parameters files of one call give; they win."""
    settings = load(settings_files(config), own, os.environ).settings
    set_up_log(settings, logging.WARNING)
    return settings


def settings_files(config: str | None) -> list[str]:
    """Return the paths of the settings files."""
    if config is not None:
        return [item.strip() for item in config.split(",") if item.strip()]
    return [str(place) for place in DEFAULT_PLACES if place.exists()][:1]


def parameters_help(models: Sequence[type[BaseModel]]) -> list[tuple[str, str]]:
    """Return option and text of every parameter of the command line, for ``--help``."""
    rows = []
    for one in (one for model in models for one in declared_parameters(model) if "cli" in one.where):
        name = f"--{one.name}NAME=TEXT" if one.family else f"--{one.name}=TEXT"
        default = "" if one.default in ("", None, False) or one.family else f"  [default: {one.default}]"
        rows.append((name, one.help + ("  [mandatory]" if one.mandatory else default)))
    return rows
