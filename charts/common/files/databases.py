"""SQLite databases in a volume: copies those that programs write to, and checks restored ones. Checks snapshots of etcd, too.

    databases.py copy    copies each database under $ROOT/files to $ROOT/databases, and lists what the file copy leaves out
    databases.py check   checks the copy that was restored beside $VOLUME

A database is known by its header. SQLite's backup API copies it at a commit, whatever is written meanwhile
(https://www.sqlite.org/backup.html). Runs in the image python, with the standard library alone.
"""

import hashlib
import json
import os
import re
import shutil
import sqlite3
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

HEADER = b"SQLite format 3\x00"
# In the first page of bbolt, etcd's own database.
BBOLT_MAGIC = bytes.fromhex("edda0ced")
# Files that belong to a database at a moment of its life.
COMPANIONS = ("-wal", "-shm", "-journal")
# Names in the top folder of a volume that are not the service's.
OWN = {".hearth-volume", ".hearth-restore", "lost+found"}
# Exit codes, as in backup.sh.
INCOMPLETE, CHECK = 17, 20


def fail(reason: str, code: int, message: str) -> None:
    report({"ok": False, "reason": reason, "message": message})
    sys.exit(code)


def report(result: dict[str, object]) -> None:
    """Prints a result as JSON, which is the container's termination message too."""
    action = "drill" if os.environ.get("DRILL") else os.environ.get("ACTION", "restore")
    if sys.argv[1] == "copy":
        action = "backup"
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    line = json.dumps({"hearth": action, "time": now, "claim": os.environ["CLAIM"], **result}, separators=(",", ":"))
    print(line, flush=True)
    try:
        Path(os.environ.get("RESULT", "/dev/termination-log")).write_text(line[:4000])
    except OSError:
        pass  # Without a container runtime, the line is all.


def files(top: Path) -> Iterator[Path]:
    """Regular files under a folder."""
    for folder, folders, names in os.walk(top):
        if folder == str(top):
            folders[:] = [each for each in folders if each not in OWN]
        for name in names:
            path = Path(folder, name)
            try:
                if stat.S_ISREG(path.lstat().st_mode):
                    yield path
            except FileNotFoundError:
                pass  # Deleted meanwhile.


def is_database(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(HEADER)) == HEADER
    except FileNotFoundError:
        return False


def opened(path: Path, options: str) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path))}?{options}", uri=True, timeout=60)


def copy_database(source: Path, target: Path) -> None:
    # A program that holds its database locked for good would be waited for without end.
    deadline = time.monotonic() + float(os.environ.get("LOCK_TIMEOUT", "600"))

    def progress(status: int, remaining: int, total: int) -> None:
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) and time.monotonic() > deadline:
            raise TimeoutError

    target.unlink(missing_ok=True)
    # Readable and writable: a reader of a database in WAL mode writes to its shared memory.
    with closing(opened(source, "mode=rw")) as live, closing(sqlite3.connect(target)) as copy:
        copy.execute("PRAGMA synchronous = OFF")
        live.backup(copy, progress=progress)


def keep_owner(source: Path, target: Path) -> None:
    shutil.copystat(source, target)
    if os.geteuid() == 0:
        facts = source.stat()
        os.chown(target, facts.st_uid, facts.st_gid)


