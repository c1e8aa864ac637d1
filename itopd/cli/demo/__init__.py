"""``itopd demo``: the main job, from an empty folder to delivered mail, on SQLite."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import click

from itopd.cli.demo import acts
from itopd.cli.demo.stage import Stage
from itopd.errors import RefusedError

MARKER = ".itopd-demo"


@click.command("demo")
@click.option(
    "--folder", type=click.Path(path_type=Path), default=Path("demo"), show_default=True, help="Where to play."
)
def demo_command(folder: Path) -> None:
    """Show the main job in a fresh folder: import, repair, mail through a crash, export jobs, history."""
    from itopd.cli import root  # noqa: PLC0415 - the command line imports this module when the command is called

    _make_fresh(folder)
    stage = Stage(folder, folder / "itopd.params", root)
    started = time.monotonic()
    acts.play(stage)
    click.echo(f"\nAll acts in {time.monotonic() - started:.1f} s. Look around: itopd --config {stage.config} status")


def _make_fresh(folder: Path) -> None:
    """Make an empty folder; one that an earlier demonstration made is removed first, any other refused."""
    try:
        if folder.is_dir() and not folder.is_symlink():
            if not (folder / MARKER).exists() and any(folder.iterdir()):
                raise RefusedError(f"{folder} holds files that no demonstration made: name another one with --folder")
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        (folder / MARKER).touch()
    except OSError as error:
        raise RefusedError(f"{folder} cannot be made ({error.strerror}): name another one with --folder") from error
