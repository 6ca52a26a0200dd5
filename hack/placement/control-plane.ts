import { type ChildProcess, spawn } from "node:child_process";
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { stringify } from "yaml";
import { Failure } from "../../lib/failure";
import { freePort } from "../../lib/ports";
import { throwIfInterrupted } from "../../lib/run";
import { tool } from "../../toolchain/tools";

/** Milliseconds for the control plane to answer, on a machine that may be busy. */
const startLimit = 120_000;

/** Requests to the API server in parallel. */
const parallel = 24;

/**
 * Admission plugins that wait for controllers, or reject objects of kubelets. Objects here were admitted by the home
 * already.
 */
const withoutPlugins = [
    ...["DefaultStorageClass", "DefaultTolerationSeconds", "LimitRanger", "NamespaceLifecycle", "PodSecurity"],
    ...["Priority", "ResourceQuota", "RuntimeClass", "ServiceAccount", "StorageObjectInUseProtection"],
    "TaintNodesByCondition",
];

/**
 * Shell script that runs a program until its file descriptor 3 is closed, which happens however this process ends. The
 * program's data is deleted with it, so it needs no graceful shutdown.
 */
const untilClosed = '{ read -r _; kill -KILL $$; } <&3 >/dev/null 2>&1 & exec "$0" "$@" 3<&-';

/** Answer of the API server other than success. */
export class ApiError extends Error {
    constructor(
        message: string,
        readonly status: number,
    ) {
        super(message);
    }
}

/** etcd, API server and scheduler in a temporary folder, for one question. Nothing outside it is read or written. */
export class ControlPlane {
    readonly #directory = mkdtempSync(join(tmpdir(), "hearth-what-if-"));
    readonly #processes: ChildProcess[] = [];
    readonly #token = randomUUID();
    #agent = new Agent();
    #port = 0;

