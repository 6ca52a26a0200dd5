import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Home } from "./home";

/** Whom a fault hits: the command that was typed, or the Pulumi that it runs. */
export type Victim = "npm start" | "its Pulumi";

/** How a run is cut short. */
export interface Cut {
    readonly signal: "SIGINT" | "SIGTERM" | "SIGKILL";
    readonly victim: Victim;
    /** Whether the moment has come, by what the run has printed. */
    readonly when: (output: string) => boolean;
}

/** How a run that was cut short ended. */
export interface CutRun {
    readonly output: string;
    /** False when it ended before the moment came. */
    readonly hit: boolean;
    /** Seconds from the signal to the end of `npm start`. */
    readonly seconds: number;
}

/** Runs `npm start` of a home and cuts it short. */
export async function startAndCut(home: Home, { signal, victim, when }: Cut): Promise<CutRun> {
    const child = spawn("npm", ["run", "--silent", "--ignore-scripts", "start"], {
        cwd: home.root,
        env: { ...process.env, npm_config_loglevel: "error" },
        stdio: ["ignore", "pipe", "pipe"],
        detached: true,
    });
    let output = "";
    let cutAt: number | undefined;
    const add = (chunk: Buffer) => {
        output += chunk.toString();
        if (cutAt === undefined && when(output)) {
            cutAt = Date.now();
            const npm = child.pid ?? 0;
            const pids = {
                // npm hands on what it can hear; what kills it has to kill what it runs too.
                "npm start": () => (signal === "SIGKILL" ? -npm : npm),
                "its Pulumi": () => JSON.parse(readFileSync(join(home.root, ".sandbox/pulumi.json"), "utf8")).pid,
            };
            process.kill(pids[victim](), signal);
        }
    };
    child.stdout.on("data", add);
    child.stderr.on("data", add);
    // `exit`, not `close`: the sandbox's own processes may hold the streams open.
    await new Promise((ended, failed) => child.once("exit", ended).once("error", failed));
    return { output, hit: cutAt !== undefined, seconds: (Date.now() - (cutAt ?? Date.now())) / 1_000 };
}

interface Listed {
    readonly kind: string;
    readonly type?: string;
    readonly metadata: { readonly name: string; readonly namespace?: string };
    readonly data?: Readonly<Record<string, string>>;
}

const kinds = [
    ...["namespaces", "priorityclasses", "storageclasses", "customresourcedefinitions", "clusterroles"],
    ...["clusterrolebindings", "validatingwebhookconfigurations", "mutatingwebhookconfigurations"],
    ...["serviceaccounts", "roles", "rolebindings", "services", "secrets", "configmaps", "persistentvolumeclaims"],
    ...["deployments", "statefulsets", "daemonsets", "cronjobs"],
].join(",");

/** The name of every object that somebody declared: what a run made twice would stand here. */
export async function declaredObjects(home: Home): Promise<string[]> {
    const { items } = await home.get<{ items: readonly Listed[] }>(kinds, "--all-namespaces");
    return items
        .filter(({ type }) => type !== "helm.sh/release.v1")
        .map(({ kind, metadata }) => `${kind} ${metadata.namespace ?? ""}/${metadata.name}`)
        .sort();
}

/** Every value of the charts' Secrets, by namespace and key; none while there is no cluster. */
export async function secretValues(home: Home): Promise<Record<string, string>> {
    const { code, output } = await home.kubectl("get", "secrets", "--all-namespaces", "--output=json");
    const items: readonly Listed[] = code === 0 ? JSON.parse(output).items : [];
    return Object.fromEntries(
        items
            .filter(({ metadata }) => metadata.name === `${metadata.namespace}-secrets`)
            .flatMap(({ metadata, data = {} }) =>
                Object.entries(data).map(([key, value]) => [`${metadata.namespace}.${key}`, value]),
            ),
    );
}
