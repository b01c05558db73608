"""The `docker` rung: one container for each program, with no network, no capability and hard limits.

The daemon is asked to create, start and remove containers, and nothing else: the program's supervisor is the
container's first process and talks to the orchestrator through a unix socket in a bound folder. Output comes through
the supervisor's own pipes, and a container ends with that socket, whatever becomes of the daemon's client.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlesearch.sandbox import environment, options, packages, scratch
from mlesearch.sandbox.environment import Interpreter
from mlesearch.sandbox.gpu.devices import GpuLease
from mlesearch.sandbox.inside import compiler, files, seccomp
from mlesearch.sandbox.protocol import GIB, MIB, Limits, Spec
from mlesearch.sandbox.rungs import docker_daemon, docker_image, kernel, lent, mounts
from mlesearch.sandbox.rungs.box import INSIDE, Box, boot, handshake, memory_at_start
from mlesearch.sandbox.rungs.compiler import Compiler
from mlesearch.sandbox.rungs.docker_container import Container, accept, listener, remove
from mlesearch.sandbox.rungs.rung import BoxedRung
from mlesearch.sandbox.syntax import SyntaxCheck, python_here
from mlesearch.storage import processes
from mlesearch.types import ConfigError, SandboxUnavailable

CONTROL = "/ctl"
COMPILER_BYTES = 512 * MIB
"""Of the container that judges programs' syntax."""
OWNER = "org.mlesearch.owner"
"""Label of a container: the process that it is for."""


