"""Execute the steps of the Dockerfile without Docker: each stage in a copy of a debootstrap tree, then try the result.

    make docker_check      or: python -m tests.deployment.image_steps FOLDER   (as root, with debootstrap, 5 minutes)

FOLDER is made; its ``base`` is kept for the next time. Knows the instructions that the Dockerfile uses, and no more.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SUITE = "bookworm"
"""What ``debian:bookworm-slim`` is made of."""
TRY = (
    "itopd --version",
    "test $(id -un) = itopd && test ! -w /opt/itopd && ! /opt/itopd/bin/python3 -m pip --version 2>/dev/null",
    "itopd init > init.txt && itopd tick && itopd status --help > /dev/null && itopd check",
)


def instructions() -> list[tuple[str, str]]:
    """Return the instructions, continued lines joined."""
    text = re.sub(r"^#.*\n", "", (ROOT / "docker/Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    lines = [line.partition(" ") for line in text.split("\n") if line]
    return [(name, " ".join(rest.split())) for name, _, rest in lines]


class Stage:
    """One stage: its tree and what holds for the next step."""

    def __init__(self, tree: Path, base: Path) -> None:
        self.tree, self.folder, self.user = tree, "/", "root"
        self.environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}
        shutil.rmtree(tree, ignore_errors=True)
        subprocess.run(["cp", "--archive", str(base), str(tree)], check=True)
        shutil.copy("/etc/resolv.conf", tree / "etc/resolv.conf")

    def run(self, command: str) -> None:
        """Run a command line as the present account."""
        print(f"+ {self.user}: {command}", flush=True)
        mirror_settings(self.tree)
        words = [
            "/usr/sbin/chroot",
            f"--userspec={self.user}",
            str(self.tree),
            "/bin/sh",
            "-c",
            f"cd {self.folder} && {command}",
        ]
        passed = {
            name: value for name, value in os.environ.items() if name.startswith("PIP_") or "proxy" in name.lower()
        }
        subprocess.run(words, env={**passed, **self.environment}, check=True)

    def copy(self, sources: list[Path], target: str) -> None:
        """Copy files and folders into the tree."""
        to = self.tree / (Path(self.folder) / target).relative_to("/")
        to.parent.mkdir(parents=True, exist_ok=True)
        for source in sources:
            print(f"+ copy {source} -> {to}", flush=True)
            if source.is_dir():
                shutil.copytree(source, to, dirs_exist_ok=True, symlinks=True)
            else:
                shutil.copy(source, to)


def mirror_settings(tree: Path) -> None:
    """Give the tree what this machine knows of registries: certificates (which a step may replace), where to look."""
    apt = sorted(Path("/etc/apt/apt.conf.d").iterdir())
    for source in (Path("/etc/ssl/certs/ca-certificates.crt"), Path("/etc/pip.conf"), *apt):
        target = tree / str(source).lstrip("/")
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)  # it may be a link, which would lead out of the tree
            shutil.copyfile(source, target)


def main(folder: Path) -> None:
    """Execute all steps."""
    base = folder / "base"
    if not base.exists():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["debootstrap", "--variant=minbase", SUITE, str(base)], check=True)
    stages: dict[str, Stage] = {}
    stage: Stage | None = None
    for name, rest in instructions():
        if name == "FROM":
            label = rest.split()[-1] if " AS " in rest else "last"
            stage = stages[label] = Stage(folder / label, base)
            continue
        assert stage is not None, "an instruction before FROM"
        match name:
            case "RUN":
                stage.run(rest)
            case "WORKDIR":
                stage.folder = rest
                (stage.tree / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
            case "USER":
                stage.user = f"{rest}:{rest}"
            case "ENV":
                stage.environment |= dict(word.split("=", 1) for word in shlex.split(rest))
            case "COPY":
                option, *words = shlex.split(rest)
                source_tree = ROOT
                if option.startswith("--from="):
                    source_tree = stages[option.removeprefix("--from=")].tree
                else:
                    words = [option, *words]
                stage.copy([source_tree / word.lstrip("/") for word in words[:-1]], words[-1])
            case "VOLUME" | "STOPSIGNAL" | "HEALTHCHECK" | "ENTRYPOINT" | "CMD":
                continue
            case _:
                raise SystemExit(f"this script does not know {name}: teach it")
    assert stage is not None
    stage.environment["HOME"] = "/var/lib/itopd"
    for command in TRY:
        stage.run(command)
    size = subprocess.run(
        ["du", "--summarize", "--block-size=M", str(stage.tree / "opt/itopd")],
        capture_output=True,
        text=True,
        check=True,
    )
    print(f"the image's steps work; /opt/itopd has {size.stdout.split()[0]}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
