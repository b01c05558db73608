"""What a program may read and write: its data, not the answers, and nothing else of the host."""

from __future__ import annotations

import glob
import itertools
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mlesearch.testing.sandbox_contract.base import Bench, Checks
from mlesearch.types import ConfigError

_ELSEWHERE = ("doc", "common-licenses", "dict", "man", "pixmaps", "R", "nltk_data", "datasets", "data")


class DataChecks(Checks):
    """Answers, bundled data sets and mlesearch are out of reach; the task's data can't be changed."""

    def test_answers(self, bench: Bench) -> None:
        path = str(bench.private / "answers.csv")
        said = bench.denied(
            f"print(open({path!r}).read())",
            f"print(open({str(bench.public)!r} + '/../private/answers.csv').read())",
            "print(open('input/../private/answers.csv').read())",
            f"import os\nos.symlink({path!r}, 'link')\nprint(open('link').read())",
            f"import os\nos.symlink({str(bench.root)!r}, 'folder')\nprint(open('folder/private/answers.csv').read())",
            f"import os\nos.link({path!r}, 'hard')\nprint(open('hard').read())",
            f"import os\nprint(os.listdir({str(bench.private)!r}))",
            f"import shutil\nprint(shutil.copy({path!r}, 'copy'))",
            f"import subprocess\nprint(subprocess.run(['cat', {path!r}], check=True))",
        )
        assert all("Error" in each for each in said)

    def test_answers_by_a_link_left_behind(self, bench: Bench) -> None:
        path = str(bench.private / "answers.csv")
        result = bench.run(f"import os\nos.symlink({path!r}, 'submission.csv')\nos.symlink({path!r}, 'input/x')")
        assert result.artefacts["submission.csv"].path is None
        bench.denied("print(open('input/x').read())", "print(open('submission.csv').read())")

    def test_answers_through_proc(self, bench: Bench) -> None:
        what = (
            "environ",
            "maps",
            "mem",
            "cmdline",
            f"cwd/{bench.private}/answers.csv",
            f"root{bench.private}/answers.csv",
        )
        bench.denied(
            *(f"print(open('/proc/{os.getpid()}/{name}').read())" for name in what),
            f"print(open('/proc/self/root{bench.private}/answers.csv').read())",
            f"print(open('/proc/self/cwd/../../../../../../../..{bench.private}/answers.csv').read())",
            f"import os\nprint(os.listdir('/proc/{os.getpid()}/fd'))",
        )

    def test_bundled_data_sets(self, bench: Bench) -> None:
        names = ("digits", "wine", "iris", "breast_cancer", "diabetes")
        said = bench.denied(*(f"from sklearn.datasets import load_{n}\nprint(load_{n}().target)" for n in names))
        assert not any(each.startswith("ImportError") for each in said), said

    def test_the_harness_is_not_importable(self, bench: Bench) -> None:
        source = Path(__file__).parents[2]
        said = bench.denied(
            "import mlesearch",
            f"import sys\nsys.path.insert(0, {str(source.parent)!r})\nimport mlesearch.types",
            f"import os\nprint(os.listdir({str(source)!r}))",
            "import sys\nif not any('mlesearch' in name or name.startswith('_box') for name in sys.modules):\n"
            "    raise LookupError",
        )
        assert "mlesearch" in said[0]
        assert said[3] == "LookupError: "

    def test_data_is_read_only(self, bench: Bench) -> None:
        bench.denied(
            "open('input/train.csv', 'w')",
            "open('input/new.csv', 'w')",
            "import os\nos.remove('input/train.csv')",
            "import os\nos.mkdir('input/new')",
            "import os\nos.rename('input/train.csv', 'input/x.csv')",
            "import os\nos.rename('input/train.csv', 'mine.csv')",
            "import os\nos.truncate('input/train.csv', 0)",
            "import os\nos.close(os.open('input/train.csv', os.O_RDONLY | os.O_TRUNC))",
            "import os\nos.link('input/train.csv', 'mine'); open('mine', 'a').write('x')",
        )

    def test_attributes_of_data_do_not_change(self, bench: Bench) -> None:
        file = bench.public / "train.csv"
        before = file.stat()
        bench.attempts(
            "import os\nos.chmod('input/train.csv', 0)",
            "import os\nos.utime('input/train.csv', (0, 0))",
            "import os\nos.chown('input/train.csv', 1, 1)",
        )
        after = file.stat()
        assert (after.st_mode, after.st_mtime_ns, after.st_uid) == (before.st_mode, before.st_mtime_ns, before.st_uid)

    def test_the_rest_of_the_host_is_not_writable(self, bench: Bench) -> None:
        folders = (
            bench.root,
            Path.home(),
            Path("/tmp"),
            Path("/var/tmp"),
            Path("/etc"),
            Path("/usr/lib"),
            Path(sys.prefix),
        )
        targets = [folder / f"contract-{os.getpid()}" for folder in folders]
        said = bench.attempts(*(f"open({str(target)!r}, 'w').write('x')" for target in targets))
        for target, word in zip(targets, said, strict=True):
            assert word != "allowed" or target.is_relative_to("/tmp"), target  # which may be a private one
            assert not target.exists()

    def test_answers_in_other_installations(self, bench: Bench) -> None:
        own = {os.path.realpath(path) for path in sys.path}
        roots = sorted({sys.base_prefix, "/usr", "/usr/local", "/opt/conda"})
        found = [path for root in roots for path in glob.glob(f"{root}/lib*/python3*/*-packages")]
        foreign = [path for path in found if os.path.realpath(path) not in own]
        files = [str(path) for folder in foreign for path in itertools.islice(_files(folder), 3)]
        bench.denied(
            *(f"print(open({path!r}, 'rb').read(20))" for path in files),
            f"print(open({str(bench.private / 'answers.csv')!r}).read())",
        )

    def test_answers_where_anybody_keeps_data(self, bench: Bench) -> None:
        folders = [Path(share, name) for share in ("/usr/share", "/usr/local/share") for name in _ELSEWHERE]
        folders += [Path("/usr/src"), Path("/opt"), Path("/srv"), Path("/home"), Path("/var/lib"), Path("/usr/games")]
        files = [str(path) for folder in folders for path in itertools.islice(_files(str(folder)), 2)]
        files = [path for path in files if not path.startswith((sys.prefix, sys.base_prefix))]
        bench.denied(*(f"print(open({path!r}, 'rb').read(20))" for path in ("/etc/shadow", *files)))

    def test_answers_and_studies_within_reach_are_refused(self, bench: Bench) -> None:
        folder = Path(os.path.realpath(os.__file__)).parent / "json"
        (said,) = bench.attempts(f"open({str(folder / 'decoder.py')!r}).read()")
        if said != "allowed":
            return  # it has another interpreter than this one, and nothing of this machine's
        for spec in (
            replace(bench.spec(), concealed=(("study.dir", folder),)),
            replace(bench.spec(), concealed=(("study.dir", folder / "studies" / "new"),)),
            replace(bench.spec(), concealed=(("cassette_path", bench.public / "cassette.db"),)),
            replace(bench.spec(), hidden=(bench.private, folder)),
        ):
            with pytest.raises(ConfigError, match="which programs may read; put "):
                bench.sandbox.prepare(spec)


def _files(folder: str) -> Iterator[Path]:
    """Files that everybody may read below a folder, a few levels deep, in order."""
    for at in ("*", "*/*", "*/*/*"):
        for path in sorted(Path(folder).glob(at)):
            if path.is_file() and not path.is_symlink() and path.stat().st_mode & 0o004:
                yield path
