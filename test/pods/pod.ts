import { type ChildProcess, spawn } from "node:child_process";
import {
    chmodSync,
    chownSync,
    existsSync,
    lstatSync,
    mkdirSync,
    mkdtempSync,
    openSync,
    readFileSync,
    rmSync,
    writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseQuantity } from "../../lib/quantity";
import { run } from "../../lib/run";
import { tool } from "../../toolchain/tools";
import { configFile, type Manifest, type Model, type Workload } from "../charts/manifest";

type Container = Model<"V1Container">;
type Volume = Model<"V1Volume">;

/** Address of the pod in its own isolated network. */
const address = "10.42.0.9";

/** Capabilities that containerd gives every container, in the order of its default specification. */
const defaultCapabilities = [
    ...["CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP", "SETPCAP"],
    ...["NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE"],
];

/** Milliseconds for a container to get ready on a busy machine. */
const readyWithin = 120_000;

/** An image as `crane config` prints it. */
interface Image {
    readonly rootfs: string;
    readonly config: {
        readonly User?: string;
        readonly Entrypoint?: string[];
        readonly Cmd?: string[];
        readonly Env?: string[];
        readonly WorkingDir?: string;
        readonly Labels?: Readonly<Record<string, string>>;
    };
}

/** Images that were pulled from a registry, unpacked with their file capabilities. */
export class PulledImages {
    readonly #directory = mkdtempSync(join(tmpdir(), "hearth-rootfs-"));
    readonly #pulled = new Map<string, Promise<Image>>();

    /** @param host of the registry, such as localhost:5000 */
    constructor(readonly host: string) {}

    /** @param reference in a pod's form, with the mirrored registry */
    pull(reference: string): Promise<Image> {
        const pulling = this.#pulled.get(reference) ?? this.#pull(reference);
        this.#pulled.set(reference, pulling);
        return pulling;
    }

