"""Images for the docker rung: one with the usual packages, built from `docker/`, and an empty one without a download.

An image's tag is a digest of all that it is built from, so that an identity that names the tag names the content, and
a changed recipe is another image.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from mlesearch.sandbox import environment
from mlesearch.sandbox.rungs.docker_daemon import brief, connect
from mlesearch.types import SandboxUnavailable

NAME = "mlesearch-sandbox"
HOST = "host"
"""`sandbox.params.image=host`: an empty image, into which this machine's interpreter is bound."""
_EMPTY_FOLDERS = ("box", "input", "weights", "dev", "proc", "sys", "tmp", "etc", "usr", "var", "run")

_LOOK = """
import glob,importlib.metadata as m,json,os,platform,sys,sysconfig
site=[p for p in sys.path if os.path.basename(p) in ('site-packages','dist-packages') and os.path.isdir(p)]
found=sorted({os.path.realpath(f) for s in site for g in json.loads(sys.argv[1]) for f in glob.glob(os.path.join(s,g))})
packages={(d.metadata['Name'] or '').lower().replace('_','-'):d.version for d in m.distributions()}
print(json.dumps({'python':[sys.executable,sys.prefix,sys.base_prefix,site,sysconfig.get_path('stdlib')],
'version':list(sys.version_info[:2]),'covered':[[f,os.path.isdir(f)] for f in found],'packages':packages}))
"""


def recipe() -> Path:
    """The folder with the Dockerfiles, in a checkout or as installed.

    Raises:
        SandboxUnavailable: it is missing.
    """
    package = Path(__file__).parents[2]
    for folder in (package.parent / "docker", package / "docker"):
        if (folder / "Dockerfile").is_file():
            return folder
    raise SandboxUnavailable(
        f"sandbox docker: there is no Dockerfile beside or in {package}; install mlesearch again, or use "
        "sandbox.params.image=host"
    )


def tag(cuda: bool = False, base: str | None = None) -> str:
    """Name and content digest of the image that this version of mlesearch uses.

    Args:
        cuda: the variant with torch for GPUs.
        base: another base image than the recipe's.
    """
    digest = hashlib.sha256() if base is None else hashlib.sha256(f"base {base}\n".encode())
    for path in sorted(recipe().iterdir()):
        if path.is_file() and (path.name.endswith(".cuda") == cuda or not path.name.startswith("Dockerfile")):
            data = path.read_bytes()
            digest.update(f"{path.name} {len(data)}\n".encode() + data)
    return f"{NAME}{'-cuda' if cuda else ''}:{digest.hexdigest()[:12]}"


@contextlib.contextmanager
def daemon() -> Iterator[None]:
    """Turns what docker-py raises when the daemon fails or goes away into `SandboxUnavailable`.

    Raises:
        SandboxUnavailable: instead of that.
    """
    import docker.errors
    import requests
    import urllib3.exceptions

    try:
        yield
    except (docker.errors.DockerException, requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise SandboxUnavailable(f"sandbox docker: the daemon failed: {error}") from error


def build(cuda: bool = False, say: Callable[[str], None] = lambda _line: None, base: str | None = None) -> str:
    """Build the image of this version of mlesearch, where the daemon does not have it yet.

    Args:
        cuda: the variant with torch for GPUs.
        say: takes the lines of the build's output.
        base: another base image than the recipe's; it must have python3 with venv.

    Returns:
        The image's tag.

    Raises:
        SandboxUnavailable: no daemon, or the build failed.
    """
    client = connect()
    name = tag(cuda, base)
    with daemon():
        if not has(client, name):
            _build(client, name, cuda, say, {} if base is None else {"BASE": base})
    return name


def _build(client: Any, name: str, cuda: bool, say: Callable[[str], None], arguments: Mapping[str, str]) -> None:
    import docker.errors

    last = ""
    try:
        for event in client.api.build(
            fileobj=_context(),
            custom_context=True,
            encoding="gzip",
            dockerfile="Dockerfile.cuda" if cuda else "Dockerfile",
            tag=name,
            buildargs=dict(arguments),
            labels={"org.mlesearch.recipe": name},
            network_mode="host",
            rm=True,
            forcerm=True,
            decode=True,
        ):
            if "error" in event:
                raise SandboxUnavailable(f"sandbox docker: the image {name} was not built: {event['error'].strip()}")
            for line in str(event.get("stream", "")).splitlines():
                if line.strip():
                    last = line.strip()
                    say(last)
    except docker.errors.APIError as error:
        raise SandboxUnavailable(f"sandbox docker: the image {name} was not built: {brief(error)}") from error
    if not has(client, name):
        raise SandboxUnavailable(f"sandbox docker: the image {name} was not built: {last}")


def has(client: Any, name: str) -> bool:
    """Whether the daemon has an image."""
    import docker.errors

    try:
        client.api.inspect_image(name)
    except docker.errors.ImageNotFound:
        return False
    return True


def _context() -> io.BytesIO:
    """The recipe's folder as a compressed archive, the same bytes for the same content."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for path in sorted(recipe().iterdir()):
            if path.is_file():
                _add(archive, path.name, path.read_bytes())
    return io.BytesIO(gzip.compress(plain.getvalue(), mtime=0))


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), 0o644
    archive.addfile(entry, io.BytesIO(data))


@cache
def look(client: Any, image: str, image_id: str) -> str:
    """What interpreter and packages an image has, asked from inside it, once for each image."""
    import docker.errors

    patterns = json.dumps([*environment.BUNDLED_DATA, *environment.OWN])
    try:
        said: bytes = client.containers.run(
            image, ["-c", _LOOK, patterns], entrypoint=["python3"], network_mode="none", remove=True, stderr=False
        )
        seen = json.loads(said)
    except (docker.errors.DockerException, ValueError) as error:
        raise SandboxUnavailable(f"sandbox docker: no python3 answers in the image {image}: {error}") from error
    if tuple(seen["version"]) < (3, 11):
        raise SandboxUnavailable(f"sandbox docker: the image {image} has Python {seen['version']}; 3.11 is needed")
    return said.decode()


def host_image(client: Any) -> str:
    """An image with nothing in it but empty folders and this machine's links such as /bin; made where it is absent.

    Returns:
        Its tag.
    """
    links = {path: Path(path).readlink() for path in environment.SYSTEM if Path(path).is_symlink()}
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name in _EMPTY_FOLDERS:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755  # a mount there inherits it
            archive.addfile(entry)
        for path, target in sorted(links.items()):
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.type, entry.linkname = tarfile.SYMTYPE, str(target)
            archive.addfile(entry)
    data = stream.getvalue()
    version = hashlib.sha256(data).hexdigest()[:12]
    name = f"{NAME}-{HOST}:{version}"
    if not has(client, name):
        client.api.import_image_from_data(data, repository=f"{NAME}-{HOST}", tag=version)
    return name
