import { generateKeyPairSync, randomUUID } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { freePorts } from "../../lib/ports";
import { type ToolName, tool } from "../../toolchain/tools";
import { Program, runToEnd } from "../programs/program";

/** A real API server with the real controllers of Jobs, Deployments and so on, without nodes. */
export class ControlPlane {
    readonly directory = mkdtempSync(join(tmpdir(), "hearth-control-plane-"));
    readonly kubeconfig = join(this.directory, "kubeconfig");
    readonly #programs: Program[] = [];
    readonly #token = randomUUID();
    readonly #agent = new Agent({ keepAlive: true, rejectUnauthorized: false });
    #port = 0;
    /** URL of etcd, for clients. */
    etcd = "";

    /** @param snapshot path of a snapshot of etcd that has the cluster's objects; by default there are none */
    static async start(snapshot?: string): Promise<ControlPlane> {
        const plane = new ControlPlane();
        await plane.#start(snapshot);
        return plane;
    }

    #run(name: ToolName, args: readonly string[]): void {
        this.#programs.push(new Program(tool(name), args));
    }

    async #start(snapshot: string | undefined): Promise<void> {
        const { etcd, peer, api, controllers } = await freePorts("etcd", "peer", "api", "controllers");
        this.etcd = `http://127.0.0.1:${etcd}`;
        const data = join(this.directory, "etcd");
        const member = [
            ...["--initial-cluster", `default=http://127.0.0.1:${peer}`],
            ...["--initial-advertise-peer-urls", `http://127.0.0.1:${peer}`],
        ];
        if (snapshot !== undefined) {
            const { code, output } = await runToEnd(tool("etcdutl"), [
                ...["snapshot", "restore", snapshot, "--data-dir", data, "--name", "default"],
                ...member,
            ]);
            if (code !== 0) {
                throw new Error(output);
            }
        }
        const file = (name: string, contents: string) => {
            const path = join(this.directory, name);
            writeFileSync(path, contents, { mode: 0o600 });
            return path;
        };
        this.#port = api;
        const token = this.#token;
        const tokens = file("tokens.csv", `${token},admin,admin,system:masters\n`);
        const key = file(
            "service-account.pem",
            generateKeyPairSync("rsa", { modulusLength: 2048 })
                .privateKey.export({ type: "pkcs1", format: "pem" })
                .toString(),
        );
        file(
            "kubeconfig",
            stringify({
                apiVersion: "v1",
                kind: "Config",
                "current-context": "test",
                contexts: [{ name: "test", context: { cluster: "test", user: "admin" } }],
                clusters: [
                    { name: "test", cluster: { server: `https://127.0.0.1:${api}`, "insecure-skip-tls-verify": true } },
                ],
                users: [{ name: "admin", user: { token } }],
            }),
        );
        this.#run("etcd", [
            ...["--data-dir", data, "--log-level", "error", "--unsafe-no-fsync"],
            ...["--listen-client-urls", this.etcd, "--advertise-client-urls", this.etcd],
            ...["--listen-peer-urls", `http://127.0.0.1:${peer}`],
            ...member,
        ]);
        this.#run("kube-apiserver", [
            `--etcd-servers=${this.etcd}`,
            `--secure-port=${api}`,
            ...[
                "--bind-address=127.0.0.1",
                "--service-cluster-ip-range=10.43.0.0/16",
                "--authorization-mode=AlwaysAllow",
            ],
            `--cert-dir=${join(this.directory, "certificates")}`,
            `--token-auth-file=${tokens}`,
            ...[`--service-account-key-file=${key}`, `--service-account-signing-key-file=${key}`],
            "--service-account-issuer=https://kubernetes.default.svc",
        ]);
        await this.until("the API server is ready", async () => (await this.call("GET", "/readyz?verbose")) !== "");
        this.#run("kube-controller-manager", [
            `--kubeconfig=${this.kubeconfig}`,
            `--secure-port=${controllers}`,
            `--cert-dir=${join(this.directory, "certificates")}`,
            `--service-account-private-key-file=${key}`,
            ...["--bind-address=127.0.0.1", "--leader-elect=false", "--use-service-account-credentials=false"],
            // The node belongs to the test, and renews no lease.
            "--controllers=*,-node-lifecycle-controller,-taint-eviction-controller",
        ]);
    }

    /**
     * Calls the API.
     *
     * @throws Error when it does not answer with success
     */
    call<T>(method: string, path: string, body?: object): Promise<T> {
        const type = method === "PATCH" ? "application/merge-patch+json" : "application/json";
        const payload = body === undefined ? "" : JSON.stringify(body);
        const headers = {
            authorization: `Bearer ${this.#token}`,
            "content-type": type,
            // Node omits it for DELETE.
            "content-length": Buffer.byteLength(payload),
        };
        return new Promise((resolve, reject) => {
            const sent = request(
                { host: "127.0.0.1", port: this.#port, method, path, headers, agent: this.#agent },
                (answer) => {
                    const chunks: Buffer[] = [];
                    answer.on("data", (chunk: Buffer) => chunks.push(chunk));
                    answer.on("error", reject);
                    answer.on("end", () => {
                        const text = Buffer.concat(chunks).toString();
                        const { statusCode = 0 } = answer;
                        if (statusCode >= 200 && statusCode < 300) {
                            resolve((text.startsWith("{") ? JSON.parse(text) : text) as T);
                        } else {
                            reject(new Error(`${method} ${path}: ${statusCode} ${text.slice(0, 300)}`));
                        }
                    });
                },
            );
            sent.on("error", reject);
            sent.end(payload);
        });
    }

    /** Waits until a condition holds, which takes minutes on a busy machine. */
    async until(what: string, holds: () => Promise<boolean>): Promise<void> {
        const end = Date.now() + 5 * 60_000;
        for (;;) {
            if (await holds().catch(() => false)) {
                return;
            }
            if (Date.now() > end) {
                const said = this.#programs.map(({ output }) => output.slice(-2_000)).join("\n\n");
                throw new Error(`${what}: not within five minutes\n${said}`);
            }
            await new Promise((resolve) => setTimeout(resolve, 200));
        }
    }

    async remove(): Promise<void> {
        this.#agent.destroy();
        for (const each of this.#programs.reverse()) {
            await each.stop();
        }
        rmSync(this.directory, { recursive: true, force: true });
    }
}
