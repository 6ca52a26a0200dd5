import { KubeConfig } from "@kubernetes/client-node";

/** What every wait is told, as JSON on standard input: nothing of it may stand in arguments or environment. */
export interface WaitInput {
    /** Path to a kubeconfig, or the contents of one. */
    readonly kubeconfig: string;
    /** Seconds until the wait gives up. */
    readonly limit: number;
}

/** Reads what a wait is told. */
export async function readInput<T extends WaitInput>(): Promise<T> {
    const chunks: Buffer[] = [];
    for await (const chunk of process.stdin) {
        chunks.push(chunk);
    }
    return JSON.parse(Buffer.concat(chunks).toString());
}

/** The cluster that a kubeconfig, given by path or by contents, names. */
export function loadKubeConfig(kubeconfig: string): KubeConfig {
    const config = new KubeConfig();
    if (kubeconfig.includes("\n")) {
        config.loadFromString(kubeconfig);
    } else {
        config.loadFromFile(kubeconfig);
    }
    return config;
}

/** Ends a wait that failed: Pulumi shows what it wrote as the error. */
export function fail(message: string): never {
    process.stderr.write(`${message}\n`);
    process.exit(1);
}
