"""Builds `bootstrap` for AWS Lambda and packs it: target/package/bootstrap-ARCH.zip.

The same program gives the same package. On Linux plain cargo builds for the machine's own
architecture; everything else takes cargo-lambda.
"""

import platform
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

# What Amazon Linux 2023, Lambda's provided.al2023, has.
NEWEST_GLIBC = (2, 34)
MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}
WHAT = ["--locked", "--release", "--no-default-features", "--features", "aws", "--bin", "bootstrap"]


def build(arch: str) -> Path:
    """Returns where the program is."""
    if platform.system() == "Linux" and platform.machine() == MACHINES[arch]:
        run(["cargo", "build", *WHAT])
        return Path("target/release/bootstrap")
    if shutil.which("cargo-lambda") is None:
        sys.exit(
            f"To build for {arch} on this machine ({platform.system()} {platform.machine()}) takes "
            "cargo-lambda: pip install cargo-lambda, or see https://www.cargo-lambda.info"
        )
    run(["cargo", "lambda", "build", *(["--arm64"] if arch == "arm64" else []), *WHAT])
    return Path("target/lambda/bootstrap/bootstrap")


def run(command: list[str]) -> None:
    if subprocess.run(command).returncode != 0:
        sys.exit(f"failed: {' '.join(command)}")


def newest_glibc(program: bytes) -> tuple[int, int]:
    """The newest version whose symbols the program asks for; each stands in it by name."""
    versions = re.findall(rb"GLIBC_(\d+)\.(\d+)", program)
    return max(((int(major), int(minor)) for major, minor in versions), default=(0, 0))


def pack(program: bytes, package: Path) -> None:
    entry = zipfile.ZipInfo("bootstrap", date_time=(1980, 1, 1, 0, 0, 0))
    entry.create_system = 3  # Unix, so that the mode counts.
    entry.external_attr = 0o100755 << 16
    package.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr(entry, program, zipfile.ZIP_DEFLATED, compresslevel=9)


def main() -> None:
    arch = sys.argv[1]
    if arch not in MACHINES:
        sys.exit(f"ARCH is {' or '.join(MACHINES)}, not {arch!r}")
    program = build(arch).read_bytes()
    glibc = newest_glibc(program)
    if glibc > NEWEST_GLIBC:
        sys.exit(
            f"bootstrap asks for glibc {glibc[0]}.{glibc[1]}, and Amazon Linux 2023 has "
            f"{NEWEST_GLIBC[0]}.{NEWEST_GLIBC[1]}: build on an older system (Debian 12), or with "
            "cargo lambda build"
        )
    package = Path(f"target/package/bootstrap-{arch}.zip")
    pack(program, package)
    print(f"bootstrap  {len(program):>10,} bytes, needs glibc {glibc[0]}.{glibc[1]}")
    print(f"package    {package.stat().st_size:>10,} bytes, {package}")


main()
