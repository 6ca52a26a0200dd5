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

/** Claims whose volume is on the disk of a node that is not in `kept`, as lines. */
export function claimsThatLeave(volumes: readonly Volume[], kept: readonly string[]): string[] {
    return volumes.flatMap(({ spec }) => {
        const terms = spec?.nodeAffinity?.required?.nodeSelectorTerms ?? [];
        const expressions = terms.flatMap(({ matchExpressions = [] }) => matchExpressions);
        const [node] = expressions.flatMap(({ key, values = [] }) => (key === "kubernetes.io/hostname" ? values : []));
        const { namespace, name } = spec?.claimRef ?? {};
        return node === undefined || name === undefined || kept.includes(node)
            ? []
            : [`${namespace}/${name} on ${node}`];
    });
}

/** Queries the API server for its persistent volumes, with the kubeconfig that k3s writes. */
async function listVolumes(kubeconfig: string): Promise<readonly Volume[]> {
    const { clusters, users } = parse(kubeconfig);
    const decoded = (value: string) => Buffer.from(value, "base64");
    const { server, "certificate-authority-data": ca } = clusters[0].cluster;
    const { "client-certificate-data": cert, "client-key-data": key } = users[0].user;
    const options = { ca: decoded(ca), cert: decoded(cert), key: decoded(key), signal: AbortSignal.timeout(limit) };
    const answer = await new Promise<string>((resolve, reject) => {
        get(`${server}/api/v1/persistentvolumes`, options, (response) => {
            text(response).then(resolve, reject);
        }).on("error", reject);
    });
    return JSON.parse(answer).items ?? [];
}

/**
 * {@link claimsThatLeave} of the cluster as it is.
 *
 * @returns none when the API server does not answer: the run looks at the disks themselves, and refuses
 */
export async function findClaimsThatLeave(kubeconfig: string, kept: readonly string[]): Promise<string[]> {
    return listVolumes(kubeconfig).then(
        (volumes) => claimsThatLeave(volumes, kept),
        () => [],
    );
}
