import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Home } from "./home";

/** Target of a fault: the command itself, or the Pulumi that it runs. */
export type Victim = "npm start" | "its Pulumi";

/** Kind of interruption. */
export interface Cut {
    readonly signal: "SIGINT" | "SIGTERM" | "SIGKILL";
    readonly victim: Victim;
    /** Reports whether the moment has come, by the run's output. */
    readonly when: (output: string) => boolean;
}

/** End of an interrupted run. */
export interface DisturbedRun {
    readonly code: number | null;
    readonly output: string;
    /** Seconds from that moment to the end of `npm start`. */
    readonly seconds: number;
}

/**
 * Runs `npm start` of a home, and acts at a moment of it.
 *
 * @param when whether the moment has come, by the run's output
 * @param act gets the number of npm's process, which leads a process group of its own; is waited for
 * @throws Error with what it printed, when it ended before the moment came
 */
export async function startAndDisturb(
    home: Home,
    when: (output: string) => boolean,
    act: (npm: number) => unknown,
): Promise<DisturbedRun> {
    const child = spawn("npm", ["run", "--silent", "--ignore-scripts", "start"], {
        cwd: home.root,
        env: { ...process.env, npm_config_loglevel: "error" },
        stdio: ["ignore", "pipe", "pipe"],
        detached: true,
    });
    let output = "";
    let hitAt: number | undefined;
    let acted: Promise<unknown> | undefined;
    const add = (chunk: Buffer) => {
        output += chunk.toString();
        if (hitAt === undefined && when(output)) {
            hitAt = Date.now();
            acted = (async () => act(child.pid ?? 0))();
            acted.catch(() => undefined); // until it is awaited below
        }
    };
    child.stdout.on("data", add);
    child.stderr.on("data", add);
    // `exit`, not `close`: the sandbox's own processes may hold the streams open.
    const code = await new Promise<number | null>((ended, failed) => child.once("exit", ended).once("error", failed));
    await acted;
    if (hitAt === undefined) {
        throw new Error(`npm start exited with ${code} before the moment came:\n${output}`);
    }
    return { code, output, seconds: (Date.now() - hitAt) / 1_000 };
}

/** Runs `npm start` of a home and cuts it short. @throws as {@link startAndDisturb} */
export async function startAndCut(home: Home, { signal, victim, when }: Cut): Promise<DisturbedRun> {
    const pids = {
        // npm forwards signals that it can handle; SIGKILL has to hit its children too.
        "npm start": (npm: number) => (signal === "SIGKILL" ? -npm : npm),
        "its Pulumi": () => JSON.parse(readFileSync(join(home.root, ".sandbox/pulumi.json"), "utf8")).pid,
    };
    return startAndDisturb(home, when, (npm) => process.kill(pids[victim](npm), signal));
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

/** The name of every declared object, to detect duplicates. */
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