class DockerSandbox(BoxedRung):
    """Programs in containers of their own.

    Args:
        image: tag of the image; "host" binds this machine's interpreter into an empty one; None: the one that
            `docker_image.build` makes.
        warm: keep containers ready that have imported the usual libraries; each serves one program.
        require: promises without which nothing is run.
        min_free_bytes: of the scratch folder's file system, below which nothing is run.
        weights_folder: of pretrained weights that programs may read as `weights/`.

    Raises:
        ConfigError: `require` names something that is no promise, or the folder can't be lent.
        SandboxUnavailable: no daemon, no image, or a promise of `require` isn't kept; the text says what to do.
    """

    name = "docker"

    def __init__(
        self,
        *,
        image: str | None = None,
        warm: bool = True,
        require: Sequence[str] = (),
        min_free_bytes: int = GIB,
        weights_folder: str | None = None,
    ) -> None:
        super().__init__(warm=warm, require=require, min_free_bytes=min_free_bytes, weights_folder=weights_folder)
        client = docker_daemon.connect()
        self._clients = {os.getpid(): client}
        self._host = image == docker_image.HOST
        _refuse_a_distant_daemon(client)
        with docker_image.daemon():
            self.image = docker_image.host_image(client) if self._host else image or docker_image.tag()
            if not docker_image.has(client, self.image):
                raise SandboxUnavailable(
                    f"sandbox docker: the daemon has no image {self.image}; build it with `mlesearch sandbox build`, "
                    "or use sandbox.params.image=host, which lends programs this machine's interpreter"
                )
            self._image_id = str(client.api.inspect_image(self.image)["Id"])
            info = client.info()
        self._has_filter = info.get("Architecture") in seccomp.ARCHITECTURES
        self._limits = (bool(info.get("MemoryLimit")), bool(info.get("PidsLimit")))
        if self._host:
            self._python = environment.interpreter()
            self._layout = mounts.layout(self._python)
        else:
            with docker_image.daemon():
                self._seen = json.loads(docker_image.look(client, self.image, self._image_id))
            executable, prefix, base, site, stdlib = self._seen["python"]
            self._python = Interpreter(executable, prefix, base, tuple(site), stdlib)
        self.python_version = python_here() if self._host else ".".join(map(str, self._seen["version"]))
        self._compiler = Compiler(self._start_compiler)
        options.check_kept(self.name, self._require, self.promises())

    def promises(self) -> tuple[str, ...]:
        """What holds with this daemon; memory is hard where it can limit it."""
        return kernel.promised_in_namespaces(**self._layers())

    def notes(self) -> tuple[str, ...]:
        """In words, which layers are absent with this daemon."""
        return kernel.notes_in_namespaces(**self._layers())

    def _layers(self) -> dict[str, bool]:
        return {"has_landlock": True, "has_filter": self._has_filter, "has_limit": self._limits[0]}

    def identity(self) -> Mapping[str, object]:
        """As of every rung, and the image."""
        return {**super().identity(), "image": self.image}

    def packages(self) -> Mapping[str, str]:
        """Installed packages that a prompt may name, with versions."""
        if self._host:
            return packages.prompt_packages()
        found: dict[str, str] = self._seen["packages"]
        return {name: found[name] for name in packages.PROMPT_PACKAGES if name in found}

    def syntax_check(self, here: SyntaxCheck) -> SyntaxCheck:
        """The image's interpreter, where its version is another than that of the harness."""
        return here if self.python_version == python_here() else self._compiler.fault

    def close(self) -> None:
        """End the containers that wait, and the one that judges."""
        self._compiler.close()
        super().close()

    def reap_orphans(self) -> int:
        """Remove what killed orchestrators left; returns how many containers and folders."""
        removed = 0
        with docker_image.daemon():
            api = self._client().api
            for container in api.containers(all=True, filters={"label": OWNER}):
                if not processes.alive(container["Labels"][OWNER]):
                    remove(api, container["Id"])
                    removed += 1
        return removed + super().reap_orphans()

    def _client(self) -> Any:
        """Of this process: a fork must not share connections."""
        if os.getpid() not in self._clients:
            self._clients = {os.getpid(): docker_daemon.connect()}
        return self._clients[os.getpid()]

    def _interpreter(self) -> Interpreter:
        return self._python

    def _environment(self) -> str:
        return packages.digest() if self._host else self._image_id.removeprefix("sha256:")[:16]

    def _check_folders(self, spec: Spec) -> None:
        if self._host:
            super()._check_folders(spec)
        else:
            environment.check_folders(spec, (), ())
        lent.check_readable(spec, self._weights)

    def _launch(self, spec: Spec, folder: Path, warm: bool, gpu: GpuLease | None) -> Box:
        import docker.errors

        api = self._client().api
        control = folder / "ctl"
        control.mkdir(mode=0o711)
        lent.hand_over(folder)
        name = f"mlesearch-{folder.parent.name}-{folder.name}"
        python = mounts.executable(self._python) if self._host else self._python.executable
        started = False
        with docker_image.daemon(), listener(control) as waiting:
            try:
                created = api.create_container(
                    self.image,
                    boot(python, f"{CONTROL}/s"),
                    name=name,
                    user=f"{lent.user()}:{lent.group()}",
                    environment=self._variables(spec.limits),
                    working_dir=INSIDE.work,
                    entrypoint=[],
                    hostname="sandbox",
                    labels={OWNER: processes.owner()},
                    host_config=self._host_config(api, spec, folder, control, warm, gpu),
                )
                api.start(created["Id"])
                conn = accept(api, created["Id"], waiting, self._what_to_do())
                started = True
            except docker.errors.APIError as error:
                raise SandboxUnavailable(f"sandbox docker: {error.explanation or error}") from error
            finally:
                if not started:
                    remove(api, name)
        (control / "s").unlink()
        box = Container(api, created["Id"], conn, bool(self._limits[0]))
        try:
            handshake(conn, self._message(spec, warm, {"landlock": 0, "own_cgroup": self._limits[0]}), ())
        except OSError as error:
            box.end()
            raise SandboxUnavailable(f"sandbox docker: the container ended while it started: {error}") from error
        except BaseException:
            box.end()
            raise
        return box

    def _start_compiler(self) -> Container:
        """A container whose interpreter compiles programs and runs none (`inside/compiler.py`)."""
        owned = self._owned()
        folder = owned.slot()
        try:
            return self._started_compiler(folder / "ctl")
        finally:
            files.remove_tree(str(folder))  # the socket is connected

    def _started_compiler(self, control: Path) -> Container:
        import docker.errors

        api = self._client().api
        control.mkdir(mode=0o711)
        name = f"mlesearch-{control.parent.parent.name}-{control.parent.name}-compiler"
        source = Path(compiler.__file__).read_text(encoding="utf-8")
        python = mounts.executable(self._python) if self._host else self._python.executable
        binds = self._layout.binds if self._host else ()
        memory = {"mem_limit": COMPILER_BYTES, "memswap_limit": COMPILER_BYTES} if self._limits[0] else {}
        with docker_image.daemon(), listener(control) as waiting:
            try:
                created = api.create_container(
                    self.image,
                    [python, "-I", "-S", "-B", "-c", source, f"{CONTROL}/s"],
                    name=name,
                    user=f"{lent.user()}:{lent.group()}",
                    entrypoint=[],
                    hostname="sandbox",
                    labels={OWNER: processes.owner()},
                    host_config=api.create_host_config(
                        network_mode="none",
                        read_only=True,
                        cap_drop=["ALL"],
                        security_opt=["no-new-privileges"],
                        ipc_mode="private",
                        mounts=[_mount(str(control), CONTROL), *(_mount(path, path) for path in binds)],
                        log_config={"Type": "none"},
                        auto_remove=True,
                        **memory,
                    ),
                )
                api.start(created["Id"])
                conn = accept(api, created["Id"], waiting, self._what_to_do())
            except (docker.errors.APIError, SandboxUnavailable) as error:
                remove(api, name)
                raise SandboxUnavailable(f"sandbox docker: the judge of syntax does not start: {error}") from error
        return Container(api, created["Id"], conn, bool(self._limits[0]))

    def _what_to_do(self) -> str:
        """Where a container does not get as far as its supervisor."""
        trial = "" if self._host else f"see what `docker run --rm {self.image} python3 -V` says; "
        label = f"chcon -Rt container_file_t {scratch.root()}"
        return f"{trial}where SELinux is on, containers may use the scratch folder after: {label}"

    def _host_config(
        self, api: Any, spec: Spec, folder: Path, control: Path, warm: bool, gpu: GpuLease | None = None
    ) -> Any:
        from docker.types import DeviceRequest

        limits = spec.limits
        memory = {}
        if self._limits[0]:
            total = memory_at_start(limits, warm)
            memory = {"mem_limit": total, "memswap_limit": total}
        if self._limits[1]:
            memory["pids_limit"] = max(512, limits.processes + 64)
        shared = max(MIB, min(limits.memory_bytes // 4, 256 * MIB))
        return api.create_host_config(
            network_mode="none",
            read_only=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            ipc_mode="private",
            shm_size=shared,
            tmpfs={"/tmp": f"rw,exec,nosuid,nodev,mode=1777,size={_tmp_size(limits, shared)}"},
            mounts=self._mounts(spec, folder, control),
            cpuset_cpus=",".join(map(str, sorted(os.sched_getaffinity(0)))),  # each program gets its share of these
            log_config={"Type": "none"},
            auto_remove=True,
            device_requests=None if gpu is None else [DeviceRequest(**gpu.docker_device())],
            **memory,
        )

    def _mounts(self, spec: Spec, folder: Path, control: Path) -> list[Any]:
        covers = mounts.Covers(folder.parent / "covers")
        found = [_mount(str(control), CONTROL)]
        source = os.path.realpath(spec.input_dir)
        if self._host:
            found += [_mount(path, path) for path in self._layout.binds]
            found += [_mount(covers.over(path), path) for path in self._layout.covered]
        else:
            found += [_mount(covers.of_kind(is_folder), path) for path, is_folder in self._seen["covered"]]
        found.append(_mount(source, INSIDE.input))
        if self._weights is not None:
            found.append(_mount(self._weights.folder, INSIDE.weights))
        for path in mounts.hidden_below_input(spec):
            found.append(_mount(covers.over(os.path.join(source, path)), os.path.join(INSIDE.input, path)))
        for inner, name in ((INSIDE.work, "work"), (INSIDE.tmp, "tmp"), (INSIDE.home, "home")):
            found.append(_mount(str(folder / name), inner, read_only=False))
        return found


def _tmp_size(limits: Limits, shared: int) -> int:
    return max(MIB, min(shared, limits.disk_bytes))


def _mount(source: str, target: str, read_only: bool = True) -> Any:
    from docker.types import Mount

    return Mount(target, source, type="bind", read_only=read_only)


def _refuse_a_distant_daemon(client: Any) -> None:
    if not client.api.base_url.startswith(("http+docker://", "http+unix://")):
        raise SandboxUnavailable(
            f"sandbox docker: the daemon at {client.api.base_url} is reached by network, but programs' folders and "
            "sockets are shared with its containers; use a daemon of this machine, by its unix socket"
        )


def make(params: Mapping[str, object]) -> DockerSandbox:
    """Build it from configuration.

    Args:
        params: see `options.parse`; and `image` (a tag, or "host").

    Raises:
        ConfigError: an unknown key or a value that is not allowed.
        SandboxUnavailable: it can't work here.
    """
    chosen = options.parse("docker", params, ("image",))
    image = params.get("image")
    if image is not None and not (isinstance(image, str) and image):
        raise ConfigError(f"sandbox.image: {image!r} is not allowed; give an image's tag, or host")
    return DockerSandbox(
        image=image,
        warm=chosen.warm,
        require=chosen.require,
        min_free_bytes=chosen.min_free_bytes,
        weights_folder=chosen.weights,
    )
