import { get } from "node:https";
import { text } from "node:stream/consumers";
import { parse } from "yaml";

/** Milliseconds for the API server to answer: a preview does not wait for a cluster that is unreachable. */
const limit = 5_000;

/** A persistent volume, with its claim and its node. */
export interface Volume {
    readonly spec?: {
        readonly claimRef?: { readonly namespace?: string; readonly name?: string };
        readonly nodeAffinity?: {
            readonly required?: {
                readonly nodeSelectorTerms?: readonly {
                    readonly matchExpressions?: readonly {
                        readonly key: string;
                        readonly values?: readonly string[];
                    }[];
                }[];
            };
        };
    };
}

/** A pod of hearth:backup, which copies a claim. */
export interface CopyPod {
    readonly metadata: { readonly namespace: string; readonly labels?: Readonly<Record<string, string>> };
    readonly spec?: { readonly nodeName?: string };
    readonly status?: { readonly phase?: string; readonly startTime?: string };
}

/** The cluster's volumes, and the pods that have copied them. */
export interface Claims {
    readonly volumes: readonly Volume[];
    readonly copies: readonly CopyPod[];
}

/** Time at which the last copy of a claim began on a node; undefined if Kubernetes knows of none. */
function lastCopy(copies: readonly CopyPod[], namespace: string | undefined, name: string, node: string) {
    const own = copies.filter(
        ({ metadata, spec, status }) =>
            metadata.namespace === namespace &&
            metadata.labels?.["hearth/claim"] === name &&
            spec?.nodeName === node &&
            status?.phase === "Succeeded",
    );
    return own
        .flatMap(({ status }) => status?.startTime ?? [])
        .sort()
        .at(-1);
}

/** Claims whose volume is on the disk of a node that is not in `kept`, as lines with their last copy. */
export function claimsThatLeave({ volumes, copies }: Claims, kept: readonly string[]): string[] {
    return volumes.flatMap(({ spec }) => {
        const terms = spec?.nodeAffinity?.required?.nodeSelectorTerms ?? [];
        const expressions = terms.flatMap(({ matchExpressions = [] }) => matchExpressions);
        const [node] = expressions.flatMap(({ key, values = [] }) => (key === "kubernetes.io/hostname" ? values : []));
        const { namespace, name } = spec?.claimRef ?? {};
        if (node === undefined || name === undefined || kept.includes(node)) {
            return [];
        }
        const copied = lastCopy(copies, namespace, name, node);
        return [`${namespace}/${name} on ${node}, ${copied === undefined ? "no copy" : `copied at ${copied}`}`];
    });
}

/** Queries the API server for volumes and copies, with the kubeconfig that k3s writes. */
async function listClaims(kubeconfig: string): Promise<Claims> {
    const { clusters, users } = parse(kubeconfig);
    const decoded = (value: string) => Buffer.from(value, "base64");
    const { server, "certificate-authority-data": ca } = clusters[0].cluster;
    const { "client-certificate-data": cert, "client-key-data": key } = users[0].user;
    const options = { ca: decoded(ca), cert: decoded(cert), key: decoded(key), signal: AbortSignal.timeout(limit) };
    const list = async (path: string) => {
        const answer = await new Promise<string>((resolve, reject) => {
            get(`${server}/api/v1/${path}`, options, (response) => {
                text(response).then(resolve, reject);
            }).on("error", reject);
        });
        return JSON.parse(answer).items ?? [];
    };
    const [volumes, copies] = await Promise.all([
        list("persistentvolumes"),
        list(`pods?labelSelector=${encodeURIComponent("hearth/backup=backup")}`),
    ]);
    return { volumes, copies };
}

/**
 * {@link claimsThatLeave} of the cluster as it is.
 *
 * @returns an empty list when the API server does not answer: the run inspects the disks themselves, and refuses
 */
export async function findClaimsThatLeave(kubeconfig: string, kept: readonly string[]): Promise<string[]> {
    return listClaims(kubeconfig).then(
        (claims) => claimsThatLeave(claims, kept),
        () => [],
    );
}
