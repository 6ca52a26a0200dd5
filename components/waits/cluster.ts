import { join } from "node:path";
import { root } from "../../lib/root";

/** The client of Kubernetes. */
export type Client = typeof import("@kubernetes/client-node", { with: { "resolution-mode": "import" }});

/** An object of one of the client's classes. */
export type Instance<Name extends keyof Client> = Client[Name] extends abstract new (
    ...args: never
) => infer T
    ? T
    : never;

/** Fields that every object of a cluster has. */
export type KubernetesObject = Parameters<Instance<"KubernetesObjectApi">["create"]>[0];

/** Argo CD's Applications, as the client names resources. */
export const applicationResource = {
    group: "argoproj.io",
    version: "v1alpha1",
    namespace: "argocd",
    plural: "applications",
};

/** Loads the client, which toolchain/compile.cjs bundles into one file. */
export function loadClient(): Client {
    return require(join(root, "dist/kubernetes-client.cjs"));
}

/** Input of every wait, as JSON on standard input: none of it may be in arguments or the environment. */
export interface WaitInput {
    /** Path to a kubeconfig, or the contents of one. */
    readonly kubeconfig: string;
    /** Seconds until the wait gives up. */
    readonly limit: number;
}

/** Reads the input of a wait. */
export async function readInput<T extends WaitInput>(): Promise<T> {
    const chunks: Buffer[] = [];
    for await (const chunk of process.stdin) {
        chunks.push(chunk);
    }
    return JSON.parse(Buffer.concat(chunks).toString());
}

/** The cluster of a kubeconfig, given by path or by contents. */
export function loadKubeConfig({ KubeConfig }: Client, kubeconfig: string): Instance<"KubeConfig"> {
    const config = new KubeConfig();
    if (kubeconfig.includes("\n")) {
        config.loadFromString(kubeconfig);
    } else {
        config.loadFromFile(kubeconfig);
    }
    return config;
}

/** Message of the API server, taken from the client's error with code, body and headers. */
export function messageOf(error: unknown): string {
    const { body } = Object(error);
    try {
        return JSON.parse(body).message ?? body;
    } catch {
        return String(body || error);
    }
}

/** Ends a failed wait: Pulumi shows its output as the error. */
export function fail(message: string): never {
    process.stderr.write(`${message}\n`);
    process.exit(1);
}

/**
 * Handler that ends a wait on an unexpected error.
 * @param what the failed action, a sentence without its end
 */
export const failWith =
    (what: string) =>
    (error: unknown): never =>
        fail(`${what}: ${messageOf(error)}`);

/** Causes of a certificate that is not trusted, each with the next step. https://nodejs.org/api/tls.html#x509-certificate-error-codes */
const certificateCauses: readonly (readonly [code: RegExp, hint: string])[] = [
    [/^CERT_(NOT_YET_VALID|HAS_EXPIRED)$/, "Check the clock of this machine with `date`, and rerun `pulumi up`."],
    [
        /^ERR_TLS_CERT_/,
        "Set an address in the kubeconfig that the certificate names, or add this one to it: `tls-san` in k3s' config.yaml.",
    ],
    [
        /^(CERT_|UNABLE_TO_)|SELF_SIGNED/,
        "The kubeconfig belongs to another cluster, or to this one before it was rebuilt: replace it with the current one " +
            "(/etc/rancher/k3s/k3s.yaml on a server), and rerun `pulumi up`.",
    ],
];

/**
 * Message for an API server's certificate that is not trusted here; undefined for any other error.
 *
 * @param error of a request to the API server
 */
export function refusedCertificate(error: unknown): string | undefined {
    const { code, message } = Object(error);
    const [, hint] = certificateCauses.find(([pattern]) => pattern.test(String(code))) ?? [];
    return hint && `The API server's certificate is not trusted here: ${message}\n${hint}`;
}

/**
 * Ends a wait when the API server's certificate is not trusted here: waiting does not change that.
 *
 * @param error of a request to the API server
 */
export function failIfCertificateIsRefused(error: unknown): void {
    const message = refusedCertificate(error);
    if (message !== undefined) {
        fail(message);
    }
}
