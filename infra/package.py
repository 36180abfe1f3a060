"""Builds a cloud's program and packs it, with 1Password's command line beside it if one is given.

The package goes to target/package/, and is the same for the same program. On Linux plain cargo builds for the machine's own
architecture; everything else takes cargo-lambda for AWS, and cargo-zigbuild for Azure.
"""

import argparse
import hashlib
import json
import platform
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile
from fnmatch import fnmatch
from pathlib import Path

MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}
# What an ELF file calls them (e_machine), and the loader of glibc's programs there.
ELF_MACHINES = {"x86_64": 62, "arm64": 183}
LOADERS = {"x86_64": "/lib64/ld-linux-x86-64.so.2", "arm64": "/lib/ld-linux-aarch64.so.1"}

# What Amazon Linux 2023, Lambda's provided.al2023, has.
LAMBDA_GLIBC = (2, 34)
# The images of the Functions host, version 4, stand on Debian 11 or newer; those of most languages on
# Debian 12. Which one Flex Consumption takes for a custom handler is not published.
FUNCTIONS_OLDEST_GLIBC = (2, 31)
FUNCTIONS_USUAL_GLIBC = (2, 36)

FUNCTIONS = Path("azure-functions")

# By its name in the package, what is in each file, and its mode.
Entries = dict[str, tuple[bytes, int]]


def what(features: str, name: str) -> list[str]:
    return ["--locked", "--release", "--no-default-features", "--features", features, "--bin", name]


def is_this_machine(arch: str) -> bool:
    return platform.system() == "Linux" and platform.machine() == MACHINES[arch]


def run(command: list[str]) -> str:
    """Returns what the command says on standard output."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"failed: {' '.join(command)}")
    return done.stdout


def built(command: list[str]) -> Path:
    """Builds one program and returns where it is: that depends on cargo's own settings."""
    said = run([*command, "--message-format=json-render-diagnostics"])
    messages = (json.loads(line) for line in said.splitlines() if line.startswith("{"))
    programs = [message["executable"] for message in messages if message.get("executable")]
    return Path(programs[-1])


def newest_glibc(program: bytes) -> tuple[int, int]:
    """The newest version whose symbols the program asks for; each stands in it by name."""
    versions = re.findall(rb"GLIBC_(\d+)\.(\d+)", program)
    return max(((int(major), int(minor)) for major, minor in versions), default=(0, 0))


def dotted(glibc: tuple[int, int]) -> str:
    return f"{glibc[0]}.{glibc[1]}"


def loader(program: bytes, arch: str) -> str | None:
    """Who loads a Linux program: None for one that is linked statically.

    ValueError if it is no program for this architecture.
    """
    # A shorter file fails to unpack; both are of 64 bits, little-endian.
    try:
        machine, parts_at, part_size, parts = struct.unpack_from("<18xH12xQ14xHH", program)
        if program[:6] != b"\x7fELF\x02\x01" or machine != ELF_MACHINES[arch]:
            raise ValueError
        for at in range(parts_at, parts_at + parts * part_size, part_size):
            kind, offset, length = struct.unpack_from("<I4xQ16xQ", program, at)
            if kind == 3:  # PT_INTERP
                return program[offset : offset + length].rstrip(b"\0").decode()
    except struct.error:
        raise ValueError from None
    return None


def version(program: bytes) -> str:
    """Asks 1Password's command line for it, in a directory that holds nothing else."""
    with tempfile.TemporaryDirectory() as home:
        op = Path(home, "op")
        op.write_bytes(program)
        op.chmod(0o700)
        environment = {"HOME": home, "OP_CONFIG_DIR": home}
        try:
            done = subprocess.run(
                [op, "--version"], env=environment, capture_output=True, text=True, timeout=30
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            sys.exit(f"op cannot be asked for its version: {error}")
    said = done.stdout.strip()
    if done.returncode != 0 or not re.fullmatch(r"2\.\d+\.\S+", said):
        sys.exit(f"op --version says {said or done.stderr.strip()!r}: the bridge needs version 2")
    return said


def command_line(path: Path, sha256: str | None, arch: str, newest: tuple[int, int]) -> bytes:
    """1Password's command line, if it can run where the package goes."""
    try:
        program = path.read_bytes()
    except OSError as error:
        sys.exit(f"OP is to be 1Password's command line, and cannot be read: {error}")
    digest = hashlib.sha256(program).hexdigest()
    if sha256 is not None and sha256.lower() != digest:
        sys.exit(f"{path} is not the file that OP_SHA256 means: its SHA-256 is {digest}")
    try:
        loaded_by = loader(program, arch)
    except ValueError:
        sys.exit(f"{path} is no Linux program for {arch}: take the op that is published for it")
    glibc = (0, 0) if loaded_by is None else newest_glibc(program)
    if loaded_by not in (None, LOADERS[arch]):
        sys.exit(
            f"{path} is loaded by {loaded_by}, which is not where the package goes: take the op that "
            "1Password publishes"
        )
    if glibc > newest:
        sys.exit(
            f"{path} asks for glibc {dotted(glibc)}, and where the package goes there is "
            f"{dotted(newest)}: take another version"
        )
    runs = version(program) if is_this_machine(arch) else "not asked: it does not run here"
    linked = "linked statically" if loaded_by is None else f"needs glibc {dotted(glibc)}"
    print(f"{'op':<9}  {len(program):>10,} bytes, {linked}, version {runs}")
    print(f"{'':<9}  SHA-256 {digest}")
    return program


def pack(entries: Entries, package: Path) -> None:
    package.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(package, "w") as archive:
        for name, (content, mode) in entries.items():
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # Unix, so that the mode counts.
            entry.external_attr = (0o100000 | mode) << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED, compresslevel=9)


