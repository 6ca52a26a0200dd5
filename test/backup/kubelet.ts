import { type ChildProcess, spawn } from "node:child_process";
import {
    createWriteStream,
    existsSync,
    mkdirSync,
    mkdtempSync,
    readFileSync,
    rmSync,
    statSync,
    writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { shellQuote } from "../../lib/shell";
import type { Model } from "../charts/manifest";
import { keyPairs } from "../key-pairs";
import type { ControlPlane } from "./control-plane";

type V1Container = Model<"V1Container">;
type V1ContainerStatus = Model<"V1ContainerStatus">;
type V1Pod = Model<"V1Pod">;

/** Name of the only node. */
const node = "node";

/** A pod that this kubelet runs. */
interface Running {
    readonly pod: V1Pod;
    readonly directory: string;
    readonly statuses: Map<string, V1ContainerStatus>;
    child?: ChildProcess;
    stopping: boolean;
}

/**
 * A minimal kubelet: it runs each container of a pod as a process of this machine, as root in its own mount namespace,
 * with the pod's volumes at their mount paths. Images are ignored: programs are this machine's.
 */
export class Kubelet {
    readonly directory = mkdtempSync(join(tmpdir(), "hearth-kubelet-"));
    readonly #pods = new Map<string, Running>();
    readonly #runs: Promise<void>[] = [];
    #timer: NodeJS.Timeout | undefined;
    #busy = false;
    #server: Server | undefined;

    /**
     * @param programs folders whose programs are found first
     * @param commands what containers without a command run, by image
     */
    constructor(
        private readonly plane: ControlPlane,
        private readonly programs: readonly string[],
        private readonly commands: (image: string) => readonly string[],
    ) {}

    /** Folder used as a claim's volume. */
    claim(namespace: string, name: string): string {
        const path = join(this.directory, "claims", namespace, name);
        mkdirSync(path, { recursive: true, mode: 0o777 });
        return path;
    }

    /** Registers the node, and runs its pods from then on. */
    async start(): Promise<void> {
        // `kubectl logs` goes through the API server to this port.
        this.#server = createServer(keyPairs[0], (request, response) => {
            const [, , namespace = "", pod = "", container = ""] = (request.url ?? "").split("?")[0]?.split("/") ?? [];
            const log = this.#log(namespace, pod, container);
            response.end(existsSync(log) ? readFileSync(log) : "");
        });
        await new Promise<void>((listening) => this.#server?.listen(0, "127.0.0.1", listening));
        const { port: Port } = this.#server.address() as AddressInfo;
        await this.plane.call("POST", "/api/v1/nodes", { metadata: { name: node } });
        await this.plane.call("PATCH", `/api/v1/nodes/${node}/status`, {
            status: {
                addresses: [{ type: "InternalIP", address: "127.0.0.1" }],
                daemonEndpoints: { kubeletEndpoint: { Port } },
                conditions: [{ type: "Ready", status: "True" }],
            },
        });
        this.#timer = setInterval(() => void this.#look(), 300);
    }

    /** Ends every process. */
    async remove(): Promise<void> {
        clearInterval(this.#timer);
        for (const running of this.#pods.values()) {
            running.stopping = true;
            running.child?.kill("SIGKILL");
        }
        await Promise.allSettled(this.#runs);
        this.#server?.closeAllConnections();
        this.#server?.close();
        rmSync(this.directory, { recursive: true, force: true });
    }

    #log(namespace: string, pod: string, container: string): string {
        return join(this.directory, "logs", namespace, pod, `${container}.log`);
    }

    async #look(): Promise<void> {
        if (this.#busy) {
            return;
        }
        this.#busy = true;
        try {
            const { items } = await this.plane.call<{ items: V1Pod[] }>("GET", "/api/v1/pods");
            for (const pod of items) {
                await this.#see(pod).catch(() => undefined); // Another writer was faster; the next poll sees the change.
            }
        } finally {
            this.#busy = false;
        }
    }

    async #see(pod: V1Pod): Promise<void> {
        const { uid = "", name = "", namespace = "", deletionTimestamp } = pod.metadata ?? {};
        const running = this.#pods.get(uid);
        if (deletionTimestamp) {
            if (running && !running.stopping) {
                running.stopping = true;
                running.child?.kill("SIGTERM");
            }
            const child = running?.child;
            if (child === undefined || child.exitCode !== null || child.signalCode !== null) {
                await this.plane.call("DELETE", `/api/v1/namespaces/${namespace}/pods/${name}`, {
                    gracePeriodSeconds: 0,
                });
            }
        } else if (!pod.spec?.nodeName) {
            const target = { apiVersion: "v1", kind: "Node", name: node };
            await this.plane.call("POST", `/api/v1/namespaces/${namespace}/pods/${name}/binding`, {
                metadata: { name },
                target,
            });
        } else if (running === undefined && pod.status?.phase === "Pending") {
            const directory = join(this.directory, "pods", uid);
            const started: Running = { pod, directory, statuses: new Map(), stopping: false };
            this.#pods.set(uid, started);
            this.#runs.push(this.#run(started));
        }
    }

    async #run(running: Running): Promise<void> {
        const { spec } = running.pod;
        for (const container of spec?.initContainers ?? []) {
            while ((await this.#runContainer(running, container)) !== 0) {
                if (running.stopping || spec?.restartPolicy === "Never") {
                    await this.#report(running, "Failed");
                    return;
                }
                await new Promise((resolve) => setTimeout(resolve, 1_000));
            }
        }
        const codes = await Promise.all((spec?.containers ?? []).map((each) => this.#runContainer(running, each)));
        await this.#report(running, codes.every((code) => code === 0) ? "Succeeded" : "Failed");
    }

    /** The folder or file that is mounted for a volume. */
    async #source(running: Running, volumeName: string): Promise<string> {
        const { namespace = "" } = running.pod.metadata ?? {};
        const volume = running.pod.spec?.volumes?.find(({ name }) => name === volumeName);
        if (volume?.persistentVolumeClaim) {
            return this.claim(namespace, volume.persistentVolumeClaim.claimName);
        }
        const path = join(running.directory, "volumes", volumeName);
        if (!existsSync(path)) {
            mkdirSync(path, { recursive: true });
            const files = new Map<string, Buffer>();
            if (volume?.configMap?.name) {
                for (const [key, value] of await this.#data(namespace, "configmaps", volume.configMap.name)) {
                    files.set(key, Buffer.from(value));
                }
            }
            if (volume?.secret?.secretName) {
                for (const [key, value] of await this.#data(namespace, "secrets", volume.secret.secretName)) {
                    files.set(key, Buffer.from(value, "base64"));
                }
            }
            for (const [name, contents] of files) {
                writeFileSync(join(path, name), contents);
            }
        }
        return path;
    }

    async #data(namespace: string, kind: string, name: string): Promise<[string, string][]> {
        const path = `/api/v1/namespaces/${namespace}/${kind}/${name}`;
        const { data } = await this.plane.call<{ data?: Record<string, string> }>("GET", path);
        return Object.entries(data ?? {});
    }

    async #runContainer(running: Running, container: V1Container): Promise<number> {
        const { namespace = "", name = "" } = running.pod.metadata ?? {};
        const top = join(running.directory, container.name);
        const word = join(running.directory, `${container.name}.termination`);
        mkdirSync(top, { recursive: true });
        writeFileSync(word, "");
        const mounts: string[] = [];
        for (const { name: volume, mountPath, subPath, readOnly } of container.volumeMounts ?? []) {
            const source = join(await this.#source(running, volume), subPath ?? "");
            const target = shellQuote(`${top}${mountPath}`);
            const place = statSync(source).isDirectory() ? `mkdir -p ${target}` : `[ -e ${target} ] || touch ${target}`;
            mounts.push(`{ ${place}; } && mount --bind ${shellQuote(source)} ${target}`);
            if (readOnly) {
                mounts.push(`mount -o remount,bind,ro ${target}`);
            }
        }
        const folders = ["bin", "etc", "lib", "lib64", "proc", "root", "sbin", "sys", "usr", "dev", ...this.programs];
        const bind = folders.map((each) => {
            const path = each.startsWith("/") ? each : `/${each}`;
            return `if [ -e ${path} ]; then mkdir -p ${top}${path} && mount --rbind ${path} ${top}${path}; fi`;
        });
        const command = container.command ?? this.commands(container.image ?? "");
        const script = [
            "set -e",
            `mount -t tmpfs tmpfs ${top}`,
            ...bind,
            `mkdir -p ${top}/tmp ${top}/run && chmod 1777 ${top}/tmp`,
            ...mounts,
            `touch ${top}/termination && mount --bind ${word} ${top}/termination`,
            `exec chroot ${top} "$@"`,
        ].join("\n");
        const env = Object.fromEntries(
            (container.env ?? []).flatMap(({ name: key, value }) => (value ? [[key, value]] : [])),
        );
        const log = this.#log(namespace, name, container.name);
        mkdirSync(dirname(log), { recursive: true });
        const out = createWriteStream(log);
        const child = spawn(
            "unshare",
            ["--mount", "--propagation", "private", "sh", "-c", script, "sh", ...command, ...(container.args ?? [])],
            {
                env: {
                    PATH: [...this.programs, "/usr/bin", "/bin", "/usr/sbin", "/sbin"].join(":"),
                    HOME: "/tmp",
                    // backup.sh writes its termination message here: there is no container runtime.
                    RESULT: "/termination",
                    ...env,
                },
                stdio: ["ignore", "pipe", "pipe"],
            },
        );
        running.child = child;
        child.stdout.pipe(out, { end: false });
        child.stderr.pipe(out, { end: false });
        const isMain = running.pod.spec?.containers.some(({ name: each }) => each === container.name);
        running.statuses.set(container.name, {
            ...this.#status(container),
            ready: isMain === true,
            started: true,
            state: { running: { startedAt: new Date() } },
        });
        await this.#report(running, isMain ? "Running" : "Pending");
        const exitCode = await new Promise<number>((resolve) => child.once("close", (code) => resolve(code ?? 137)));
        out.end();
        const message = readFileSync(word, "utf8");
        running.statuses.set(container.name, {
            ...this.#status(container),
            ready: false,
            state: {
                terminated: { exitCode, ...(message ? { message } : {}), reason: exitCode ? "Error" : "Completed" },
            },
        });
        await this.#report(running, isMain ? "Running" : "Pending");
        return exitCode;
    }

    #status({ name, image = "" }: V1Container): Pick<V1ContainerStatus, "name" | "image" | "imageID" | "restartCount"> {
        return { name, image, imageID: "", restartCount: 0 };
    }

    /** Writes the status of a pod; does nothing for a deleted one. */
    async #report({ pod, statuses }: Running, phase: string): Promise<void> {
        const { name = "", namespace = "" } = pod.metadata ?? {};
        const of = (containers: readonly V1Container[] = []) =>
            containers.flatMap(({ name: each }) => statuses.get(each) ?? []);
        const isReady = of(pod.spec?.containers).some(({ ready }) => ready) ? "True" : "False";
        try {
            await this.plane.call("PATCH", `/api/v1/namespaces/${namespace}/pods/${name}/status`, {
                status: {
                    phase,
                    conditions: ["PodScheduled", "Initialized", "ContainersReady", "Ready"].map((type) => ({
                        type,
                        status: type === "PodScheduled" || type === "Initialized" ? "True" : isReady,
                    })),
                    initContainerStatuses: of(pod.spec?.initContainers),
                    containerStatuses: of(pod.spec?.containers),
                },
            });
        } catch {
            // Deleted meanwhile.
        }
    }
}
