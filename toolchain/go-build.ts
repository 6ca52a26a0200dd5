import {
    lstatSync,
    mkdirSync,
    readdirSync,
    renameSync,
    rmSync,
    statfsSync,
    statSync,
    symlinkSync,
    writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { Failure } from "../lib/failure";
import { cacheDirectory, findOnPath, isExecutable } from "../lib/paths";
import { root } from "../lib/root";
import { run } from "../lib/run";
import { aptGetInstall } from "./apt-get";
import { builtPath, compilerFlags, type GoTool, linkerFlags, toolVersion } from "./tools";

/**
 * What a cold build of everything takes, in gigabytes: 9 in Go's build cache, 4 in its module cache, 1 for the tools.
 * `go clean -cache -modcache` gives back all but the last.
 */
const coldBuildGigabytes = 14;

/** Whether the program at the path runs and is the pinned release. */
export async function isPinnedRelease(path: string, tool: GoTool): Promise<boolean> {
    if (!tool.versionArguments) {
        return true;
    }
    try {
        const { exitCode, output } = await run(path, tool.versionArguments, { timeout: 20_000 });
        if (tool.prints) {
            return exitCode === 0 && output.includes(tool.prints);
        }
        const release = toolVersion(tool).slice(1).replaceAll(".", "\\.");
        return exitCode === 0 && new RegExp(`(^|[^0-9.])${release}($|[^0-9.-])`).test(output);
    } catch (error) {
        if (error instanceof Failure) {
            throw error;
        }
        return false;
    }
}

/** Whether a tool is in the cache. A link to one on PATH counts until the file behind it is replaced. */
export function isBuilt(name: string, tool: GoTool): boolean {
    const path = builtPath(name, tool);
    if (!isExecutable(path)) {
        return false;
    }
    const entry = lstatSync(path);
    return !entry.isSymbolicLink() || statSync(path).ctimeMs <= entry.mtimeMs;
}

/**
 * Takes a tool from PATH if it is exactly the pinned release there. The answer is remembered as a link in the cache.
 *
 * @returns whether it was
 */
export async function takeFromPath(name: string, tool: GoTool): Promise<boolean> {
    const found = findOnPath(name);
    // What does not tell its version cannot be known to be the right one.
    if (!found || !tool.versionArguments || tool.prints || !(await isPinnedRelease(found, tool))) {
        return false;
    }
    const path = builtPath(name, tool);
    mkdirSync(dirname(path), { recursive: true });
    rmSync(path, { force: true });
    symlinkSync(found, path);
    return true;
}

/** @throws Failure when the disk has too little room for building this share of all tools */
export function checkDisk(share: number): void {
    mkdirSync(cacheDirectory, { recursive: true });
    const { bavail, bsize } = statfsSync(cacheDirectory);
    const free = (bavail * bsize) / 1e9;
    const needed = Math.max(1, coldBuildGigabytes * share);
    if (free < needed) {
        throw new Failure(
            `building the tools needs about ${needed.toFixed(1)} GB, mostly for Go's caches, and the disk of ${cacheDirectory} has ` +
                `${free.toFixed(1)} GB free. Make room, or set XDG_CACHE_HOME and GOCACHE to a disk that has it.`,
        );
    }
}

/** The lines of Go's output that say why, without the progress of downloads. */
function reason(output: string): string {
    const lines = output.split("\n").filter((line) => line.trim() !== "" && !/^go: (downloading|finding) /.test(line));
    const relevant = lines.filter((line) => !line.startsWith("#")).slice(0, 3);
    return relevant.map((line) => line.trim()).join(" | ");
}

function explain(name: string, tool: GoTool, output: string): Failure {
    const what = `${name} ${toolVersion(tool)} cannot be built`;
    if (/no space left on device/i.test(output)) {
        return new Failure(
            `${what}: the disk is full. Make room (all tools together take ${coldBuildGigabytes} GB), and run it again.`,
        );
    }
    if (/requires go >=/.test(output)) {
        return new Failure(`${what}: ${reason(output)}. Install that Go, or set GOTOOLCHAIN=auto, and run it again.`);
    }
    if (/SECURITY ERROR|checksum mismatch/.test(output)) {
        return new Failure(
            `${what}: what was downloaded is not what go.sum pins: ${reason(output)}. ` +
                "Try `go clean -modcache` once; if it stays so, something on the way alters downloads.",
        );
    }
    if (/dial tcp|no such host|timeout|TLS handshake|connection re|: (4|5)\d\d [A-Z]|lookup disabled/.test(output)) {
        return new Failure(
            `${what}: the Go module ${tool.module} cannot be had: ${reason(output)}. ` +
                "Check the network and `go env GOPROXY`, and run it again: what is built is kept.",
        );
    }
    return new Failure(`${what}: ${reason(output)}`);
}

/** @throws Failure that says how to get a C compiler, where there is none and it cannot be installed from here */
async function ensureCompiler(name: string): Promise<void> {
    const compilers = [process.env["CC"] ?? "cc", "gcc", "clang"];
    if (!compilers.some((each) => findOnPath(each))) {
        const howToGetIt =
            `${name} has parts in C. Install a compiler (Debian, Ubuntu: \`sudo apt-get install gcc libc6-dev\`; ` +
            "macOS: `xcode-select --install`), and run it again.";
        await aptGetInstall("a C compiler", howToGetIt, ["gcc", "libc6-dev"]);
    }
}

/**
 * Builds a tool into the cache. It appears there whole or not at all.
 *
 * @throws Failure that says why it cannot be built
 */
export async function build(name: string, tool: GoTool): Promise<void> {
    const path = builtPath(name, tool);
    const directory = dirname(path);
    mkdirSync(directory, { recursive: true });
    if (tool.cgo) {
        await ensureCompiler(name);
    }
    const temporary = join(directory, `.${basename(path)}.${process.pid}.new`);
    for (const leftover of readdirSync(directory).filter((entry) => entry.endsWith(".new"))) {
        rmSync(join(directory, leftover), { force: true });
    }
    const embedded = join(directory, ".embedded");
    try {
        const flags = ["-mod=readonly", "-trimpath", ...compilerFlags(tool), "-ldflags", linkerFlags(tool)];
        if (tool.embeds) {
            flags.push("-overlay", writeOverlay(embedded, tool.folder, tool.embeds(await sourcesOf(name, tool))));
        }
        const { exitCode, output } = await run("go", ["build", ...flags, "-o", temporary, tool.package], {
            cwd: join(root, "toolchain", tool.folder),
            // Go's view of nothing but the tool's own module.
            env: { ...process.env, CGO_ENABLED: tool.cgo ? "1" : "0", GOWORK: "off", GOFLAGS: "" },
        });
        if (exitCode !== 0) {
            throw explain(name, tool, output);
        }
        if (!(await isPinnedRelease(temporary, tool))) {
            throw new Failure(
                `${name} was built but does not run as ${toolVersion(tool)}: run \`go clean -cache\` and then this again`,
            );
        }
        rmSync(path, { force: true });
        renameSync(temporary, path);
    } finally {
        rmSync(temporary, { force: true });
        rmSync(embedded, { recursive: true, force: true });
    }
}

/**
 * Writes files that Go takes for files of a tool's folder.
 *
 * @returns the path of what tells Go so
 */
function writeOverlay(directory: string, folder: string, files: Readonly<Record<string, string>>): string {
    mkdirSync(directory, { recursive: true });
    const replacements = Object.entries(files).map(([name, text]) => {
        const path = join(directory, name);
        writeFileSync(path, text);
        return [join(root, "toolchain", folder, name), path];
    });
    const overlay = join(directory, "overlay.json");
    writeFileSync(overlay, JSON.stringify({ Replace: Object.fromEntries(replacements) }));
    return overlay;
}

/**
 * The folder of a tool's sources in Go's module cache, for a program that reads files of them.
 *
 * @throws Failure when it cannot be had
 */
export async function sourcesOf(name: string, tool: GoTool): Promise<string> {
    const { exitCode, output } = await run("go", ["mod", "download", "-json", `${tool.module}@${toolVersion(tool)}`], {
        cwd: join(root, "toolchain", tool.folder),
        env: { ...process.env, GOWORK: "off", GOFLAGS: "" },
    });
    if (exitCode !== 0) {
        throw explain(name, tool, output);
    }
    return JSON.parse(output).Dir;
}
