import { BlockList, isIPv4 } from "node:net";
import { z } from "zod";
import { dnsLabel } from "../lib/dns-label";
import {
    apiSchema,
    discardSchema,
    identitySchema,
    k3sSchema,
    nodesSchema,
    registriesSchema,
    sshSchema,
    storageSchema,
} from "./nodes";
import { absolutePath, httpUrl, isNoProperty, lineOf, textOf } from "./text";

const domainName = /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** An IPv4 address as a number, so that two can be compared; NaN for anything else. */
function ipv4(address: string): number {
    return isIPv4(address) ? address.split(".").reduce((sum, octet) => sum * 256 + Number(octet), 0) : Number.NaN;
}

/** Whether MetalLB takes `text` as a range of addresses: `first-last` (inclusive) or a CIDR. */
function isAddressRange(text: string): boolean {
    const [network = "", prefix, ...rest] = text.split("/");
    if (prefix !== undefined) {
        return rest.length === 0 && isIPv4(network) && /^\d{1,2}$/.test(prefix) && Number(prefix) <= 32;
    }
    const [first = "", last = "", ...more] = text.split("-");
    return more.length === 0 && ipv4(first) <= ipv4(last);
}

/** What Git takes as the name of a branch, of characters that need no escape in a URL or a command. */
const branchName = z
    .string()
    .regex(
        /^(?!.*(\.\.|\/\/|\/\.|\.lock(\/|$)))\w[\w./+-]{0,199}(?<![./])$/,
        'the name of a branch: letters, digits, "_", "-", "+", "." and "/"',
    );

/** Whether a range that MetalLB takes has an IPv4 address in it. */
function contains(range: string, address: string): boolean {
    const list = new BlockList();
    const [first = "", last = ""] = range.split(/[-/]/);
    if (!isAddressRange(range) || !isIPv4(address)) {
        return false; // Each is told of by itself.
    }
    if (range.includes("/")) {
        list.addSubnet(first, Number(last));
    } else {
        list.addRange(first, last);
    }
    return list.check(address);
}

/** A time to wait. */
export const duration = z
    .string()
    // Longer ones are more milliseconds than Node's timers count.
    .regex(
        /^[1-9]\d{0,4}s$|^[1-9]\d{0,3}m$|^[1-9]\d?h$/,
        'a whole number of seconds, minutes or hours, for instance "10m"',
    );

/** Name of a chart. */
export const chartName = z
    .string()
    .regex(dnsLabel, "the name of a folder under charts/")
    .refine(isNoProperty, "another name");

/** Key of a value in a Kubernetes Secret. */
export const secretKey = z
    .string()
    .regex(/^[\w.-]{1,253}$/, 'the name of a secret: letters, digits, "_", "-" and "."')
    .refine(isNoProperty, "another name");

/** What settings that belong together have to say about each other; each is checked whatever else is wrong. */
const clusterSchema = z.looseObject({
    kubeconfig: z.unknown().optional(),
    nodes: z
        .array(
            z.looseObject({
                role: z.unknown().optional(),
                address: z.unknown().optional(),
                disks: z.array(z.unknown()).optional(),
            }),
        )
        .optional(),
    ssh: z.unknown().optional(),
    api: z.unknown().optional(),
    k3s: z.unknown().optional(),
    storage: z.unknown().optional(),
    loadBalancer: z.unknown().optional(),
});

/** Checks that no node has an address that k3s takes for a pod or a Service. */
function checkNetworks(nodes: readonly { readonly address?: unknown }[], k3s: unknown, refuse: Refuse): void {
    const { data } = k3sSchema
        .pick({ clusterCidr: true, serviceCidr: true })
        .strip()
        .safeParse(k3s ?? {});
    if (data === undefined) {
        return;
    }
    for (const key of ["clusterCidr", "serviceCidr"] as const) {
        const inside = nodes.find(({ address }) => contains(data[key], String(address)));
        if (inside !== undefined) {
            const free = key === "clusterCidr" ? "10.52.0.0/16" : "10.53.0.0/16";
            refuse(
                `k3s.${key}`,
                `a network apart from the nodes' own, for instance "${free}": ${inside.address} is in ${data[key]}`,
            );
        }
    }
}

/** Adds a mistake at a key of the config. */
type Refuse = (key: string, message: string) => void;

const virtualApi = z.looseObject({ address: z.string(), virtual: z.literal(true) });

const addressRanges = z.looseObject({ addresses: z.array(z.string()) });

