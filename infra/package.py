"""Builds a cloud's program and packs it: `package.py aws ARCH` or `package.py azure [FEATURE]…`.

The package goes to target/package/, and is the same for the same program. On Linux plain cargo builds for the machine's own
architecture; everything else takes cargo-lambda for AWS, and cargo-zigbuild for Azure.
"""

import json
import platform
import re
import shutil
import subprocess
import sys
import zipfile
from fnmatch import fnmatch
from pathlib import Path

MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}

# What Amazon Linux 2023, Lambda's provided.al2023, has.
LAMBDA_GLIBC = (2, 34)
# The images of the Functions host, version 4, stand on Debian 11 or newer; those of most languages on
# Debian 12. Which one Flex Consumption takes for a custom handler is not published.
FUNCTIONS_OLDEST_GLIBC = (2, 31)
FUNCTIONS_USUAL_GLIBC = (2, 36)

FUNCTIONS = Path("azure-functions")


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


def pack(entries: dict[str, tuple[bytes, int]], package: Path) -> None:
    """Each entry is what is in a file, and its mode."""
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


def aws(arch: str) -> None:
    if arch not in MACHINES:
        sys.exit(f"ARCH is {' or '.join(MACHINES)}, not {arch!r}")
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
    pack({"bootstrap": (program, 0o755)}, package)
    tell("bootstrap", program, package)


def functions() -> dict[str, tuple[bytes, int]]:
    """What the host reads: its settings, and a folder for each function."""
    ignored = (FUNCTIONS / ".funcignore").read_text().split()
    return {
        name: (path.read_bytes(), 0o644)
        for path in sorted(FUNCTIONS.rglob("*"))
        for name in [path.relative_to(FUNCTIONS).as_posix()]
        if path.is_file() and not any(fnmatch(name, pattern) for pattern in ignored)
    }


def azure(with_features: list[str]) -> None:
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
    pack(functions() | {"handler": (program, 0o755)}, package)
    tell("handler", program, package)
    if glibc > FUNCTIONS_OLDEST_GLIBC:
        print(
            f"note: images of the Functions host with glibc {dotted(FUNCTIONS_OLDEST_GLIBC)} cannot run "
            f"this program, those with {dotted(FUNCTIONS_USUAL_GLIBC)} can, and Microsoft does not say "
            "which one it takes. If the app does not start: pip install cargo-zigbuild, and pack again."
        )


match sys.argv[1:]:
    case ["aws", arch]:
        aws(arch)
    case ["azure", *features]:
        azure(features)
    case _:
        sys.exit(__doc__)