def tell(name: str, program: bytes, package: Path) -> None:
    print(f"{name:<9}  {len(program):>10,} bytes, needs glibc {dotted(newest_glibc(program))}")
    print(f"package    {package.stat().st_size:>10,} bytes, {package}")


def aws(arch: str, op: Entries) -> None:
    if is_this_machine(arch):
        program = built(["cargo", "build", *what("aws", "bootstrap")])
    elif shutil.which("cargo-lambda") is None:
        sys.exit(
            f"To build for {arch} on this machine ({platform.system()} {platform.machine()}) takes "
            "cargo-lambda: pip install cargo-lambda, or see https://www.cargo-lambda.info"
        )
    else:
        cross = ["--arm64"] if arch == "arm64" else []
        run(["cargo", "lambda", "build", *cross, *what("aws", "bootstrap")])
        metadata = json.loads(run(["cargo", "metadata", "--format-version=1", "--no-deps"]))
        program = Path(metadata["target_directory"], "lambda/bootstrap/bootstrap")
    program = program.read_bytes()
    glibc = newest_glibc(program)
    if glibc > LAMBDA_GLIBC:
        sys.exit(
            f"bootstrap asks for glibc {dotted(glibc)}, and Amazon Linux 2023 has "
            f"{dotted(LAMBDA_GLIBC)}: build on an older system (Debian 12), or with "
            "cargo lambda build"
        )
    package = Path(f"target/package/bootstrap-{arch}.zip")
    pack({"bootstrap": (program, 0o755)} | op, package)
    tell("bootstrap", program, package)


def functions() -> Entries:
    """What the host reads: its settings, and a folder for each function."""
    ignored = (FUNCTIONS / ".funcignore").read_text().split()
    return {
        name: (path.read_bytes(), 0o644)
        for path in sorted(FUNCTIONS.rglob("*"))
        for name in [path.relative_to(FUNCTIONS).as_posix()]
        if path.is_file() and not any(fnmatch(name, pattern) for pattern in ignored)
    }


def azure(with_features: list[str], op: Entries) -> None:
    build = what(",".join(["azure", *with_features]), "handler")
    if shutil.which("cargo-zigbuild") is not None:
        target = "x86_64-unknown-linux-gnu"
        oldest = f"{target}.{dotted(FUNCTIONS_OLDEST_GLIBC)}"
        program = built(["cargo", "zigbuild", "--target", oldest, *build])
    elif is_this_machine("x86_64"):
        program = built(["cargo", "build", *build])
    else:
        sys.exit(
            f"To build for x86_64 Linux on this machine ({platform.system()} {platform.machine()}) "
            "takes cargo-zigbuild: pip install cargo-zigbuild, rustup target add x86_64-unknown-linux-gnu"
        )
    program = program.read_bytes()
    glibc = newest_glibc(program)
    if glibc > FUNCTIONS_USUAL_GLIBC:
        sys.exit(
            f"handler asks for glibc {dotted(glibc)}, and most images of the Functions host have "
            f"{dotted(FUNCTIONS_USUAL_GLIBC)}: pip install cargo-zigbuild, or build on Debian 12"
        )
    package = Path("target/package/azure-x86_64.zip")
    pack(functions() | {"handler": (program, 0o755)} | op, package)
    tell("handler", program, package)
    if glibc > FUNCTIONS_OLDEST_GLIBC:
        print(
            f"note: images of the Functions host with glibc {dotted(FUNCTIONS_OLDEST_GLIBC)} cannot run "
            f"this program, those with {dotted(FUNCTIONS_USUAL_GLIBC)} can, and Microsoft does not say "
            "which one it takes. If the app does not start: pip install cargo-zigbuild, and pack again."
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    given = argparse.ArgumentParser(add_help=False)
    given.add_argument("--op", type=Path, help="1Password's command line, to be packed too")
    given.add_argument("--op-sha256", help="what its SHA-256 has to be")
    clouds = parser.add_subparsers(dest="cloud", required=True)
    for_aws = clouds.add_parser("aws", parents=[given])
    for_aws.add_argument("arch", choices=MACHINES)
    for_azure = clouds.add_parser("azure", parents=[given])
    for_azure.add_argument("feature", nargs="*")
    asked = parser.parse_args()

    if asked.op is None and asked.op_sha256 is not None:
        sys.exit("OP_SHA256 is the checksum of OP, which is not given")
    arch, newest = (
        (asked.arch, LAMBDA_GLIBC) if asked.cloud == "aws" else ("x86_64", FUNCTIONS_USUAL_GLIBC)
    )
    # Looked at first: to build takes minutes.
    op: Entries = {}
    if asked.op is not None:
        op["op"] = (command_line(asked.op, asked.op_sha256, arch, newest), 0o755)
    if asked.cloud == "aws":
        aws(arch, op)
    else:
        azure(asked.feature, op)


main()
