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
import { availableParallelism, totalmem } from "node:os";
import { basename, dirname, join } from "node:path";
import { Failure } from "../lib/failure";
import { cacheDirectory, findOnPath, isExecutable } from "../lib/paths";
import { root } from "../lib/root";
import { run } from "../lib/run";
import { aptGetInstall } from "./apt-get";
import { builtPath, compilerFlags, type GoTool, linkerFlags, sourceFolder, toolVersion } from "./tools";

/** Gigabytes for building the sandbox's tools on a new machine: Go's caches, and the tools. */
const coldBuildGigabytes = 14;

/** Number of builds that run in parallel. */
export const parallelBuilds = 2;

/** Go's caches while tools are built. They are deleted when all tools are complete. */
const goCaches = join(cacheDirectory, "go");

/** Deletes Go's caches, unless GOCACHE and GOMODCACHE set other locations. */
export async function deleteGoCaches(): Promise<void> {
    // Hundreds of thousands of files: Node's rmSync takes twice the processor time.
    const { exitCode, output } = await run("rm", ["-rf", goCaches]);
    if (exitCode !== 0) {
        throw new Failure(`Go's caches in ${goCaches} cannot be deleted: ${output.trim()}`);
    }
}

const toolsDirectory = join(cacheDirectory, "tools");

/** Deletes what builds left that were killed; none may be running. */
export function deleteLeftovers(): void {
    mkdirSync(toolsDirectory, { recursive: true });
    for (const leftover of readdirSync(toolsDirectory).filter((entry) => entry.endsWith(".new"))) {
        rmSync(join(toolsDirectory, leftover), { recursive: true, force: true });
    }
}

/** Go without the user's settings, except for the locations of its caches. */
function goEnvironment(cgo = false): NodeJS.ProcessEnv {
    return {
        // Garbage collection starts when half of the memory is in use, which saves a quarter of the compiler's time.
        GOGC: "off",
        GOMEMLIMIT: `${Math.round(totalmem() / 2 / parallelBuilds / availableParallelism() / 2 ** 20)}MiB`,
        GOCACHE: join(goCaches, "build"),
        GOMODCACHE: join(goCaches, "modules"),
        ...process.env,
        CGO_ENABLED: cgo ? "1" : "0",
        GOWORK: "off",
        // Modules that can be deleted again.
        GOFLAGS: "-modcacherw",
    };
}

/** Reports whether the program at the path runs and is the pinned release. */
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

/** Reports whether a tool is in the cache. A link to one on PATH counts until the file behind it is replaced. */
export function isBuilt(name: string, tool: GoTool): boolean {
    const path = builtPath(name, tool);
    if (!isExecutable(path)) {
        return false;
    }
    const entry = lstatSync(path);
    return !entry.isSymbolicLink() || statSync(path).ctimeMs <= entry.mtimeMs;
}

/**
 * Takes a tool from PATH if it is exactly the pinned release, and links it into the cache.
 *
 * @returns whether it was
 */
export async function takeFromPath(name: string, tool: GoTool): Promise<boolean> {
    const found = findOnPath(name);
    // A tool that prints no version cannot be verified.
    if (!found || !tool.versionArguments || tool.prints || !(await isPinnedRelease(found, tool))) {
        return false;
    }
    const path = builtPath(name, tool);
    mkdirSync(dirname(path), { recursive: true });
    rmSync(path, { force: true });
    symlinkSync(found, path);
    return true;
}

/** @throws Failure when the disk has too little space for building this share of all tools */
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

/** The error in Go's output, without the progress of downloads. */
function reason(output: string): string {
    const lines = output.split("\n").filter((line) => line.trim() !== "" && !/^go: (downloading|finding) /.test(line));
    const relevant = lines.filter((line) => !line.startsWith("#")).slice(0, 3);
    return relevant.map((line) => line.trim()).join(" | ");
}

