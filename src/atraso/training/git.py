"""Runs git so that it can ask nobody anything, shows no password, and leaves what is checked out alone."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from atraso.core.errors import AtrasoError

LOCAL_TIMEOUT_S = 120.0
# A branch and an artefact of some tens of megabytes over a slow line.
NETWORK_TIMEOUT_S = 900.0
PATIENCE_S = 5.0
MAX_WORDS = 30

# Where the repository is follows from the folder alone: a hook or an alias that runs us may have set these for itself.
# Traces would put what goes over the wire, secrets among it, into the words that are shown.
NOT_INHERITED = re.compile(
    r"GIT_(DIR|WORK_TREE|INDEX_FILE|COMMON_DIR|PREFIX|NAMESPACE|(ALTERNATE_)?OBJECT_DIRECTOR(Y|IES)|TRACE.*|CURL_VERBOSE)"
)
# An empty GIT_ASKPASS also keeps core.askPass and SSH_ASKPASS from being looked at.
ASKS_NOBODY = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "SSH_ASKPASS_REQUIRE": "never",
    "GCM_INTERACTIVE": "never",
}
# `status` would write the index it has refreshed; the words that are explained must be in one language.
LEAVES_ALONE = {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C.UTF-8", "LANGUAGE": "en"}
CONFIGURED = (
    "core.askPass=",
    "credential.interactive=false",
    "user.useConfigOnly=true",  # a name guessed from the machine's is nobody's
    "core.splitIndex=false",  # would leave a shared index in the repository
    "core.fsmonitor=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "i18n.commitEncoding=UTF-8",
)

_WEB_USER = re.compile(r"\b((?:https?|ftps?)://)(?:[^\s/]*@|[^\s/:@]+:(?!\d*(?:[/'\"\s]|$))\S*@)", re.IGNORECASE)
_PASSWORD = re.compile(r"\b([a-z][a-z0-9+.-]*://[^\s/:@]+):[^\s/]*@", re.IGNORECASE)
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")


class GitError(AtrasoError):
    """Git could not do what publishing needs; `words` is what it said itself, without passwords."""

    def __init__(self, sentence: str, words: str = "") -> None:
        super().__init__(sentence + quoted(words))
        self.words = words


@dataclass(frozen=True, slots=True)
class Said:
    """What one run of git ended with: its exit code, its output, and its words on standard error made fit to show."""

    code: int
    out: bytes
    words: str

    @property
    def text(self) -> str:
        """The output as text, without the white space around it."""
        return self.out.decode(errors="replace").strip()


class Git:
    """Git in one folder, run by argument lists with a time limit, in a session without a terminal."""

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self._environment = dict(environment or {})
        self._ssh: str | None = None

    def within(self, environment: Mapping[str, str]) -> Git:
        """Return the same git with these variables set besides."""
        other = Git(self.folder, self._environment | dict(environment))
        other._ssh = self._ssh
        return other

    def run(self, what: str, *arguments: str, stdin: bytes = b"") -> Said:
        """Run git; raises GitError, "*what*" and git's own words, where its exit code is not 0."""
        said = self.ask(*arguments, stdin=stdin)
        if said.code:
            raise GitError(what, said.words)
        return said

    def over_network(self, *arguments: str) -> Said:
        """Run a git that talks to a remote, by SSH in batch mode; an exit code that is not 0 is the caller's."""
        if self._ssh is None:
            configured = self.ask("config", "core.sshCommand").text
            self._ssh = ssh_that_asks_nobody(os.environ, configured)
        return self.within({"GIT_SSH_COMMAND": self._ssh}).ask(*arguments, timeout_s=NETWORK_TIMEOUT_S)

    def ask(self, *arguments: str, stdin: bytes = b"", timeout_s: float = LOCAL_TIMEOUT_S) -> Said:
        """Run git and return what it ended with; an interrupt ends it, and all that it started, too.

        Raises GitError where git is not installed, the folder is gone, or the time is over.
        """
        git = shutil.which("git")
        if git is None:
            raise GitError("git is not installed, and publishing needs it: apt-get install git")
        inherited = {name: value for name, value in os.environ.items() if not NOT_INHERITED.fullmatch(name)}
        options = [word for pair in CONFIGURED for word in ("-c", pair)]
        try:
            process = subprocess.Popen(  # noqa: S603 - an argument list, no shell
                [git, *options, *arguments],
                cwd=self.folder,
                env=inherited | ASKS_NOBODY | LEAVES_ALONE | self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,  # without a terminal of its own no helper, hook or ssh can ask on one
            )
        except OSError as error:
            raise GitError(f"git cannot be run in {self.folder}: {error.strerror}") from error
        try:
            out, err = process.communicate(stdin, timeout=timeout_s)
        except subprocess.TimeoutExpired as error:
            _end(process)
            raise GitError(f"git was not done after {timeout_s:.0f} s, and was ended; try again later") from error
        except BaseException:
            _end(process)
            raise
        return Said(process.returncode, out, readable(err))


def _end(process: subprocess.Popen[bytes]) -> None:
    """End git and what it started: asked first, so that it removes its lock files, then whatever is left for good."""
    for means in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(process.pid, means)
            process.communicate(timeout=PATIENCE_S)


def ssh_that_asks_nobody(environment: Mapping[str, str], configured: str) -> str:
    """Return the SSH command git would use (GIT_SSH_COMMAND, core.sshCommand, GIT_SSH, ssh) in batch mode."""
    plain = shlex.quote(environment["GIT_SSH"]) if environment.get("GIT_SSH") else "ssh"
    command = environment.get("GIT_SSH_COMMAND") or configured or plain
    return f"{command} {'-batch' if 'plink' in command.lower() else '-oBatchMode=yes'}"


def without_passwords(text: str) -> str:
    """Return *text* with every user, password and token taken out of web addresses, and passwords out of all others."""
    return _PASSWORD.sub(r"\1@", _WEB_USER.sub(r"\1", text))


def readable(err: bytes) -> str:
    """Return what git wrote on standard error as lines: no passwords, hints, progress or terminal control."""
    lines = [line.rsplit("\r", 1)[-1] for line in err.decode(errors="replace").replace("\r\n", "\n").split("\n")]
    lines = [_CONTROL.sub("", line).rstrip() for line in lines]
    kept = [line for line in lines if line and line != "remote:" and not line.startswith("hint:")]
    if len(kept) > MAX_WORDS:
        kept = [*kept[:MAX_WORDS], f"({len(kept) - MAX_WORDS} lines more)"]
    return without_passwords("\n".join(kept))


def quoted(words: str) -> str:
    """Return git's words as they follow a sentence, or nothing where it said none."""
    return "\ngit said:\n" + "\n".join(f"  {line}" for line in words.splitlines()) if words else ""