def copy() -> None:
    root = Path(os.environ.get("ROOT", "/copy"))
    top, target = root / "files", root / "databases"
    excluded = []
    parents = set()
    for path in [each for each in files(top) if is_database(each)]:
        relative = path.relative_to(top)
        copied = target / relative
        copied.parent.mkdir(parents=True, exist_ok=True)
        parents.update(each for each in relative.parents if each != Path("."))
        try:
            copy_database(path, copied)
            keep_owner(path, copied)
        except TimeoutError:
            fail("incomplete", INCOMPLETE, f"{relative} is held locked by its program, so there is no new copy")
        except (sqlite3.Error, FileNotFoundError) as error:
            copied.unlink(missing_ok=True)
            if not path.exists():
                continue
            if isinstance(error, sqlite3.DatabaseError) and "not a database" in str(error):
                print(f"{relative} has SQLite's header and is no database: copied as a file", flush=True)
                continue
            fail("incomplete", INCOMPLETE, f"{relative} cannot be copied ({error}), so there is no new copy")
        for name in ("", *COMPANIONS):
            pattern = re.sub(r"([\\*?\[\]$])", r"\\\1", f"{top}/{relative}{name}").replace("\\$", "$$")
            excluded.append(f"{pattern}\n")
        print(f"copied the database {relative}: {copied.stat().st_size} bytes", flush=True)
    for each in sorted(parents, reverse=True):
        keep_owner(top / each, target / each)
    Path(os.environ.get("COPIED", "/copied"), "exclude").write_text("".join(excluded))


def mistakes_in(path: Path) -> list[str]:
    """Findings of SQLite's own check in a database that nothing writes to."""
    with closing(opened(path, "immutable=1")) as database:
        for pragma in ("integrity_check", "quick_check"):
            try:
                rows = [row[0] for row in database.execute(f"PRAGMA {pragma}(3)")]
                return [] if rows == ["ok"] else rows
            except sqlite3.OperationalError as error:
                # A collation or module that the service brings along is needed for the order of an index.
                if not re.match("no such (collation|module|tokenizer|function)", str(error)):
                    return [str(error)]
            except sqlite3.DatabaseError as error:
                return [str(error)]
    print(f"{path.name} needs what its service brings along to be checked in full", flush=True)
    return []


def is_snapshot(path: Path) -> bool:
    """etcd appends a checksum to a snapshot, which it tells from a plain database by the size: etcdutl/snapshot."""
    with path.open("rb") as file:
        return file.read(20)[16:] == BBOLT_MAGIC and path.stat().st_size % 512 == hashlib.sha256().digest_size


def has_checksum(path: Path) -> bool:
    digest = hashlib.sha256()
    left = path.stat().st_size - digest.digest_size
    with path.open("rb") as file:
        while left > 0 and (read := file.read(min(left, 1 << 20))):
            digest.update(read)
            left -= len(read)
        return file.read() == digest.digest()


def check() -> None:
    state = Path(os.environ["VOLUME"], ".hearth-restore")
    restored = state / "new"
    if os.environ.get("ACTION", "restore") not in ("restore", "copy") or (state / "swapping").exists():
        return
    if not (state / "complete").exists():
        fail("check", CHECK, "there is no whole copy to check")
    facts = json.loads((state / "facts").read_text())
    started = float((state / "since").read_text())
    missing = [each for each in os.environ.get("EXPECT", "").splitlines() if not any(restored.glob(each))]
    databases = [each for each in files(restored) if is_database(each)]
    broken = {each: mistakes_in(each) for each in databases}
    findings = [f"{each} is missing" for each in missing]
    findings += [f"{path.relative_to(restored)}: {found[0]}" for path, found in broken.items() if found]
    snapshots = [each for each in files(restored) if is_snapshot(each)]
    findings += [f"{each.relative_to(restored)} differs from its checksum" for each in snapshots if not has_checksum(each)]
    seconds = round(time.time() - started)
    count = sum(1 for _ in files(restored))
    if os.environ.get("DRILL"):
        # The scratch volume stays as long as the pod.
        shutil.rmtree(state)
    result = {"copies": {os.environ.get("TARGET", "main"): facts["copy"]}, **facts, "seconds": seconds}
    del result["copy"]
    if findings:
        sentence = f"the copy {facts['copy']} of {facts['copied']} is not whole: {'; '.join(findings[:3])}"
        report({"ok": False, "reason": "check", **result, "message": sentence})
        sys.exit(CHECK)
    sentence = f"restored {count} files; SQLite finds no fault in {len(databases)} databases"
    if snapshots:
        sentence = f"restored {count} files; snapshots of etcd that match their checksum: {len(snapshots)}"
    report({"ok": True, **result, "message": sentence})


{"copy": copy, "check": check}[sys.argv[1]]()