function explain(what: string, output: string): Failure {
    if (/no space left on device/i.test(output)) {
        return new Failure(
            `${what}: the disk is full. Make room (all tools together take ${coldBuildGigabytes} GB), and rerun it.`,
        );
    }
    if (/requires go >=/.test(output)) {
        return new Failure(`${what}: ${reason(output)}. Install that Go, or set GOTOOLCHAIN=auto, and rerun it.`);
    }
    if (/SECURITY ERROR|checksum mismatch/.test(output)) {
        return new Failure(
            `${what}: a download does not match go.sum: ${reason(output)}. ` +
                `Delete ${goCaches} and rerun it; if it happens again, a proxy alters downloads.`,
        );
    }
    if (/dial tcp|no such host|timeout|TLS handshake|connection re|: (4|5)\d\d [A-Z]|lookup disabled/.test(output)) {
        return new Failure(
            `${what}: a Go module is unavailable: ${reason(output)}. ` +
                "Check the network and `go env GOPROXY`, and rerun it: compiled packages are kept.",
        );
    }
    return new Failure(`${what}: ${reason(output)}`);
}

/** @throws Failure with the way to install a C compiler, if it is missing and cannot be installed from here */
async function ensureCompiler(name: string): Promise<void> {
    const compilers = [process.env["CC"] ?? "cc", "gcc", "clang"];
    if (!compilers.some((each) => findOnPath(each))) {
        const howToGetIt =
            `${name} has parts in C. Install a compiler (Debian, Ubuntu: \`sudo apt-get install gcc libc6-dev\`; ` +
            "macOS: `xcode-select --install`), and rerun it.";
        await aptGetInstall("a C compiler", howToGetIt, ["gcc", "libc6-dev"]);
    }
}

/** Tools that share compiled packages: from one module, with equal options. */
export type BuildGroup = readonly (readonly [name: string, tool: GoTool])[];

/** Groups of tools that are built together. */
export function buildGroups(tools: BuildGroup): BuildGroup[] {
    const groups = new Map<string, BuildGroup>();
    for (const each of tools) {
        const [, tool] = each;
        const key = JSON.stringify([tool.folder, tool.cgo, compilerFlags(tool)]);
        groups.set(key, [...(groups.get(key) ?? []), each]);
    }
    return [...groups.values()];
}

/** Splits a group into runs of `go build`: two programs with the same name in Go, as Helm 3 and 4, need two. */
export function buildRuns(group: BuildGroup): BuildGroup[] {
    const runs: BuildGroup[] = [];
    for (const each of group) {
        const isTaken = (run: BuildGroup) =>
            run.some(([, other]) => programName(other.package) === programName(each[1].package));
        const index = runs.findIndex((run) => !isTaken(run));
        if (index < 0) {
            runs.push([each]);
        } else {
            runs[index] = [...(runs[index] ?? []), each];
        }
    }
    return runs;
}

/** A group in a sentence. */
export function groupName(group: BuildGroup): string {
    const [[name, tool] = ["", undefined]] = group;
    return group.length === 1 && tool ? `${name} ${toolVersion(tool)}` : group.map(([each]) => each).join(", ");
}

/** The name that Go gives to the program of a package. */
function programName(importPath: string): string {
    return basename(importPath.replace(/\/v\d+$/, ""));
}

/**
 * Builds tools into the cache, each atomically.
 *
 * @param advance called with the number of compiled packages
 * @param signal ends it early
 * @throws Failure with the reason if they cannot be built
 */
