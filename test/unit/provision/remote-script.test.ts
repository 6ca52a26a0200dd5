import { execFileSync, spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { shellQuote } from "../../../lib/shell";
import { bytes } from "../../../provision/sizes";

const folder = resolve(__dirname, "../../../provision/scripts");
const scripts = readdirSync(folder).filter((name) => name.endsWith(".sh"));

/** Runs bash like a node: assignments, lib.sh, then the body, all on standard input. */
function run(body: string) {
    const library = readFileSync(join(folder, "lib.sh"), "utf8");
    return spawnSync("bash", ["-s", "look"], {
        input: `node='n1'\n${library}\nmain() {\n${body}\n}\nmain "$@" </dev/null\n`,
        encoding: "utf8",
    });
}

test.each([["it's"], ['$HOME `id` "x" \\'], ["two\nlines"], [""]])("bash reads %j unchanged", (text) => {
    expect(execFileSync("bash", ["-c", `printf %s ${shellQuote(text)}`], { encoding: "utf8" })).toBe(text);
});

test.each(scripts)("%s is valid bash", (name) => {
    expect(spawnSync("bash", ["-n", join(folder, name)], { encoding: "utf8" }).stderr).toBe("");
});

test.each(scripts.filter((name) => !["lib.sh", "claims.sh", "crypttab.sh", "disks.sh", "identity.sh"].includes(name)))(
    "%s runs nothing before it was read to its end",
    (name) => {
        const text = readFileSync(join(folder, name), "utf8");
        expect(text).toMatch(/\nmain "\$@" <\/dev\/null\n$/);
    },
);

test("a script's messages are prefixed with the node's name, and its result is separate", () => {
    const { stdout, stderr } = run('say hello; changed something; result "the result"');
    expect(stderr).toBe("[n1] hello\n[n1] changed: something\n");
    expect(stdout).toBe("the result");
});

test("a script that changed nothing reports that", () => {
    expect(run("true").stderr).toBe("[n1] unchanged\n");
});

test("a change is on the disk before the script ends, also when it fails later", () => {
    const sync = 'sync() { say "sync $*"; }; changed something';
    expect(run(sync).stderr).toBe("[n1] changed: something\n[n1] sync --file-system /etc\n");
    expect(run(`${sync}; die "no sudo"`)).toMatchObject({
        status: 1,
        stderr: "[n1] changed: something\n[n1] no sudo\n[n1] sync --file-system /etc\n",
    });
});

test("a file written by a pipe counts as a change too", () => {
    expect(run('folder=$(mktemp -d); echo one | write_file "$folder/file" 0644; rm -r "$folder"').stderr).not.toContain(
        "unchanged",
    );
});

test("a failing script stops, and reports why", () => {
    const { status, stderr } = run("die 'no sudo: install it'; say 'not reached'");
    expect(status).toBe(1);
    expect(stderr).toBe("[n1] no sudo: install it\n");
    expect(run("false; say 'not reached'")).toMatchObject({ status: 1, stderr: "" });
});

test("a file is written only if its text or mode differs", () => {
    const { stderr, status } = run(`
        folder=$(mktemp -d)
        write_file "$folder/file" 0644 <<<one
        write_file "$folder/file" 0644 <<<one
        write_file "$folder/file" 0600 <<<one
        write_file "$folder/file" 0600 <<<two
        [[ $(<"$folder/file") == two && $(stat -c %a "$folder/file") == 600 ]]
        rm -r "$folder"`);
    expect(status).toBe(0);
    expect(stderr.match(/changed: /g)).toHaveLength(3);
});

test("disks with the same serial number are rejected as indistinguishable", () => {
    // Output of lsblk on a host with two disks in one enclosure, and a third.
    const disks = readFileSync(join(folder, "disks.sh"), "utf8");
    const lsblk = "lsblk() { printf '%s\\n' '/dev/sda 0123' '/dev/sdb 0123' '/dev/sdc W D-7'; }";
    const { stdout } = run(`disks=\n${disks}\n${lsblk}
        result "$(twins_of /dev/sda 0123), $(twins_of /dev/sdc WD-7)."`);
    expect(stdout).toBe("/dev/sdb, .");
});

test.each([
    ["4TB", 4_000_000_000_000],
    ["500GB", 500_000_000_000],
    ["1.5TB", 1_500_000_000_000],
])("%s is %d bytes", (size, expected) => {
    expect(bytes(size)).toBe(expected);
});