    /** Path of a kubeconfig for it. */
    readonly kubeconfig = join(this.#directory, "kubeconfig");

    private constructor() {}

    /**
     * Calls `use` with a control plane that exists for that long.
     *
     * @throws Failure when a program of it does not start
     */
    static async with<T>(use: (plane: ControlPlane) => Promise<T>): Promise<T> {
        const plane = new ControlPlane();
        try {
            await plane.#start();
            return await use(plane);
        } finally {
            await plane.#remove();
        }
    }

    /** Path of a file in its folder. */
    file(name: string, contents?: string): string {
        const path = join(this.#directory, name);
        if (contents !== undefined) {
            writeFileSync(path, contents, { mode: 0o600 });
        }
        return path;
    }

    /** Starts a program that ends with this process, and keeps its output for an error message. */
    start(program: string, args: readonly string[]): void {
        const stdio = ["ignore", "pipe", "pipe", "pipe"] as const;
        const child = spawn("sh", ["-c", untilClosed, program, ...args], { stdio: [...stdio], cwd: this.#directory });
        let output = "";
        for (const stream of [child.stdout, child.stderr]) {
            stream?.on("data", (chunk: Buffer) => {
                output = `${output}${chunk}`.slice(-2_000);
            });
        }
        child.on("error", (error) => {
            output = error.message;
        });
        child.on("exit", () => {
            this.#ended ??= `${program.split("/").at(-1)} ended: ${output.trim().split("\n").at(-1)}`;
        });
        this.#processes.push(child);
    }

    #ended: string | undefined;

    async #start(): Promise<void> {
        this.#port = await freePort();
        const server = `https://127.0.0.1:${this.#port}`;
        const certificate = this.file("apiserver.crt");
        const key = this.file(
            "service-account.pem",
            generateKeyPairSync("rsa", { modulusLength: 2048 })
                .privateKey.export({ type: "pkcs1", format: "pem" })
                .toString(),
        );
        const name = "what-if";
        const kubeconfig = {
            apiVersion: "v1",
            kind: "Config",
            "current-context": name,
            contexts: [{ name, context: { cluster: name, user: name } }],
            clusters: [{ name, cluster: { server, "certificate-authority": certificate } }],
            users: [{ name, user: { token: this.#token } }],
        };
        this.file("kubeconfig", stringify(kubeconfig));
        this.start(tool("etcd"), [
            ...["--data-dir", this.file("etcd"), "--log-level", "error", "--unsafe-no-fsync"],
            // Sockets in its folder, which nobody else can reach; etcd insists on a port in their names.
            ...["--listen-client-urls", "unix://client:1", "--advertise-client-urls", "unix://client:1"],
            ...["--listen-peer-urls", "unix://peer:1", "--initial-advertise-peer-urls", "unix://peer:1"],
            ...["--initial-cluster", "default=unix://peer:1"],
        ]);
        this.start(tool("kube-apiserver"), [
            ...[
                `--etcd-servers=unix://${this.file("client:1")}`,
                `--secure-port=${this.#port}`,
                "--bind-address=127.0.0.1",
            ],
            ...["--advertise-address=127.0.0.1", "--service-cluster-ip-range=10.43.0.0/16"],
            ...["--authorization-mode=AlwaysAllow", `--disable-admission-plugins=${withoutPlugins.join()}`],
            `--token-auth-file=${this.file("tokens.csv", `${this.#token},admin,admin,system:masters\n`)}`,
            ...[`--cert-dir=${this.#directory}`, `--service-account-key-file=${key}`],
            ...[`--service-account-signing-key-file=${key}`, "--service-account-issuer=https://what-if.invalid"],
        ]);
        await this.until("the API server did not answer", async () => {
            if (!existsSync(certificate)) {
                return false;
            }
            this.#agent = new Agent({ keepAlive: true, maxSockets: parallel, ca: readFileSync(certificate) });
            return (await this.call("GET", "/readyz").catch(() => undefined)) === "ok";
        });
        const configuration = {
            apiVersion: "kubescheduler.config.k8s.io/v1",
            kind: "KubeSchedulerConfiguration",
            clientConnection: { kubeconfig: this.kubeconfig, qps: 1_000, burst: 1_000 },
            leaderElection: { leaderElect: false },
        };
        this.start(tool("kube-scheduler"), [
            `--config=${this.file("scheduler.yaml", stringify(configuration))}`,
            "--secure-port=0",
        ]);
    }

    /**
     * Calls the API.
     *
     * @throws ApiError when it does not answer with success
     */
    call<T>(method: string, path: string, body?: object): Promise<T> {
        const payload = body === undefined ? "" : JSON.stringify(body);
        const headers = {
            authorization: `Bearer ${this.#token}`,
            "content-type": method === "PATCH" ? "application/merge-patch+json" : "application/json",
            // Node omits it for DELETE.
            "content-length": Buffer.byteLength(payload),
        };
        return new Promise((resolve, reject) => {
            const options = { host: "127.0.0.1", port: this.#port, method, path, headers, agent: this.#agent };
            const sent = request(options, (answer) => {
                const chunks: Buffer[] = [];
                answer.on("data", (chunk: Buffer) => chunks.push(chunk));
                answer.on("error", reject);
                answer.on("end", () => {
                    const text = Buffer.concat(chunks).toString();
                    const { statusCode = 0 } = answer;
                    if (statusCode >= 200 && statusCode < 300) {
                        resolve((text.startsWith("{") ? JSON.parse(text) : text) as T);
                    } else {
                        reject(new ApiError(`${method} ${path}: ${statusCode} ${text.slice(0, 500)}`, statusCode));
                    }
                });
            });
            sent.on("error", reject);
            sent.end(payload);
        });
    }

    /**
     * Polls until a condition holds.
     *
     * @throws Failure when it does not within two minutes, or a program of the control plane has ended
     */
    async until(otherwise: string, holds: () => Promise<boolean>): Promise<void> {
        for (const deadline = Date.now() + startLimit; !(await holds()); await delay(50)) {
            throwIfInterrupted();
            if (this.#ended !== undefined || Date.now() > deadline) {
                const why = this.#ended ?? `not within ${startLimit / 1_000} s`;
                throw new Failure(`${otherwise} (${why}): rerun it when this machine is less busy`);
            }
        }
    }

    async #remove(): Promise<void> {
        this.#agent.destroy();
        const running = this.#processes.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null);
        const ended = running.map((child) => new Promise((resolve) => child.once("exit", resolve)));
        for (const { stdio } of this.#processes) {
            stdio[3]?.destroy();
        }
        await Promise.all(ended);
        rmSync(this.#directory, { recursive: true, force: true });
    }
}