export async function build(
    group: BuildGroup,
    advance: (done: number, total: number) => void = () => {},
    signal?: AbortSignal,
) {
    const [[, tool] = []] = group;
    if (tool === undefined) {
        return;
    }
    if (tool.cgo) {
        await ensureCompiler(groupName(group));
    }
    const cannot = `${groupName(group)} cannot be built`;
    const cwd = join(root, "toolchain", tool.folder);
    const env = goEnvironment(tool.cgo !== undefined);
    const packages = group.map(([, each]) => each.package);
    mkdirSync(toolsDirectory, { recursive: true });
    const temporary = join(toolsDirectory, `.${group[0]?.[0]}.${process.pid}.new`);
    const flags = ["-mod=readonly"];
    try {
        const replacements: Record<string, string> = {};
        for (const [name, each] of group) {
            if (each.embeds) {
                const files = each.embeds(await sourcesOf(name, each, env));
                Object.assign(replacements, writeEmbedded(join(temporary, name), each, files));
            }
        }
        if (Object.keys(replacements).length > 0) {
            const overlay = join(temporary, "overlay.json");
            writeFileSync(overlay, JSON.stringify({ Replace: replacements }));
            flags.push("-overlay", overlay);
        }
        const ends = signal && { signal };
        const listed = await run("go", ["list", ...flags, "-deps", ...packages], { cwd, env, ...ends });
        if (listed.exitCode !== 0) {
            throw explain(cannot, listed.output);
        }
        // Go prints the modules that it downloads among the packages.
        const isPackage = (line: string) => /^[\w.~/+-]+$/.test(line);
        const total = listed.output.split("\n").filter(isPackage).length;
        let done = 0;
        flags.push(
            "-v",
            "-trimpath",
            // Without debug tables, which the linker omits anyway; with the same standard library for all, so that it
            // is cached.
            "-gcflags=all=-dwarf=false",
            ...compilerFlags(tool),
            "-gcflags=std=-dwarf=false",
        );
        for (const tools of buildRuns(group)) {
            const linked = tools.map(([, each]) => `-ldflags=${each.package}=${linkerFlags(each)}`);
            const programs = join(temporary, "programs");
            const args = [...flags, ...linked, "-o", `${programs}/`, ...tools.map(([, each]) => each.package)];
            const { exitCode, output } = await run("go", ["build", ...args], {
                cwd,
                env,
                ...ends,
                onOutput: (text) => {
                    done += text.split("\n").filter(isPackage).length;
                    advance(done, total);
                },
            });
            if (exitCode !== 0) {
                throw explain(
                    cannot,
                    output
                        .split("\n")
                        .filter((line) => !isPackage(line))
                        .join("\n"),
                );
            }
            for (const [name, each] of tools) {
                const program = join(programs, programName(each.package));
                if (!(await isPinnedRelease(program, each))) {
                    throw new Failure(
                        `${name} was built but does not run as ${toolVersion(each)}: delete ${goCaches}, and rerun it`,
                    );
                }
                const path = builtPath(name, each);
                mkdirSync(dirname(path), { recursive: true });
                renameSync(program, path);
            }
        }
    } finally {
        rmSync(temporary, { recursive: true, force: true });
    }
}

/**
 * Writes overlay files for a tool's sources.
 *
 * @returns their paths, by the paths that they replace
 */
function writeEmbedded(
    directory: string,
    tool: GoTool,
    files: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
    mkdirSync(directory, { recursive: true });
    return Object.fromEntries(
        Object.entries(files).map(([name, text]) => {
            const path = join(directory, name);
            writeFileSync(path, text);
            return [join(sourceFolder(tool), name), path];
        }),
    );
}

/**
 * The folder of a tool's sources in Go's module cache, for a program that reads files of them.
 *
 * @param env of Go, which names the cache
 * @throws Failure when it is unavailable
 */
export async function sourcesOf(
    name: string,
    tool: GoTool,
    env: NodeJS.ProcessEnv = { ...process.env, GOWORK: "off", GOFLAGS: "" },
): Promise<string> {
    const { exitCode, output } = await run("go", ["mod", "download", "-json", `${tool.module}@${toolVersion(tool)}`], {
        cwd: join(root, "toolchain", tool.folder),
        env,
    });
    if (exitCode !== 0) {
        throw explain(`the sources of ${name} ${toolVersion(tool)} are unavailable`, output);
    }
    return JSON.parse(output).Dir;
}
