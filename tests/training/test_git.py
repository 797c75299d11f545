"""Git asks nobody, shows no password, keeps none, and ends when it is told to."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atraso.training import git as training_git
from atraso.training.git import Git, GitError, readable, ssh_that_asks_nobody, without_passwords
from atraso.training.publication import Publication
from atraso.training.publish import publish
from atraso.training.repository import cause, open_repository, remote_called, tip_of
from tests.clones import alone, clone_with_remote, git, has_ended, hook
from tests.git_server import PASSWORD, USER, git_server

MADE = Publication({"m/manifest.json": b"{}"}, "m", "2017.1+abc123", "0" * 64, ())


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a clone with a remote, in an environment that would let git ask in every way it knows."""
    alone(tmp_path, monkeypatch)
    made = clone_with_remote(tmp_path)
    for name in ("askpass", "ssh"):
        hook(tmp_path, name, f'echo "{name} $*" >> {tmp_path}/asked; (: < /dev/tty) 2>/dev/null && echo tty; exit 1')
    asks = str(tmp_path / "hooks" / "askpass")
    for name in ("GIT_ASKPASS", "SSH_ASKPASS"):
        monkeypatch.setenv(name, asks)
    monkeypatch.setenv("DISPLAY", ":0")
    git(made, "config", "core.askPass", asks)
    return made


def helper(clone: Path, *answer: str) -> Path:
    """Configure a credential helper that notes what it is told to do, and answers when asked; return its notes."""
    notes = clone.parent / "helper"
    lines = "\n".join(f"echo {line}" for line in answer)
    hook(clone.parent, "credentials", f'echo "$1" >> {notes}\n[ "$1" = get ] || exit 0\n{lines or ":"}')
    git(clone, "config", "credential.helper", clone.parent / "hooks" / "credentials")
    return notes


@pytest.fixture
def host(tmp_path: Path) -> Iterator[str]:
    """Serve remote.git over HTTP to those who know the password."""
    (tmp_path / "remote.git").mkdir(exist_ok=True)
    with git_server(tmp_path) as host:
        yield host


def test_a_remote_that_asks_for_a_password_is_explained_and_nobody_asked(clone: Path, host: str) -> None:
    """401 from the server ends at once with what to do; no askpass program ran, no file was left."""
    git(clone, "remote", "set-url", "origin", f"http://{host}/remote.git")
    with pytest.raises(GitError, match="a password is neither asked for nor kept") as refused:
        publish(open_repository(clone), MADE, remote="origin", branch="develop")

    assert "prompts disabled" in refused.value.words
    assert not (clone.parent / "asked").exists()


def test_a_wrong_password_is_explained_and_not_shown(clone: Path, host: str) -> None:
    """A password in the address that does not fit appears neither in the sentence nor in git's words."""
    git(clone, "remote", "set-url", "origin", f"http://ana:wr0ng@{host}/remote.git")
    with pytest.raises(GitError, match="a password is neither asked for nor kept") as refused:
        publish(open_repository(clone), MADE, remote="origin", branch="develop")

    assert "wr0ng" not in str(refused.value)
    assert host in str(refused.value)


def test_a_password_in_the_address_lets_in_and_is_not_kept(clone: Path, host: str) -> None:
    """Over HTTP the branch is published; the helper of the machine is told nothing, the address is shown without."""
    git(clone.parent / "remote.git", "config", "http.receivepack", "true")
    notes = helper(clone)
    secret = quote(PASSWORD, safe="")
    git(clone, "remote", "set-url", "origin", f"http://{USER}:{secret}@{host}/remote.git")
    outcome = publish(open_repository(clone), MADE, remote="origin", branch="develop")

    assert outcome.status == "published"
    assert git(clone.parent / "remote.git", "rev-parse", "develop") == outcome.commit
    assert outcome.url == f"http://{host}/remote.git"
    assert secret not in repr(outcome)
    assert not notes.exists()


def test_a_helper_that_knows_the_password_lets_in(clone: Path, host: str) -> None:
    """What git's own credential helper has is used, as in any push."""
    git(clone.parent / "remote.git", "config", "http.receivepack", "true")
    notes = helper(clone, f"username={USER}", f"password={PASSWORD}")
    git(clone, "remote", "set-url", "origin", f"http://{host}/remote.git")

    assert publish(open_repository(clone), MADE, remote="origin", branch="develop").status == "published"
    assert "get" in notes.read_text().split()


