"""What tests do to the process they run in."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Run
from core import Core


def verdicts(core: Core) -> list[str]:
    return [frame["verdict"] for frame in core.frames("main", "end")]


def test_fork(pytester: pytest.Pytester, core: Core, report: Run) -> None:
    """The child runs pytest to its end, as one that forgot `os._exit` does."""
    pytester.makepyfile(
        """
        import os

        def test_a():
            pid = os.fork()
            if pid:
                os.waitpid(pid, 0)

        def test_b(): pass
        """
    )
    result = report("-s")
    assert result.ret == 0
    assert verdicts(core) == ["passed", "passed"]
    assert len(core.frames("main", "bye")) == 1
    assert len(core.finishes) == 1
    assert result.stdout.str().count("pytest-host:") == 1


def test_multiprocessing(pytester: pytest.Pytester, core: Core, report: Run) -> None:
    pytester.makepyfile(
        """
        import multiprocessing, os

        def test_a():
            with multiprocessing.get_context("fork").Pool(2) as pool:
                assert pool.map(abs, [-1, -2]) == [1, 2]
        """
    )
    report("-W", "ignore").assert_outcomes(passed=1)
    assert verdicts(core) == ["passed"]


def test_chdir_and_environment(pytester: pytest.Pytester, core: Core, report: Run) -> None:
    core.welcome = {"segment_bytes": 4096}
    pytester.makepyfile(
        """
        import os, pytest

        @pytest.mark.parametrize("n", range(50))
        def test_a(n, tmp_path):
            print("x" * 200)
            os.environ.clear()
            os.chdir(tmp_path)
        """
    )
    result = report()
    result.assert_outcomes(passed=50)
    assert verdicts(core) == ["passed"] * 50
    assert result.stdout.lines[-1] == "pytest-host: publish 3 delivered"


def test_closed_descriptors(pytester: pytest.Pytester, core: Core, report: Run) -> None:
    """Ours only, since pytest itself does not survive the loss of its own."""
    core.welcome = {"segment_bytes": 4096}
    pytester.makepyfile(
        f"""
        import os, pathlib, pytest, stat

        def close_ours():
            folder = pathlib.Path({str(core.segments)!r})
            segments = [path.stat().st_ino for path in folder.iterdir()]
            for fd in range(3, 100):
                try:
                    status = os.fstat(fd)
                except OSError:
                    continue
                if stat.S_ISSOCK(status.st_mode) or status.st_ino in segments:
                    os.close(fd)
                    yield fd

        def test_a():
            assert list(close_ours())

        @pytest.mark.parametrize("n", range(50))
        def test_b(n):
            print("x" * 200)

        @pytest.fixture(scope="session", autouse=True)
        def theirs(tmp_path_factory):
            yield
            path = tmp_path_factory.mktemp("theirs") / "file"
            theirs.files = [open(f"{{path}}{{n}}", "w") for n in range(40)]
        """
    )
    result = report("--capture=sys", "-W", "ignore")
    result.assert_outcomes(passed=51)
    assert result.ret == 0
    assert verdicts(core) == ["passed"] * 51
    assert core.frames("main")[-1] == {"k": "bye"}
    assert result.stdout.lines[-1] == "pytest-host: a test closed the connection to the host"


def test_faked_time_and_files(pytester: pytest.Pytester, core: Core, report: Run) -> None:
    """As freezegun and pyfakefs do it: what modules hold is replaced."""
    core.welcome = {"segment_bytes": 4096}
    pytester.makepyfile(
        """
        import os, pytest, time

        @pytest.fixture(autouse=True)
        def fakes(monkeypatch):
            def no(*args, **kwargs):
                raise NotImplementedError

            for name in ("posix_fallocate", "replace"):
                monkeypatch.setattr(os, name, no)
            monkeypatch.setattr(time, "time", lambda: 1.0)

        @pytest.mark.parametrize("n", range(50))
        def test_b(n):
            print("x" * 200)
        """
    )
    report().assert_outcomes(passed=50)
    assert verdicts(core) == ["passed"] * 50
    assert min(frame["t"] for frame in core.frames("main", "start")) > 1e9


def test_core_dies(pytester: pytest.Pytester, core: Core, report: Run) -> None:
    core.drop_after_welcome = True
    pytester.makepyfile("def test_a(): pass")
    result = report()
    result.assert_outcomes(passed=1)
    assert result.ret == 0
    assert verdicts(core) == ["passed"]
    assert result.stdout.lines[-1] in (
        "pytest-host: the host went away",
        "pytest-host: the host went away (Connection reset by peer)",
    )


def test_left_out_frames_are_told(pytester: pytest.Pytester, core: Core, report: Run) -> None:
    core.welcome = {"segment_bytes": 4096, "unread_bytes": 8192}
    pytester.makepyfile("def test_a(): print('x' * 10000)\ndef test_b(): pass")
    result = report("-q")
    result.assert_outcomes(passed=2)
    last = result.stdout.lines[-1]
    assert last.startswith("pytest-host: publish 3 delivered; ")
    assert last.endswith(" events of this process could not be kept")


def test_the_core_is_nobodys_child(run: Run, binary: Path, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import os
        import pytest

        def test_children():
            with pytest.raises(ChildProcessError):
                os.waitpid(-1, os.WNOHANG)
        """
    )
    run("--publish", "http://127.0.0.1:1/").assert_outcomes(passed=1)