    async #pull(reference: string): Promise<Image> {
        const mirrored = `${this.host}/${reference.slice(reference.indexOf("/") + 1)}`;
        const directory = mkdtempSync(join(this.#directory, "image-"));
        const [archive, rootfs] = [join(directory, "rootfs.tar"), join(directory, "rootfs")];
        mkdirSync(rootfs);
        const { config } = JSON.parse(await succeed(tool("crane"), "config", mirrored));
        await succeed(tool("crane"), "export", mirrored, archive);
        const xattrs = ["--xattrs", "--xattrs-include=security.capability"];
        await succeed("tar", ...xattrs, "-xpf", archive, "-C", rootfs);
        rmSync(archive);
        return { rootfs, config };
    }

    remove(): void {
        rmSync(this.#directory, { recursive: true });
    }
}

async function succeed(program: string, ...args: string[]): Promise<string> {
    const { exitCode, output } = await run(program, args, { timeout: readyWithin });
    if (exitCode !== 0) {
        throw new Error(`${program} ${args.join(" ")} exited with ${exitCode}: ${output}`);
    }
    return output;
}

/** User and group IDs that an image starts with. */
export function account({ rootfs, config }: Image): { uid: number; gid: number } {
    const [user = "", group] = (config.User ?? "").split(":");
    const lines = (file: string) => {
        const path = join(rootfs, "etc", file);
        return existsSync(path)
            ? readFileSync(path, "utf8")
                  .split("\n")
                  .map((line) => line.split(":"))
            : [];
    };
    const entry = lines("passwd").find(([name, , uid]) => name === user || uid === user);
    const groupEntry = lines("group").find(([name]) => name === group);
    return { uid: Number(entry?.[2] ?? (user || 0)), gid: Number(groupEntry?.[2] ?? group ?? entry?.[3] ?? 0) };
}

/** User and groups of a container: the pod's, else the image's. */
function identity(pod: Model<"V1PodSecurityContext">, container: Container, image: Image) {
    const security = container.securityContext ?? {};
    const own = account(image);
    const asUser = security.runAsUser ?? pod.runAsUser;
    const uid = asUser ?? own.uid;
    const named = asUser === undefined && !/^\d+(:|$)/.test(image.config.User ?? "");
    if ((security.runAsNonRoot ?? pod.runAsNonRoot) && (uid === 0 || named)) {
        throw new Error(`${container.name}: runAsNonRoot, and the image's user is "${image.config.User ?? ""}"`);
    }
    const gid = security.runAsGroup ?? pod.runAsGroup ?? own.gid;
    return { uid, gid, additionalGids: pod.fsGroup === undefined ? [] : [pod.fsGroup] };
}

/** Capabilities of a container, computed like containerd does. */
function capabilities(container: Container): string[] {
    const { add = [], drop = [] } = container.securityContext?.capabilities ?? {};
    const kept = drop.includes("ALL") ? [] : defaultCapabilities.filter((each) => !drop.includes(each));
    return [...new Set([...kept, ...add])].map((each) => `CAP_${each}`);
}

/** A running container: the process that waits for it, and the destination of its output. */
interface Started {
    readonly name: string;
    readonly process: ChildProcess;
    readonly log: string;
}

/**
 * A pod of a rendered workload, as the kubelet and containerd run it: same user, capabilities, mounts and probes, by
 * runc, in a network without any other pod. Volumes are empty folders, as local-path makes them.
 */
export class Pod {
    readonly #directory = mkdtempSync(join(tmpdir(), "hearth-pod-"));
    readonly #id = `hearth-${process.pid}-${Math.random().toString(36).slice(2, 8)}`;
    readonly #started: Started[] = [];
    readonly #volumes = new Map<string, string>();
    readonly #mounted: string[] = [];

    /**
     * @param manifests rendered objects of the chart, including ConfigMaps
     * @param secret value of a Secret's key
     */
    constructor(
        readonly images: PulledImages,
        readonly manifests: readonly Manifest[],
        readonly workload: Workload,
        readonly secret: (name: string, key: string | undefined) => Record<string, string>,
    ) {}

    get #spec() {
        const { spec } = this.workload.template;
        if (!spec) {
            throw new Error(`${this.workload.name} has no pod`);
        }
        return spec;
    }

    /**
     * Runs the pod until its containers are ready, or have succeeded if they are expected to end.
     *
     * @param without containers whose requirements are missing here
     * @throws Error with the container's output
     */
    async start(without: readonly string[] = []): Promise<void> {
        await succeed("ip", "netns", "add", this.#id);
        const within = (...args: string[]) => succeed("ip", "-n", this.#id, ...args);
        await within("link", "set", "lo", "up");
        await within("link", "add", "eth0", "type", "veth", "peer", "name", "nowhere");
        await within("address", "add", `${address}/24`, "dev", "eth0");
        await within("link", "set", "nowhere", "up");
        await within("link", "set", "eth0", "up");
        for (const volume of this.#spec.volumes ?? []) {
            this.#volumes.set(volume.name, this.#makeVolume(volume));
        }
        for (const claim of this.#claims()) {
            this.#volumes.set(claim, this.#makeVolume({ name: claim, emptyDir: {} }));
        }
        const wanted = (each: Container) => !without.includes(each.name);
        for (const container of (this.#spec.initContainers ?? []).filter(wanted)) {
            const started = await this.#run(container);
            if (container.restartPolicy !== "Always") {
                await this.#ended(started);
            }
        }
        const running = await Promise.all(
            this.#spec.containers.filter(wanted).map(async (each) => [each, await this.#run(each)] as const),
        );
        for (const [container, started] of running) {
            await (this.workload.ends ? this.#ended(started) : this.#ready(container, started));
        }
    }

    #claims(): string[] {
        const { kind, name } = this.workload;
        const set = this.manifests.find((each) => each.kind === kind && each.metadata.name === name);
        const templates = (set as { spec?: { volumeClaimTemplates?: { metadata: { name: string } }[] } })?.spec;
        return (templates?.volumeClaimTemplates ?? []).map((each) => each.metadata.name);
    }

    /** Output of a container. */
    output(name: string): string {
        const found = this.#started.find((each) => each.name === name);
        return found ? readFileSync(found.log, "utf8") : "";
    }

    /** Runs a program in a container. */
    exec(name: string, ...command: string[]): Promise<string> {
        return succeed("runc", "exec", `${this.#id}-${name}`, ...command);
    }

    /**
     * Sends the pod a request like another pod.
     *
     * @param path with the port before it: `8080/path`
     * @returns status and body
     */
    async fetch(path: string, ...options: string[]): Promise<string> {
        const quiet = ["--silent", "--show-error", "--max-time", "20", "--write-out", "\\n%{http_code}"];
        const url = `http://${address}:${path}`;
        const output = await succeed("ip", "netns", "exec", this.#id, "curl", ...quiet, ...options, url);
        const lines = output.split("\n");
        return `${lines.pop()} ${lines.join("\n")}`;
    }

    /** Ends the pod's containers as a deletion does, and removes its resources. */
    async stop(): Promise<void> {
        for (const { name, process: runc } of this.#started) {
            if (runc.exitCode === null) {
                await run("runc", ["kill", `${this.#id}-${name}`, "TERM"]);
            }
        }
        for (const { name, process: runc } of this.#started) {
            const ends = new Promise((resolve) => (runc.exitCode === null ? runc.once("exit", resolve) : resolve(0)));
            await Promise.race([ends, delay(10_000, undefined, { ref: false })]);
            await run("runc", ["delete", "--force", `${this.#id}-${name}`]);
        }
        await run("ip", ["netns", "delete", this.#id]);
        for (const mount of this.#mounted) {
            await run("umount", ["--lazy", mount]);
        }
        rmSync(this.#directory, { recursive: true, force: true });
    }

    /** The folder behind a volume, owned as the kubelet leaves it. */
    #makeVolume(volume: Volume): string {
        const { fsGroup } = this.#spec.securityContext ?? {};
        const folder = join(this.#directory, "volumes", volume.name);
        const written = (files: Record<string, string>, mode = 0o644) => {
            mkdirSync(folder, { recursive: true });
            for (const [name, content] of Object.entries(files)) {
                const path = join(folder, name);
                mkdirSync(dirname(path), { recursive: true });
                writeFileSync(path, content);
                chmodSync(path, fsGroup === undefined ? mode : mode | 0o440);
                chownSync(path, 0, fsGroup ?? 0);
            }
            return folder;
        };
        if (volume.hostPath) {
            return volume.hostPath.path;
        }
        if (volume.configMap) {
            const { name = "", items, defaultMode, optional } = volume.configMap;
            const found = this.manifests.find((each) => each.kind === "ConfigMap" && each.metadata.name === name);
            const { data = {} } = (found ?? {}) as { data?: Record<string, string> };
            if (!found && !optional) {
                throw new Error(`no ConfigMap ${name}`);
            }
            const keys = items ?? Object.keys(data).map((key) => ({ key, path: key }));
            return written(
                Object.fromEntries(keys.map(({ key, path }) => [path, configFile(this.manifests, name, key)])),
                defaultMode,
            );
        }
        if (volume.secret) {
            const { secretName = "", items, defaultMode, optional } = volume.secret;
            const data = optional ? {} : this.secret(secretName, undefined);
            const keys = items ?? Object.keys(data).map((key) => ({ key, path: key }));
            const files = optional ? [] : keys.map(({ key, path }) => [path, this.secret(secretName, key)[key] ?? ""]);
            return written(Object.fromEntries(files), defaultMode);
        }
        if (volume.emptyDir || volume.persistentVolumeClaim) {
            mkdirSync(folder, { recursive: true });
            chownSync(folder, 0, fsGroup ?? 0);
            chmodSync(folder, fsGroup === undefined ? 0o777 : 0o2777);
            return folder;
        }
        throw new Error(`the volume ${volume.name} of ${this.workload.name} is of a kind that is not simulated`);
    }

    #environment(container: Container, image: Image): Record<string, string> {
        const all: Record<string, string> = {};
        const expand = (text: string) => text.replace(/\$\(([\w.-]+)\)/g, (whole, name) => all[name] ?? whole);
        for (const each of image.config.Env ?? []) {
            const [name = "", ...value] = each.split("=");
            all[name] = value.join("=");
        }
        const fields: Record<string, string> = {
            "metadata.name": `${this.workload.name}-0`,
            "metadata.namespace": this.workload.namespace,
            "spec.nodeName": "node",
            "status.podIP": address,
            "status.hostIP": "10.20.0.11",
        };
        for (const { name, value, valueFrom } of container.env ?? []) {
            const { secretKeyRef, configMapKeyRef, fieldRef } = valueFrom ?? {};
            if (secretKeyRef) {
                all[name] = this.secret(secretKeyRef.name ?? "", secretKeyRef.key)[secretKeyRef.key] ?? "";
            } else if (configMapKeyRef && !configMapKeyRef.optional) {
                all[name] = configFile(this.manifests, configMapKeyRef.name ?? "", configMapKeyRef.key);
            } else if (fieldRef) {
                all[name] = fields[fieldRef.fieldPath] ?? "";
            } else {
                all[name] = expand(value ?? "");
            }
        }
        return all;
    }

    #mounts(container: Container) {
        const { fsGroup } = this.#spec.securityContext ?? {};
        return (container.volumeMounts ?? []).map(({ name, mountPath, subPath, readOnly }) => {
            const volume = this.#volumes.get(name);
            if (volume === undefined) {
                throw new Error(`${container.name} mounts ${name}, which is not a volume of the pod`);
            }
            const source = subPath ? join(volume, subPath) : volume;
            if (!existsSync(source)) {
                mkdirSync(source, { recursive: true });
                chownSync(source, 0, fsGroup ?? 0);
                chmodSync(source, lstatSync(volume).mode & 0o7777);
            }
            const options = ["rbind", "rprivate", readOnly ? "ro" : "rw"];
            return { destination: mountPath, source, type: "bind", options };
        });
    }

    /** The container's root: the image below a layer of its own. */
    async #root(name: string, image: Image): Promise<string> {
        const folder = join(this.#directory, "roots", name);
        const part = (each: string) => join(folder, each);
        for (const each of ["upper", "work", "merged"]) {
            mkdirSync(part(each), { recursive: true });
        }
        const options = `lowerdir=${image.rootfs},upperdir=${part("upper")},workdir=${part("work")}`;
        await succeed("mount", "-t", "overlay", "overlay", "-o", options, part("merged"));
        this.#mounted.push(part("merged"));
        return part("merged");
    }

    async #run(container: Container): Promise<Started> {
        const image = await this.images.pull(container.image ?? "");
        const environment = this.#environment(container, image);
        const expand = (text: string) => text.replace(/\$\(([\w.-]+)\)/g, (whole, name) => environment[name] ?? whole);
        const { Entrypoint = [], Cmd = [], WorkingDir } = image.config;
        const program = container.command ?? Entrypoint;
        const args = container.args ?? (container.command ? [] : Cmd);
        const security = container.securityContext ?? {};
        const held = capabilities(container);
        const root = await this.#root(container.name, image);
        const bundle = join(this.#directory, "bundles", container.name);
        mkdirSync(bundle, { recursive: true });
        const own = this.#mounts(container);
        const etc = ["hosts", "hostname", "resolv.conf"].map((name) => {
            const source = join(bundle, name);
            const content = { hosts: `127.0.0.1 localhost\n${address} ${this.workload.name}\n`, hostname: "pod\n" };
            writeFileSync(source, content[name as keyof typeof content] ?? "options timeout:1 attempts:1\n");
            return { destination: `/etc/${name}`, source, type: "bind", options: ["rbind", "rprivate", "rw"] };
        });
        const kernel = [
            { destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"] },
            { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "strictatime", "mode=755"] },
            { destination: "/dev/pts", type: "devpts", source: "devpts", options: ["newinstance", "ptmxmode=0666"] },
            { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: ["nosuid", "noexec", "nodev"] },
            { destination: "/dev/shm", type: "tmpfs", source: "shm", options: ["nosuid", "mode=1777", "size=64m"] },
            { destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", "ro"] },
        ].filter(({ destination }) => !own.some((each) => each.destination === destination));
        const memory = container.resources?.limits?.["memory"];
        const namespaces = ["pid", "ipc", "uts", "mount"].map((type) => ({ type }));
        const specification = {
            ociVersion: "1.0.2",
            process: {
                user: identity(this.#spec.securityContext ?? {}, container, image),
                args: [...program, ...args].map(expand),
                env: Object.entries(environment).map(([name, value]) => `${name}=${value}`),
                cwd: container.workingDir ?? (WorkingDir || "/"),
                capabilities: { bounding: held, effective: held, permitted: held },
                noNewPrivileges: security.allowPrivilegeEscalation === false,
            },
            root: { path: root, readonly: security.readOnlyRootFilesystem === true },
            hostname: this.workload.name,
            mounts: [...kernel, ...etc, ...own],
            linux: {
                namespaces: [...namespaces, { type: "network", path: `/run/netns/${this.#id}` }],
                cgroupsPath: `/hearth/${this.#id}-${container.name}`,
                resources: memory ? { memory: { limit: parseQuantity(String(memory)) } } : {},
                // k3s lets containers listen on every port.
                sysctl: { "net.ipv4.ip_unprivileged_port_start": "0" },
                maskedPaths: ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"],
                readonlyPaths: ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
            },
        };
        writeFileSync(join(bundle, "config.json"), JSON.stringify(specification));
        const log = join(bundle, "log");
        const output = openSync(log, "a");
        const runc = spawn("runc", ["run", "--bundle", bundle, `${this.#id}-${container.name}`], {
            stdio: ["ignore", output, output],
        });
        const started = { name: container.name, process: runc, log };
        this.#started.push(started);
        return started;
    }

    /** Waits until a container has ended, and throws unless it succeeded. */
    async #ended({ name, process: runc, log }: Started): Promise<void> {
        const exit = new Promise<number | null>((resolve) =>
            runc.exitCode === null ? runc.once("exit", resolve) : resolve(runc.exitCode),
        );
        const code = await Promise.race([exit, delay(readyWithin, "timeout" as const, { ref: false })]);
        if (code !== 0) {
            const how = code === "timeout" ? "does not end" : `exited with ${code}`;
            throw new Error(`${this.workload.name}/${name} ${how}:\n${readFileSync(log, "utf8").slice(-4000)}`);
        }
    }

    /** Waits until a container's own probe passes. */
    async #ready(container: Container, { name, process: runc, log }: Started): Promise<void> {
        const probe = container.readinessProbe ?? container.startupProbe ?? container.livenessProbe;
        const deadline = Date.now() + readyWithin;
        for (let last = ""; ; await delay(500)) {
            if (runc.exitCode !== null) {
                const output = readFileSync(log, "utf8").slice(-4000);
                throw new Error(`${this.workload.name}/${name} exited with ${runc.exitCode}:\n${output}`);
            }
            if (Date.now() > deadline) {
                const output = readFileSync(log, "utf8").slice(-4000);
                throw new Error(`${this.workload.name}/${name} is not ready: ${last}\n${output}`);
            }
            const outcome = await this.#probe(container, probe);
            if (outcome === undefined) {
                return;
            }
            last = outcome;
        }
    }

    /** @returns the problem, or undefined when the probe passes */
    async #probe(container: Container, probe: Model<"V1Probe"> | undefined): Promise<string | undefined> {
        const port = (wanted: unknown) =>
            typeof wanted === "number" ? wanted : container.ports?.find((each) => each.name === wanted)?.containerPort;
        const within = (...command: string[]) => run("ip", ["netns", "exec", this.#id, ...command]);
        if (probe?.httpGet) {
            const { path = "/", scheme = "HTTP", httpHeaders = [] } = probe.httpGet;
            const url = `${scheme.toLowerCase()}://${address}:${port(probe.httpGet.port)}${path}`;
            const headers = httpHeaders.flatMap(({ name, value }) => ["--header", `${name}: ${value}`]);
            const quiet = ["--silent", "--show-error", "--insecure", "--max-time", "5", "--output", "/dev/null"];
            const { output } = await within("curl", ...quiet, "--write-out", "%{http_code}", ...headers, url);
            return /^[23]\d\d$/.test(output.trim()) ? undefined : `GET ${url}: ${output.trim()}`;
        }
        if (probe?.tcpSocket || !probe) {
            // A container without a probe is ready when it runs; here it has to listen, too.
            const to = `/dev/tcp/${address}/${probe ? port(probe.tcpSocket?.port) : container.ports?.[0]?.containerPort}`;
            const { exitCode, output } = await within("bash", "-c", `exec 3<>${to}`);
            return exitCode === 0 ? undefined : output.trim();
        }
        if (probe.exec) {
            const args = ["exec", `${this.#id}-${container.name}`, ...(probe.exec.command ?? [])];
            const { exitCode, output } = await run("runc", args);
            return exitCode === 0 ? undefined : output.trim();
        }
        return "its probe is of a kind that is not simulated";
    }
}