/** Checks where the cluster comes from, and that what only some clusters need is there. */
function checkCluster({ value, issues }: z.core.ParsePayload<unknown>): void {
    const { data } = clusterSchema.safeParse(value);
    if (data === undefined) {
        return; // The mistakes of the single values say enough.
    }
    const { kubeconfig, nodes, ssh, api, k3s, storage, loadBalancer } = data;
    const refuse: Refuse = (key, message) =>
        issues.push({ code: "custom", input: undefined, path: key.split("."), message });
    if (kubeconfig === undefined && nodes === undefined) {
        refuse("kubeconfig", 'a path to the kubeconfig of a cluster that is there, or "nodes" to build one from');
    }
    if (nodes === undefined) {
        return;
    }
    if (kubeconfig !== undefined) {
        refuse("kubeconfig", 'nothing, as the cluster is built from "nodes" (or take "nodes" away to use this one)');
    }
    if (ssh === undefined) {
        refuse("ssh.privateKey", "the private key that the nodes let in, as a secret");
    }
    checkNetworks(nodes, k3s, refuse);
    if (api === undefined && nodes.filter(({ role }) => role === "server").length > 1) {
        refuse(
            "api.address",
            "with several servers, an address that outlives each of them: a free one with hearth:api.virtual, or a name",
        );
    }
    const held = virtualApi.safeParse(api).data?.address;
    if (held !== undefined && (!isIPv4(held) || nodes.some(({ address }) => address === held))) {
        refuse("api.address", "with hearth:api.virtual, a free IPv4 address in the network of the servers");
    }
    const given = addressRanges.safeParse(loadBalancer).data?.addresses ?? [];
    if (held !== undefined && given.some((range) => contains(range, held))) {
        refuse("api.address", "with hearth:api.virtual, an address outside hearth:loadBalancer.addresses");
    }
    if (storage === undefined && nodes.some(({ disks = [] }) => disks.length > 0)) {
        refuse("storage.passphrase", "the passphrase of the data disks, as a secret");
    }
}

/** What settings of the repository have to say about each other. */
const gitSchema = z.looseObject({
    repository: z.looseObject({ url: z.unknown().optional() }).optional(),
    gitea: z.record(z.string(), z.unknown()).optional(),
});

/** Checks that a Gitea elsewhere has its account, and that the home's own is given none. */
function checkGitea({ value, issues }: z.core.ParsePayload<unknown>): void {
    const { data } = gitSchema.safeParse(value);
    if (data?.gitea === undefined) {
        return;
    }
    const refuse = (key: string, message: string) =>
        issues.push({ code: "custom", input: undefined, path: ["gitea", key], message });
    if (data.repository?.url !== undefined) {
        if (data.gitea["password"] === undefined) {
            refuse(
                "password",
                "the password of an administrator of the Gitea that hearth:repository.url names, as a secret",
            );
        }
        if (data.gitea["address"] !== undefined) {
            refuse("address", "nothing, as hearth:repository.url says where the repository is");
        }
        return;
    }
    for (const key of ["administrator", "password"].filter((each) => data.gitea?.[each] !== undefined)) {
        refuse(key, "nothing, as the home's own Gitea has it generated (or name another one by hearth:repository.url)");
    }
}

/**
 * Everything a stack configures, under the keys `hearth:<name>`. The message of each check says what is accepted: it
 * ends up after "accepted:" in the error that lists every mistake.
 */
