"""Install the Debian packages that the tests need: `python scripts/debian_packages.py`; with `deploy`, deploy-check's.

Only where this is Debian (or Ubuntu) and root; elsewhere say what is missing, and the tests that need it are skipped
and counted at the end of the run.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

# python-ldap is built from source; the servers are those that users have.
PACKAGES = (
    "gcc", "python3-dev", "libldap2-dev", "libsasl2-dev", "slapd", "ldap-utils", "postgresql-15", "strace", "wrk",
    "prometheus", "prometheus-alertmanager", "chromium",
)  # fmt: skip
# What builds and runs images without a daemon, what makes a base for them, and the balancer of the drill.
DEPLOY = (
    "podman", "buildah", "runc", "uidmap", "mmdebstrap", "haproxy", "dnsmasq-base",
    "golang-github-containernetworking-plugin-dnsname",
)  # fmt: skip


def main(groups: list[str]) -> None:
    """Install what is missing of the packages of the tests, and of those for deployment where *groups* name it."""
    packages = (*PACKAGES, *DEPLOY) if "deploy" in groups else PACKAGES
    if not shutil.which("dpkg-query"):
        print(f"Not Debian: some tests need what its packages {' '.join(packages)} hold.")
        return
    missing = [name for name in packages if not _has(name)]
    if not missing:
        return
    if os.geteuid() != 0:
        print(f"Some tests or checks are skipped until these are installed: apt-get install {' '.join(missing)}")
        return
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    # No package may start a service of its own here: the tests start what they need.
    policy = Path("/usr/sbin/policy-rc.d")
    ours = not policy.exists()
    if ours:
        policy.write_text("#!/bin/sh\nexit 101\n", encoding="ascii")
        policy.chmod(0o700)
    try:
        subprocess.run(["/usr/bin/apt-get", "update", "-qq"], env=quiet, check=True)
        install = ["/usr/bin/apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing]
        subprocess.run(install, env=quiet, check=True, stdout=sys.stderr)  # noqa: S603 - a fixed list
    finally:
        if ours:
            policy.unlink()


def _has(name: str) -> bool:
    asked = ["/usr/bin/dpkg-query", "-W", "-f", "${db:Status-Status}", name]
    found = subprocess.run(asked, capture_output=True, text=True, check=False)  # noqa: S603 - a fixed name
    return found.stdout == "installed"


if __name__ == "__main__":
    main(sys.argv[1:])
