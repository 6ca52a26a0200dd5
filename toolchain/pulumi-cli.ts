import {
    copyFileSync,
    existsSync,
    linkSync,
    mkdirSync,
    readFileSync,
    realpathSync,
    renameSync,
    rmSync,
    symlinkSync,
    writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { findOnPath, isExecutable } from "../lib/paths";
import { root } from "../lib/root";
import { run } from "../lib/run";
import { isPinnedRelease } from "./go-build";
import { pulumiDirectory } from "./pulumi-version";
import { builtPath, pulumiTools } from "./tools";

/** Milliseconds for Pulumi's site to answer; the launcher says "Installing" once it did. */
const answerLimit = 20_000;
/** Milliseconds for the whole download. */
const downloadLimit = 600_000;

/** File next to a built CLI with its version; Pulumi's own CLI has no such file. */
const builtMark = join(pulumiDirectory, ".built-by-hearth");

/**
 * Wrapper of the language host. The built one is older than the CLI, which passes the runtime's options of Pulumi.yaml
 * in a message that it does not support: it takes them as arguments. If it compiled TypeScript, it would check all
 * types at every start, for seconds, unless set to transpile only.
 */
const languageHost = `#!/bin/sh
export PULUMI_NODEJS_TRANSPILE_ONLY="\${PULUMI_NODEJS_TRANSPILE_ONLY:-true}"
host="$(dirname "$0")/built-language-nodejs"
if grep -q 'typescript: false' Pulumi.yaml 2> /dev/null; then
    set -- -typescript=false "$@"
fi
nodeargs=$(sed -n 's/^ *nodeargs: //p' Pulumi.yaml 2> /dev/null)
exec "$host" -nodeargs="$nodeargs" "$@"
`;

/** Names of the built programs. The CLI is installed last, so its presence means that all are. */
const installedNames = { "pulumi-language-nodejs": "built-language-nodejs", pulumi: "pulumi" } as const;

function builtFrom(): string {
    return [...Object.entries(pulumiTools).map(([name, tool]) => builtPath(name, tool)), languageHost].join("\n");
}

/** Reports whether `npx pulumi` has its CLI: Pulumi's own, or one built from the present pins. */
export function hasPulumi(): boolean {
    const ready = isExecutable(join(pulumiDirectory, "pulumi"));
    return ready && (!existsSync(builtMark) || readFileSync(builtMark, "utf8") === builtFrom());
}

/**
 * Lets the npm launcher download Pulumi's own CLI, which is preferred.
 *
 * @returns whether it succeeded: without a route to Pulumi's site it fails quickly
 */
export async function downloadPulumi(): Promise<boolean> {
    const unanswered = new AbortController();
    const timer = setTimeout(() => unanswered.abort(), answerLimit);
    const { exitCode } = await run(process.execPath, [join(root, "node_modules/pulumi/run.js"), "version"], {
        timeout: downloadLimit,
        signal: unanswered.signal,
        env: { ...process.env, PULUMI_SKIP_UPDATE_CHECK: "true" },
        onOutput: (text) => {
            if (text.includes("Installing")) {
                clearTimeout(timer);
            }
        },
    });
    clearTimeout(timer);
    return exitCode === 0 && hasPulumi();
}

/**
 * Takes Pulumi's own CLI from PATH, with the language host next to it, if it is exactly the pinned release.
 *
 * @returns whether it was
 */
export async function takePulumiFromPath(): Promise<boolean> {
    const found = findOnPath("pulumi");
    const language = found && join(dirname(realpathSync(found)), "pulumi-language-nodejs");
    if (!found || !language || !isExecutable(language) || !(await isPinnedRelease(found, pulumiTools.pulumi))) {
        return false;
    }
    mkdirSync(pulumiDirectory, { recursive: true });
    for (const [name, target] of [
        ["pulumi-language-nodejs", language],
        ["pulumi", realpathSync(found)],
    ] as const) {
        rmSync(join(pulumiDirectory, name), { force: true });
        symlinkSync(target, join(pulumiDirectory, name));
    }
    return true;
}

/** Installs the built CLI and language host in the npm launcher's folder. */
export function installBuiltPulumi(): void {
    mkdirSync(pulumiDirectory, { recursive: true });
    writeFileSync(builtMark, "");
    const place = (name: string, write: (path: string) => void) => {
        const temporary = join(pulumiDirectory, `.${name}.${process.pid}.new`);
        rmSync(temporary, { force: true });
        write(temporary);
        renameSync(temporary, join(pulumiDirectory, name));
    };
    place("pulumi-language-nodejs", (path) => writeFileSync(path, languageHost, { mode: 0o755 }));
    for (const name of ["pulumi-language-nodejs", "pulumi"] as const) {
        const built = builtPath(name, pulumiTools[name]);
        place(installedNames[name], (path) => {
            try {
                linkSync(built, path);
            } catch {
                copyFileSync(built, path);
            }
        });
    }
    writeFileSync(builtMark, builtFrom());
}
