import { spawn } from "node:child_process";
import type { RequestListener } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { stringify } from "yaml";
import { keyPairs } from "../../key-pairs";

/** An API server for a test, on loopback. */
export interface ApiServer {
    /** Contents of a kubeconfig for it. */
    readonly kubeconfig: string;
    /** Closes it and its connections. */
    close(): void;
}

/** Contents of a kubeconfig with an arbitrary user. @param cluster its entry of the API server */
export function kubeconfigOf(cluster: object): string {
    return stringify({
        apiVersion: "v1",
        kind: "Config",
        clusters: [{ name: "home", cluster }],
        users: [{ name: "home", user: {} }],
        contexts: [{ name: "home", context: { cluster: "home", user: "home" } }],
        "current-context": "home",
    });
}

/** @param authority whose certificate the kubeconfig has: the server's own, or another */
export async function serveApi(authority: "own" | "another", listener: RequestListener): Promise<ApiServer> {
    const [own, another] = keyPairs;
    const trusted = authority === "own" ? own.cert : another.cert;
    const server = createServer(own, listener);
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    const kubeconfig = kubeconfigOf({
        server: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
        "certificate-authority-data": Buffer.from(trusted).toString("base64"),
    });
    return {
        kubeconfig,
        close: () => {
            server.close();
            server.closeAllConnections();
        },
    };
}

/** Runs a wait like its command, and returns its standard error. */
export async function runWait(script: string, input: object): Promise<{ code: unknown; said: string }> {
    const child = spawn("node", ["--no-deprecation", "dist/wait.cjs", script]);
    child.stdin.end(JSON.stringify(input));
    const [said, code] = await Promise.all([text(child.stderr), new Promise((ended) => child.once("exit", ended))]);
    return { code, said };
}