export const settingFields = z.strictObject({
    /** The home's DNS domain: every service is at <service>.<domain>. */
    domain: z.string().regex(domainName, 'a lower-case DNS name, for instance "home.example.com"'),
    /** The cluster's folder under clusters/. */
    cluster: z.string().regex(dnsLabel, 'the name of a folder under clusters/, for instance "home"').default("home"),
    /** An existing cluster: a path to a kubeconfig, relative to Pulumi.yaml, or the contents of one (as a secret). */
    kubeconfig: textOf("a path to a kubeconfig, or the contents of one").optional(),
    /** Machines to build the cluster from, in place of `kubeconfig`. */
    nodes: nodesSchema.optional(),
    /** How the nodes are reached. */
    ssh: sshSchema.optional(),
    /** How the API server is reached; without it, at the first server. */
    api: apiSchema.optional(),
    /** The k3s of all nodes. */
    k3s: k3sSchema.prefault({}),
    /** Registries as the nodes reach them, by host name. */
    registries: registriesSchema.default({}),
    /** Claims whose data may be deleted with the node that has it, as `namespace/name`. */
    discard: discardSchema.default([]),
    /** The cluster that the nodes are in already, where the state does not know it; hack/recover writes it. */
    identity: identitySchema.optional(),
    /** What the nodes' data disks have in common. */
    storage: storageSchema.optional(),
    /** The Git repository that Argo CD follows. */
    repository: z
        .strictObject({
            /** HTTP(S) URL of one that is there already, as Argo CD reaches it; without it, the home has its own Gitea. */
            url: httpUrl.optional(),
            /** The branch to follow. */
            revision: branchName.default("main"),
        })
        .prefault({}),
    /**
     * Where `repository.url` is on a Gitea: the account that declares organization, repository and rights in it. Without
     * it, the repository is somebody else's work, and Argo CD reads it without an account.
     */
    gitea: z
        .strictObject({
            /** Name of an administrator; without it, hearth. */
            administrator: z
                .string()
                .regex(/^[A-Za-z0-9][\w.-]{0,39}$/, "the name of an administrator of Gitea")
                .optional(),
            /** Its password. */
            password: lineOf("the administrator's password, as a secret").optional(),
            /** Argo CD's webhook, as Gitea reaches it; without it, its Service. */
            webhook: httpUrl.optional(),
            /** The home's own Gitea, as Argo CD reaches it; without it, its Service. */
            address: httpUrl.optional(),
        })
        .optional(),
    /** Where upstream Helm charts come from. */
    charts: z
        .strictObject({
            /** One Helm repository that mirrors all upstream charts, for a home without access to theirs. */
            repository: httpUrl.optional(),
        })
        .default({}),
    /** Addresses of Services of type LoadBalancer. */
    loadBalancer: z.strictObject({
        /** Ranges that MetalLB hands out from, each `first-last` or a CIDR; outside of what DHCP hands out. */
        addresses: z
            .array(
                z
                    .string()
                    .refine(
                        isAddressRange,
                        'an IPv4 range as "192.168.1.240-192.168.1.250" or a CIDR as "192.168.1.240/28"',
                    ),
            )
            .min(1, "at least one range of addresses"),
    }),
    /** The export that holds media and everything large. */
    nfs: z.strictObject({
        /** Host name or address of the NFS server. */
        server: z.string().regex(/^[A-Za-z0-9]([A-Za-z0-9.:-]{0,251}[A-Za-z0-9])?$/, "a host name or an IP address"),
        /** Absolute path of the export. */
        path: absolutePath,
    }),
    /** How long a tier may take from its first sync until all of its Applications are Synced and Healthy. */
    tierTimeout: duration.default("10m"),
    /** Secrets that a chart requires: chart name → key → value. What a chart needs stands in its secrets.yaml. */
    secrets: z.record(chartName, z.record(secretKey, textOf("a value that is not empty"))).default({}),
    /**
     * When a generated secret was last replaced: chart name → key → a day. Another day than before makes a new value;
     * `npm run secrets -- rotate` writes it.
     */
    rotations: z.record(chartName, z.record(secretKey, lineOf('a day, for instance "2026-11-23"'))).default({}),
});

/** The same, with what settings have to say about each other. */
export const settingsSchema = settingFields.check(checkCluster).check(checkGitea);

type Given = z.output<typeof settingsSchema>;

/** Settings that are secret, or hold one, whether or not the stack's file encrypts them. No message shows their values. */
export const secretSettings: ReadonlySet<string> = new Set([
    ...["gitea", "identity", "k3s", "kubeconfig", "registries", "secrets", "ssh", "storage"],
]);

/** The stack's configuration, validated. */
export type Settings = Omit<Given, "gitea" | "repository"> & {
    /** The Git repository that Argo CD follows. */
    readonly repository: { readonly url: string; readonly revision: string };
    /** Whether it is in the home's own Gitea. */
    readonly ownGitea: boolean;
    readonly gitea: {
        readonly administrator: string;
        /** Without one, a repository that is elsewhere is somebody else's work. */
        readonly password?: string | undefined;
        readonly webhook: string;
        readonly address: string;
    };
};

/**
 * The repository with its URL. The one in the home's own Gitea has the host that Gitea knows itself by, since Argo CD
 * finds the repository of a push by it; and http, since it is Gitea's Service that answers for it in the cluster.
 */
export function resolveRepository({
    domain,
    repository,
}: Pick<Given, "domain" | "repository">): Settings["repository"] {
    return { ...repository, url: repository.url ?? `http://git.${domain}/home/hearth.git` };
}

/** What follows from the stack's config. */
export function resolveSettings(given: Given): Settings {
    return {
        ...given,
        repository: resolveRepository(given),
        ownGitea: given.repository.url === undefined,
        gitea: {
            administrator: "hearth",
            webhook: "http://argocd-server.argocd.svc.cluster.local/api/webhook",
            address: "http://gitea.gitops.svc.cluster.local:3000",
            ...given.gitea,
        },
    };
}
