import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { constants, gunzipSync } from "node:zlib";
import type { Home } from "./home";

/** A secret value that must not be found, with its name for the message. */
export interface Canary {
    readonly name: string;
    readonly value: string;
}

/** A secret that was found where it must not be: never the value itself. */
export interface Leak {
    readonly place: string;
    readonly canary: string;
}

const maxBuffer = 512 * 1024 * 1024;

/** The encodings in which a value could occur. */
function forms({ value }: Canary): string[] {
    const base64 = Buffer.from(value).toString("base64");
    return [value, base64, base64.replace(/=+$/, ""), encodeURIComponent(value), JSON.stringify(value).slice(1, -1)];
}

/** The canaries in a string. */
export function search(place: string, text: Buffer, canaries: readonly Canary[]): Leak[] {
    return canaries
        .filter((canary) => forms(canary).some((form) => text.includes(form)))
        .map(({ name }) => ({ place, canary: name }));
}

/** Plain, and decompressed if it is compressed. */
function unpacked(content: Buffer): Buffer {
    const packed = content[0] === 0x1f && content[1] === 0x8b;
    // redis-cli ends its output with a line feed, and a file may be read while it is written.
    return packed ? Buffer.concat([content, gunzipSync(content, { finishFlush: constants.Z_SYNC_FLUSH })]) : content;
}

function filesIn(directory: string): [string, Buffer][] {
    if (!existsSync(directory)) {
        return [];
    }
    return readdirSync(directory, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => {
            const path = join(entry.parentPath, entry.name);
            return [path, unpacked(readFileSync(path))];
        });
}

/** `redis-cli` at the home's Redis. */
export function redisCli(home: Home): (...args: string[]) => Buffer {
    const command = runningProcesses().find(({ text }) => text.includes(join(home.root, ".sandbox/bin/argocd-redis")));
    const port = /:(\d+)/.exec(command?.text ?? "")?.[1];
    if (port === undefined) {
        throw new Error("the home's Redis does not run");
    }
    const auth = ["get", "secret", "argocd-redis", "--namespace", "argocd", "--output", "jsonpath={.data.auth}"];
    const password = Buffer.from(execFileSync(...home.kubectlCommand(...auth)).toString(), "base64").toString();
    const env = { ...process.env, REDISCLI_AUTH: password };
    return (...args) => execFileSync("redis-cli", ["-p", port, "--raw", ...args], { env, maxBuffer });
}

function redis(home: Home): [string, Buffer][] {
    const cli = redisCli(home);
    const keys = cli("KEYS", "*").toString().trim().split("\n").filter(Boolean);
    return keys.map((key) => [`Redis ${key}`, Buffer.concat([Buffer.from(key), unpacked(cli("GET", key))])]);
}

function objects(home: Home, kind: string): [string, Buffer][] {
    const list = [...["get", kind, "--all-namespaces"], ...["--output", "json", "--show-managed-fields"]];
    return [[kind, execFileSync(...home.kubectlCommand(...list), { maxBuffer })]];
}

/** Helm stores a release, with values and manifests, compressed in a Secret. */
function helmReleases(home: Home): [string, Buffer][] {
    const list = [
        "get",
        "secrets",
        "--all-namespaces",
        "--field-selector",
        "type=helm.sh/release.v1",
        "--output",
        "json",
    ];
    const { items } = JSON.parse(execFileSync(...home.kubectlCommand(...list), { maxBuffer }).toString());
    return items.map(({ metadata, data }: { metadata: { name: string }; data: { release: string } }) => {
        const release = Buffer.from(Buffer.from(data.release, "base64").toString(), "base64");
        return [metadata.name, unpacked(release)];
    });
}

/** A process, with its arguments and its environment. */
interface RunningProcess {
    readonly pid: string;
    readonly text: string;
}

/** Every readable process of the machine. */
export function runningProcesses(): RunningProcess[] {
    return readdirSync("/proc")
        .filter((pid) => /^\d+$/.test(pid))
        .flatMap((pid) => {
            try {
                const [command, environment] = ["cmdline", "environ"].map((file) =>
                    readFileSync(join("/proc", pid, file), "utf8").replaceAll("\0", " "),
                );
                return [{ pid, text: `${command}\n${environment}` }];
            } catch {
                return []; // It ended.
            }
        });
}

/** Places where a secret could be left, each with its current content. */
export const places: Readonly<Record<string, (home: Home) => [string, Buffer][]>> = {
    "Pulumi's state": (home) => filesIn(join(home.root, ".state")),
    "the repository": (home) => [
        [
            "git log",
            execFileSync("git", ["-C", home.root, "log", "--all", "--patch", "--text", "--format=full"], { maxBuffer }),
        ],
        ...filesIn(join(home.root, ".sandbox/git")),
    ],
    "Argo CD's Redis": redis,
    "Argo CD's folders": (home) => filesIn(join(home.root, ".sandbox/argocd")),
    Applications: (home) => objects(home, "applications.argoproj.io"),
    Events: (home) => objects(home, "events"),
    ConfigMaps: (home) => objects(home, "configmaps"),
    Pods: (home) => objects(home, "pods"),
    "Helm's releases": helmReleases,
    logs: (home) => [
        ...filesIn(join(home.root, ".sandbox/logs")),
        ...filesIn(join(home.root, ".sandbox/kwok/clusters/hearth/logs")),
    ],
    processes: () =>
        runningProcesses().map(({ pid, text }) => [`process ${pid}: ${text.split("\n", 1)[0]}`, Buffer.from(text)]),
};

/** Every canary that is found anywhere. */
export function findLeaks(home: Home, canaries: readonly Canary[]): Leak[] {
    return Object.entries(places).flatMap(([kind, look]) =>
        look(home).flatMap(([name, content]) => search(`${kind}: ${name}`, content, canaries)),
    );
}

/**
 * Polls the arguments and the environment of every process until the returned function is called, which returns the
 * findings. Pulumi's program itself is excluded: its language host passes it the config in its environment.
 */
export function watchProcesses(): (canaries: readonly Canary[]) => Leak[] {
    const seen = new Map<string, string>();
    const look = () => {
        for (const { pid, text } of runningProcesses()) {
            if (!text.includes("@pulumi/pulumi/cmd/run")) {
                seen.set(`${pid} ${text}`, text);
            }
        }
    };
    const timer = setInterval(look, 100);
    return (canaries) => {
        clearInterval(timer);
        return [...seen.values()].flatMap((text) =>
            search(`processes: ${text.split("\n", 1)[0]}`, Buffer.from(text), canaries),
        );
    };
}