def test_ssh_runs_in_batch_mode_and_without_a_terminal(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SSH command of the person's choice gets BatchMode, and could not open a terminal if it tried."""
    ssh = clone.parent / "hooks" / "ssh"
    git(clone, "config", "core.sshCommand", f"{ssh} -i key")
    git(clone, "config", "ssh.variant", "ssh")
    git(clone, "remote", "set-url", "origin", "ssh://git:pw@example.invalid/a.git")
    here = open_repository(clone)
    with pytest.raises(GitError) as refused:
        tip_of(here, remote_called(here, "origin"), "develop")

    (asked,) = (clone.parent / "asked").read_text().splitlines()
    assert asked.startswith("ssh -i key -oBatchMode=yes ")
    assert "tty" not in refused.value.words
    assert "pw" not in str(refused.value)


@pytest.mark.parametrize(
    ("environment", "configured", "command"),
    [
        ({}, "", "ssh -oBatchMode=yes"),
        ({"GIT_SSH": "/my tools/ssh"}, "", "'/my tools/ssh' -oBatchMode=yes"),
        ({"GIT_SSH": "other"}, "ssh -i key", "ssh -i key -oBatchMode=yes"),
        ({"GIT_SSH_COMMAND": "ssh -v"}, "ssh -i key", "ssh -v -oBatchMode=yes"),
        ({"GIT_SSH_COMMAND": "plink"}, "", "plink -batch"),
    ],
)
def test_the_ssh_command_is_the_one_git_would_use(environment: dict[str, str], configured: str, command: str) -> None:
    """Environment before configuration before GIT_SSH, each kept whole."""
    assert ssh_that_asks_nobody(environment, configured) == command


def test_nothing_can_ask_on_a_terminal(clone: Path) -> None:
    """Run with a terminal at hand, a program that git starts cannot open it."""
    git(clone, "config", "alias.ask", "!(: < /dev/tty) 2>/dev/null && echo could ask || echo could not")
    imports = "from pathlib import Path; from atraso.training.git import Git"
    code = f"{imports}; print(Git(Path('{clone}')).ask('ask').text)"
    control = "import os; os.close(os.open('/dev/tty', os.O_RDONLY)); print('a terminal is at hand')"
    for source, said in ((control, "a terminal is at hand"), (code, "could not")):
        command = f"{sys.executable} -c {subprocess.list2cmdline([source])}"
        done = subprocess.run(
            ["script", "--quiet", "--return", "--command", command, "/dev/null"],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.stdout.strip() == said, done.stdout


def test_an_address_nobody_listens_at_is_explained(clone: Path) -> None:
    """A closed port says that the remote cannot be reached and what to look at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    git(clone, "remote", "set-url", "origin", f"http://127.0.0.1:{port}/remote.git")
    with pytest.raises(GitError, match="origin cannot be reached: look at the network"):
        publish(open_repository(clone), MADE, remote="origin", branch="develop")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("fatal: unable to access 'https://h/': Could not resolve host: h", "cannot be reached"),
        ("ssh: Could not resolve hostname h: Name or service not known", "cannot be reached"),
        ("ssh: connect to host h port 22: Connection timed out", "cannot be reached"),
        ("ssh: connect to host h port 22: Network is unreachable", "cannot be reached"),
        ("git@h: Permission denied (publickey).\nfatal: Could not read from remote repository.", "who you are"),
        ("Host key verification failed.\nfatal: Could not read from remote repository.", "not known here"),
        ("fatal: Authentication failed for 'https://h/'", "who you are"),
        (
            "remote: Permission to a/b.git denied to c.\nfatal: The requested URL returned error: 403",
            "let you write",
        ),
        ("fatal: repository 'https://h/a.git/' not found", "no repository at the address"),
        ("fatal: the remote end hung up unexpectedly", "git could not talk to"),
    ],
)
def test_what_git_says_of_a_remote_is_put_into_what_to_do(words: str, sentence: str) -> None:
    """The usual ways a conversation fails each have their own sentence, which names the remote."""
    assert sentence in cause(words, "upstream")
    assert "upstream" in cause(words, "upstream")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://user:password@host/a.git", "https://host/a.git"),
        ("https://token@host:8443/a.git", "https://host:8443/a.git"),
        ("to 'HTTPS://u:p@ss@host/a'", "to 'HTTPS://host/a'"),
        ("https://u:p/a/ss@host/a b://c", "https://host/a b://c"),
        ("ssh://git:password@host/a.git", "ssh://git@host/a.git"),
        ("ssh://git@host:2222/a.git", "ssh://git@host:2222/a.git"),
        ("git@host:a/b.git", "git@host:a/b.git"),
        ("https://host:8080/a@v1", "https://host:8080/a@v1"),
        ("https://host/a@v1 and https://u:p@h/", "https://host/a@v1 and https://h/"),
    ],
)
def test_addresses_are_shown_without_passwords(text: str, shown: str) -> None:
    """User, password and token go from web addresses, the password from others; what is none stays."""
    assert without_passwords(text) == shown


@given(
    scheme=st.sampled_from(["http", "https", "ftp", "ssh", "git+ssh"]),
    user=st.from_regex(r"[a-z]{1,8}", fullmatch=True),
    password=st.from_regex(r"[A-Z][!-.0-~:;<=>?]{3,30}", fullmatch=True),
    before=st.sampled_from(["", "fatal: unable to access '", "remote: see "]),
)
def test_no_password_without_a_slash_is_ever_shown(scheme: str, user: str, password: str, before: str) -> None:
    """Whatever the password is made of, an @ or a quote too, nothing of it is left, and the host still is."""
    shown = without_passwords(f"{before}{scheme}://{user}:{password}@host.example/team/a.git'")

    assert shown.endswith("host.example/team/a.git'")
    assert shown.startswith(before)
    assert password not in shown


def test_gits_words_are_fit_to_show() -> None:
    """Hints, progress, empty lines and what would steer a terminal are left out, and a flood is cut."""
    said = b"Counting: 10%\rCounting: 100%\r\nremote: \x1b[31mno\x1b[0m\x07   \nremote:\n\nhint: pull first\nend\xff\n"

    assert readable(said) == "Counting: 100%\nremote: no\nend�"
    assert readable(b"x\n" * 1000).splitlines()[-1] == "(970 lines more)"


def test_a_git_that_hangs_is_ended_with_all_it_started(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After its time limit git and its children are gone, and the sentence says how long it was waited for."""
    git(clone, "config", "alias.hang", f"!echo $$ > {clone.parent}/pid; trap '' TERM; while :; do sleep 0.05; done")
    monkeypatch.setattr(training_git, "PATIENCE_S", 0.2)
    with pytest.raises(GitError, match="not done after 0 s"):
        Git(clone).ask("hang", timeout_s=0.4)

    assert has_ended(int((clone.parent / "pid").read_text()))
