"""What kind of file system a folder is on."""

from __future__ import annotations

from pathlib import Path

_NETWORK = {
    *("afs", "beegfs", "ceph", "cifs", "fhgfs", "fuse.ceph", "fuse.glusterfs", "fuse.s3fs", "fuse.sshfs", "glusterfs"),
    *("gpfs", "lustre", "ncpfs", "nfs", "nfs4", "orangefs", "panfs", "pvfs2", "smb3", "smbfs", "wekafs"),
}
"""File systems on which SQLite's locks can't be trusted, as the kernel calls them."""


def on_network(folder: Path) -> bool:
    """Whether a folder is, or will be, on a file system of the network, as far as can be told."""
    return file_system_of(folder) in _NETWORK


def file_system_of(folder: Path) -> str:
    """The kernel's name for the file system that a folder is on, or will be; empty where it can't be told."""
    nearest = next(p for p in (folder.absolute(), *folder.absolute().parents) if p.exists()).resolve()
    try:
        lines = Path("/proc/self/mounts").read_text().splitlines()
    except OSError:
        return ""
    mounts = [(Path(words[1].replace("\\040", " ")), words[2]) for words in map(str.split, lines)]
    covering = [(len(place.parts), n, kind) for n, (place, kind) in enumerate(mounts) if nearest.is_relative_to(place)]
    return max(covering, default=(0, 0, ""))[2]
