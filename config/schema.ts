import { isIPv4 } from "node:net";
import { z } from "zod";
import { dnsLabel } from "../lib/dns-label";
import { type BackupSettings, backupSchema } from "./backup";
import { edgeSchema } from "./edge";
import { refuse } from "./mistakes";
import {
    type AddressRange,
    contains,
    formatIPv4,
    isBuggy,
    overlap,
    parseRange,
    specialNetwork,
    specialNetworkOf,
    wholeNetwork,
} from "./networks";
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
import { configPath } from "./secrets";
import { absolutePath, httpUrl, isNoProperty, lineOf, matching, repositoryUrl, textOf } from "./text";

/** A DNS name of two labels or more; the last one of an address is a number. */
const domainName = /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+(?!\d+$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** An address that a Service of the home uses. */
const fixedAddress = z
    .string("an IPv4 address of hearth:loadBalancer.addresses")
    .refine(isIPv4, "an IPv4 address of hearth:loadBalancer.addresses")
    .optional();

/** DNS providers in which cert-manager writes the records of DNS-01. */
const dnsProviders = ["cloudflare", "digitalocean"] as const;

/** Domains without an owner, for which no public CA signs: RFC 6761, RFC 6762, RFC 8375, ICANN's .internal. */
const privateDomain = /(^|\.)(home\.arpa|internal|local|localhost|test|example|invalid|onion|lan|home|corp)$/;

/** Domains that devices never ask a DNS server for: RFC 6761, RFC 6762, RFC 7686. */
const unservedDomain = /\.(local|localhost|onion|invalid)$/;

const addressRange = 'an IPv4 range as "192.168.1.240-192.168.1.250" or a CIDR as "192.168.1.240/28"';

/**
 * Branch name for Git, of characters that need no escape in a URL or a command. Argo CD reads HEAD and
 * seven hexadecimal digits or more as a commit.
 */
const branchName = matching(
    /^(?!.*(\.\.|\/\/|\/\.|\.lock(\/|$)))(?!refs\/)(?!HEAD$)(?![0-9a-f]{7,64}$)\w[\w./+-]{0,199}(?<![./])$/,
    'the name of a branch (not HEAD, a commit or a full ref): letters, digits, "_", "-", "+", "." and "/"',
);

/** A time to wait. */
export const duration = matching(
    // Longer ones exceed the milliseconds of Node's timers.
    /^[1-9]\d{0,4}s$|^[1-9]\d{0,3}m$|^[1-9]\d?h$/,
    'a whole number of seconds, minutes or hours, for instance "10m"',
);

/** Name of a chart. */
export const chartName = matching(dnsLabel, "the name of a folder under charts/").refine(isNoProperty, "another name");

/** Key of a value in a Kubernetes Secret. */
export const secretKey = matching(/^[\w.-]{1,253}$/, 'the name of a secret: letters, digits, "_", "-" and "."').refine(
    isNoProperty,
    "another name",
);

/** Checks between cluster settings; all of them run, whatever else is wrong. */
const clusterSchema = z.looseObject({
    kubeconfig: z.unknown().optional(),
    context: z.unknown().optional(),
    nodes: z
        .array(
            z.looseObject({
                role: z.unknown().optional(),
                address: z.unknown().optional(),
                disks: z.array(z.unknown()).optional(),
            }),
        )
        .optional(),
    ssh: z.looseObject({ privateKey: z.unknown().optional(), agent: z.unknown().optional() }).optional(),
    api: z.unknown().optional(),
    k3s: z.unknown().optional(),
    storage: z.unknown().optional(),
});

/** Networks of the pods and the Services, by their settings. */
function clusterNetworks(k3s: unknown): Map<"clusterCidr" | "serviceCidr", { cidr: string; range: AddressRange }> {
    const { data } = k3sSchema
        .pick({ clusterCidr: true, serviceCidr: true })
        .strip()
        .safeParse(k3s ?? {});
    return new Map(
        (["clusterCidr", "serviceCidr"] as const).flatMap((key) => {
            const range = data && parseRange(data[key]);
            return range === undefined ? [] : [[key, { cidr: data?.[key] ?? "", range }]];
        }),
    );
}

/** Checks that no address belongs to a pod, a Service and a node at once. */
function checkNetworks(nodes: readonly { readonly address?: unknown }[], k3s: unknown, expect: Expect): void {
    const networks = clusterNetworks(k3s);
    const [pods, services] = [networks.get("clusterCidr"), networks.get("serviceCidr")];
    if (pods && services && overlap(pods.range, services.range)) {
        expect("k3s.serviceCidr", `a network apart from the pods': ${services.cidr} and ${pods.cidr} overlap`);
    }
    for (const [key, { cidr, range }] of networks) {
        const inside = nodes.find(({ address }) => contains(range, String(address)));
        if (inside !== undefined) {
            const free = key === "clusterCidr" ? "10.52.0.0/16" : "10.53.0.0/16";
            expect(
                `k3s.${key}`,
                `a network apart from the nodes' own, for instance "${free}": ${inside.address} is in ${cidr}`,
            );
        }
    }
}

/** Adds a mistake at a key of the config. */
type Expect = (key: string, message: string) => void;

const virtualApi = z.looseObject({ address: z.string(), virtual: z.literal(true) });

/** Checks that exactly one source of the cluster is set, with the settings that it needs. */
function checkCluster({ value, issues }: z.core.ParsePayload<unknown>): void {
    const { data } = clusterSchema.safeParse(value);
    if (data === undefined) {
        return; // Mistakes in single values are reported already.
    }
    const { kubeconfig, context, nodes, ssh, api, k3s, storage } = data;
    const expect: Expect = (key, message) =>
        issues.push({ code: "custom", input: undefined, path: key.split("."), message });
    if (kubeconfig === undefined && nodes === undefined) {
        expect("kubeconfig", 'the path of an existing cluster\'s kubeconfig, or "nodes" to build a cluster from');
    }
    if (nodes === undefined) {
        return;
    }
    for (const [key, given] of Object.entries({ kubeconfig, context })) {
        if (given !== undefined) {
            refuse(issues, [key], `set either hearth:${key} or hearth:nodes, not both`);
        }
    }
    if (ssh?.privateKey === undefined && !ssh?.agent) {
        expect("ssh.privateKey", "the private key that the nodes accept, as a secret, or hearth:ssh.agent: true");
    } else if (ssh.privateKey !== undefined && ssh.agent) {
        refuse(issues, ["ssh"], "set either hearth:ssh.privateKey or hearth:ssh.agent, not both");
    }
    checkNetworks(nodes, k3s, expect);
    if (api === undefined && nodes.filter(({ role }) => role === "server").length > 1) {
        expect(
            "api.address",
            "with several servers, an address that outlives each of them: a free one with hearth:api.virtual, or a name",
        );
    }
    const held = virtualApi.safeParse(api).data?.address;
    if (held !== undefined && (!isIPv4(held) || nodes.some(({ address }) => address === held))) {
        expect("api.address", "with hearth:api.virtual, a free IPv4 address in the network of the servers");
    }
    if (storage === undefined && nodes.some(({ disks = [] }) => disks.length > 0)) {
        expect("storage.passphrase", "the passphrase of the data disks, as a secret");
    }
}

/** Settings with an address in the home. */
const addressSchema = z.looseObject({
    loadBalancer: z
        .looseObject({
            addresses: z.array(z.unknown()),
            traefik: z.unknown().optional(),
            adguard: z.unknown().optional(),
        })
        .optional(),
    nfs: z.looseObject({ server: z.unknown() }).optional(),
    api: z.looseObject({ address: z.unknown() }).optional(),
    nodes: z
        .array(
            z.looseObject({
                address: z.unknown(),
                unlock: z.looseObject({ address: z.unknown(), gateway: z.unknown() }).optional(),
            }),
        )
        .optional(),
});

/** Checks that addresses are in the home's network, and outside the ranges of MetalLB. */
function checkAddresses({ value, issues }: z.core.ParsePayload<unknown>): void {
    const parsed = Object.entries(addressSchema.shape).flatMap(([key, schema]) => {
        const { data } = schema.safeParse(Object(value)[key]);
        return data === undefined ? [] : [[key, data]];
    });
    const { loadBalancer, nfs, api, nodes = [] }: z.output<typeof addressSchema> = Object.fromEntries(parsed);
    const clusterOwn = clusterNetworks(Object(value).k3s);
    const expect = (path: readonly PropertyKey[], message: string) =>
        issues.push({ code: "custom", input: undefined, path: [...path], message });
    const taken: readonly (readonly [path: readonly PropertyKey[], address: unknown])[] = [
        [["nfs", "server"], nfs?.server],
        [["api", "address"], api?.address],
        ...nodes.flatMap(
            ({ address, unlock }, index) =>
                [
                    [["nodes", index, "address"], address],
                    [["nodes", index, "unlock", "address"], String(unlock?.address).replace(/\/.*/, "")],
                    [["nodes", index, "unlock", "gateway"], unlock?.gateway],
                ] as const,
        ),
    ];
    const known = taken
        .map(([path, address]) => ({ path, address: address === "localhost" ? "127.0.0.1" : String(address) }))
        .filter(({ address }) => isIPv4(address));
    for (const { path, address } of known) {
        const own = [...clusterOwn].find(([, { range }]) => path[0] !== "nodes" && contains(range, address));
        const network = own ? `${own[1].cidr}, which is hearth:k3s.${own[0]}` : specialNetworkOf(address);
        if (network !== undefined) {
            expect(path, `an address of the home, outside ${network}`);
        }
    }
    const ranges = (loadBalancer?.addresses ?? []).map((given, index) => ({
        path: ["loadBalancer", "addresses", index],
        given: String(given),
        range: parseRange(String(given)),
    }));
    for (const [index, { path, given, range }] of ranges.entries()) {
        if (range === undefined) {
            continue; // Rejected by its own schema.
        }
        const own = [...clusterOwn].find(([, each]) => overlap(each.range, range));
        const network = own ? `${own[1].cidr}, which is hearth:k3s.${own[0]}` : specialNetwork(range);
        const whole = wholeNetwork(range);
        const other = ranges.slice(0, index).find((each) => each.range && overlap(each.range, range));
        const host = known.find(({ address }) => contains(range, address));
        if (network !== undefined) {
            expect(path, `addresses of the home, outside ${network}`);
        } else if (whole !== undefined) {
            expect(path, `a part of the home's network that DHCP and hosts leave free, not all of ${whole}`);
        } else if (given.includes("/") && !given.startsWith(`${formatIPv4(range.first)}/`)) {
            expect(path, `a CIDR that begins with its first address, which is ${formatIPv4(range.first)}`);
        } else if (host !== undefined) {
            expect(path, `a range without ${host.address}, which is ${configPath(host.path)}`);
        } else if (other !== undefined) {
            expect(path, `ranges without an address in common: ${other.given} has some of these`);
        }
    }
}

/** Checks the addresses that Services of the home keep. */
function checkFixedAddresses({ value, issues }: z.core.ParsePayload<unknown>): void {
    const { data } = addressSchema.shape.loadBalancer.safeParse(Object(value).loadBalancer);
    const ranges = (data?.addresses ?? []).flatMap((each) => parseRange(String(each)) ?? []);
    for (const key of ["traefik", "adguard"] as const) {
        const given = data?.[key];
        const path = ["loadBalancer", key];
        if (typeof given !== "string" || !isIPv4(given) || ranges.length === 0) {
            continue; // Rejected by its own schema.
        }
        if (!ranges.some((range) => contains(range, given))) {
            const message = "an address in a range of hearth:loadBalancer.addresses";
            issues.push({ code: "custom", input: undefined, path, message });
        } else if (isBuggy(given)) {
            const message = "an address that does not end in .0 or .255, which MetalLB hands to no Service";
            issues.push({ code: "custom", input: undefined, path, message });
        } else if (key === "adguard" && given === data?.traefik) {
            refuse(issues, path, "set hearth:loadBalancer.traefik and hearth:loadBalancer.adguard to two addresses");
        }
    }
}

/** Settings that must be consistent with the edge. */
const edgeParts = z.looseObject({
    edge: z.looseObject({ name: z.unknown(), address: z.unknown(), tunnel: z.unknown() }).partial(),
    nodes: z.array(z.looseObject({ name: z.unknown(), address: z.unknown() }).partial()).optional(),
    loadBalancer: z.looseObject({ addresses: z.array(z.unknown()) }).optional(),
});

/** Networks that the Internet does not reach: RFC 1918, RFC 6598 (carriers), RFC 3927, loopback. */
const unreachable = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8"];

/** Reports whether a range, as {@link parseRange} takes it, has an address in it. */
function isIn(address: unknown, range: string): boolean {
    const parsed = parseRange(range);
    return parsed !== undefined && contains(parsed, String(address));
}

/** Checks that the edge is a separate host on the Internet, with a unique address in the tunnel. */
function checkEdge({ value, issues }: z.core.ParsePayload<unknown>): void {
    const { data } = edgeParts.safeParse(value);
    if (data === undefined) {
        return;
    }
    const { edge, nodes, loadBalancer } = data;
    const expect = (key: string, message: string) =>
        issues.push({ code: "custom", input: undefined, path: ["edge", key], message });
    if (nodes === undefined) {
        refuse(issues, ["edge"], "set hearth:edge with hearth:nodes only: each node of the home dials out to it");
        return;
    }
    const { name = "edge", address, tunnel = edgeSchema.shape.tunnel.parse(undefined) } = edge;
    if (nodes.some((node) => node.name === name)) {
        expect("name", "a name that no node of hearth:nodes has");
    }
    const inside = unreachable.find((cidr) => isIn(address, cidr));
    if (inside !== undefined) {
        expect("address", `an address that the Internet reaches, outside ${inside}`);
    }
    const taken = [
        ...[...clusterNetworks(Object(value).k3s)].map(([key, { cidr }]) => ({
            range: cidr,
            what: `hearth:k3s.${key}`,
        })),
        ...nodes.map((node) => ({ range: `${node.address}/24`, what: "the network of a node" })),
        ...(loadBalancer?.addresses ?? []).map((each) => ({
            range: String(each),
            what: "hearth:loadBalancer.addresses",
        })),
    ].find(({ range }) => isIn(tunnel, range));
    if (taken !== undefined) {
        expect("tunnel", `a private address that the home does not use, outside ${taken.range}, ${taken.what}`);
    }
}

/** Settings that Let's Encrypt needs together. */
const letsencryptSchema = z.looseObject({
    domain: z.unknown().optional(),
    letsencrypt: z.looseObject({}),
    secrets: z.record(z.string(), z.record(z.string(), z.unknown())).optional(),
});

/** Checks that Let's Encrypt can sign for the domain, and has the token that proves it. */
function checkLetsencrypt({ value, issues }: z.core.ParsePayload<unknown>): void {
    const { data } = letsencryptSchema.safeParse(value);
    if (data === undefined) {
        return;
    }
    if (privateDomain.test(String(data.domain))) {
        const message = "with hearth:letsencrypt, a domain that you own: no public CA signs for this one";
        issues.push({ code: "custom", input: undefined, path: ["domain"], message });
    }
    if (data.secrets?.["cert-manager"]?.["dns-token"] === undefined) {
        const message = "with hearth:letsencrypt, the API token of the domain's DNS provider, as a secret";
        issues.push({ code: "custom", input: undefined, path: ["secrets", "cert-manager", "dns-token"], message });
    }
}

/** Checks between repository settings. */
const gitSchema = z.looseObject({
    repository: z.looseObject({ url: z.unknown().optional() }).optional(),
    gitea: z.record(z.string(), z.unknown()).optional(),
});

/** Checks that an external Gitea has an account, and that the home's own is given none. */
function checkGitea({ value, issues }: z.core.ParsePayload<unknown>): void {
    const { data } = gitSchema.safeParse(value);
    if (data?.gitea === undefined) {
        return;
    }
    if (data.repository?.url !== undefined) {
        if (data.gitea["password"] === undefined) {
            issues.push({
                code: "custom",
                input: undefined,
                path: ["gitea", "password"],
                message: "the password of an administrator of the Gitea that hearth:repository.url names, as a secret",
            });
        }
        if (data.gitea["address"] !== undefined) {
            refuse(issues, ["gitea", "address"], "set either hearth:repository.url or hearth:gitea.address, not both");
        }
        return;
    }
    for (const key of ["administrator", "password"].filter((each) => data.gitea?.[each] !== undefined)) {
        refuse(
            issues,
            ["gitea", key],
            `set hearth:gitea.${key} with hearth:repository.url only: the home's own Gitea has it generated`,
        );
    }
}

/**
 * All settings of a stack, under the keys `hearth:<name>`. The message of each check is the expected form: it ends up
 * after "expected" in the error that lists every mistake.
 */
export const settingFields = z.strictObject({
    /** The home's DNS domain: every service is at <service>.<domain>. */
    domain: matching(domainName, 'a lower-case DNS name, for instance "home.example.com"').refine(
        (domain) => !unservedDomain.test(domain),
        'a domain that devices ask the home\'s DNS server for, for instance "home.arpa": they ask each other for .local (mDNS), ' +
            "themselves for .localhost, and nobody for .onion and .invalid",
    ),
    /** The cluster's folder under clusters/. */
    cluster: matching(dnsLabel, 'the name of a folder under clusters/, for instance "home"').default("home"),
    /** An existing cluster: a path to a kubeconfig, relative to Pulumi.yaml, or the contents of one (as a secret). */
    kubeconfig: textOf("the path of a kubeconfig, or the contents of one").optional(),
    /** The context of the kubeconfig that is this home's cluster; required when the kubeconfig has several. */
    context: lineOf("the name of a context of the kubeconfig").optional(),
    /** Hosts to build the cluster from, instead of `kubeconfig`. */
    nodes: nodesSchema.optional(),
    /** SSH access to the nodes. */
    ssh: sshSchema.optional(),
    /** Address of the API server; default: that of the first server. */
    api: apiSchema.optional(),
    /** The k3s of all nodes. */
    k3s: k3sSchema.prefault({}),
    /** Registries as the nodes reach them, by host name. */
    registries: registriesSchema.default({}),
    /** Claims whose data may be deleted with the node that has it, as `namespace/name`. */
    discard: discardSchema.default([]),
    /** The cluster that the nodes are in already, if the state does not know it; hack/recover writes it. */
    identity: identitySchema.optional(),
    /** Settings that all data disks share. */
    storage: storageSchema.optional(),
    /** Host with a public address as the way in, for a home that the Internet does not reach (CGNAT). */
    edge: edgeSchema.optional(),
    /** The Git repository that Argo CD follows. */
    repository: z
        .strictObject({
            /** HTTP(S) URL of an existing repository, as Argo CD reaches it; without it, the home has its own Gitea. */
            url: repositoryUrl.optional(),
            /** The branch to follow. */
            revision: branchName.default("main"),
        })
        .prefault({}),
    /**
     * If `repository.url` is on a Gitea: the account that declares organization, repository and rights in it. Without
     * it, the repository is managed elsewhere, and Argo CD reads it without an account.
     */
    gitea: z
        .strictObject({
            /** Name of an administrator; without it, hearth. */
            administrator: matching(/^[A-Za-z0-9][\w.-]{0,39}$/, "the name of an administrator of Gitea").optional(),
            /** Its password. */
            password: lineOf("the administrator's password, as a secret").optional(),
            /** Argo CD's webhook, as Gitea reaches it; without it, its Service. */
            webhook: httpUrl.optional(),
            /** The home's own Gitea, as Argo CD reaches it; without it, its Service. */
            address: httpUrl.optional(),
        })
        .optional(),
    /** Source of upstream Helm charts. */
    charts: z
        .strictObject({
            /** One Helm repository that mirrors all upstream charts, for a home that cannot reach theirs. */
            repository: httpUrl.optional(),
        })
        .default({}),
    /** Addresses of Services of type LoadBalancer. */
    loadBalancer: z.strictObject({
        /** Ranges for MetalLB, each `first-last` or a CIDR; outside the DHCP range. */
        addresses: z
            .array(z.string(addressRange).refine((text) => parseRange(text) !== undefined, addressRange))
            .min(1, "at least one range of addresses"),
        /** Address of k3s' Traefik, to which every name resolves; by default the current one, or the first free one. */
        traefik: fixedAddress,
        /** Address of AdGuard Home, the home's DNS server; by default the current one, or the last free one. */
        adguard: fixedAddress,
    }),
    /** Certificates that every browser trusts, by DNS-01, for a home whose domain is public; without it, the home's own CA. */
    letsencrypt: z
        .strictObject({
            /** Address that Let's Encrypt writes to when a certificate is about to expire. */
            email: matching(/^[^@\s]+@[^@\s.]+(\.[^@\s.]+)+$/, "an e-mail address"),
            /** The domain's DNS provider; its API token is the secret `dns-token` of the chart cert-manager. */
            provider: z.enum(dnsProviders, `one of ${dnsProviders.join(", ")}`),
            /** Use the staging server for a trial, while every service keeps its current certificate. */
            staging: z.boolean("true or false").default(true),
        })
        .optional(),
    /** The export for media and other large data; a home without one keeps all data on the nodes' disks. */
    nfs: z
        .strictObject({
            /** Host name or address of the NFS server. */
            server: matching(/^[A-Za-z0-9]([A-Za-z0-9.:-]{0,251}[A-Za-z0-9])?$/, "a host name or an IP address"),
            /** Absolute path of the export. */
            path: absolutePath,
        })
        .optional(),
    /** Copies of volumes outside the home; none by default. */
    backup: backupSchema.optional(),
    /** Size of the home's own programs: `small` for a home of one node with 4 GiB of memory. */
    profile: z.enum(["standard", "small"], '"standard" or "small"').default("standard"),
    /**
     * Time from a tier's first sync until all of its Applications are Synced and Healthy: the images of the
     * third are some 15 GB, which is 20 minutes at 100 Mbit/s.
     */
    tierTimeout: duration.default("30m"),
    /** Secrets that a chart requires: chart name → key → value. A chart declares them in its secrets.yaml. */
    secrets: z.record(chartName, z.record(secretKey, textOf("a string that is not empty"))).default({}),
    /**
     * Day of the last rotation of a generated secret: chart name → key → day. A new day regenerates the value; `npm run
     * secrets -- rotate` writes it.
     */
    rotations: z.record(chartName, z.record(secretKey, lineOf('a day, for instance "2026-11-23"'))).default({}),
});

/** The same schema, with the checks between settings. */
export const settingsSchema = settingFields
    .check(checkCluster)
    .check(checkAddresses)
    .check(checkFixedAddresses)
    .check(checkEdge)
    .check(checkLetsencrypt)
    .check(checkGitea);

type Given = z.output<typeof settingsSchema>;

/** The stack's configuration, validated. */
export type Settings = Omit<Given, "backup" | "gitea" | "repository"> & {
    /** Copies of volumes outside the home. */
    readonly backup?: BackupSettings | undefined;
    /** The Git repository that Argo CD follows. */
    readonly repository: { readonly url: string; readonly revision: string };
    /** True if it is in the home's own Gitea. */
    readonly ownGitea: boolean;
    readonly gitea: {
        readonly administrator: string;
        /** Without an account, an external repository is managed elsewhere. */
        readonly password?: string | undefined;
        readonly webhook: string;
        readonly address: string;
    };
};

/**
 * The repository with its URL. The one in the home's own Gitea has the host by which Gitea knows itself, since Argo CD
 * matches the repository of a push by it; and http, since Gitea's Service answers for it in the cluster.
 */
export function resolveRepository({
    domain,
    repository,
}: Pick<Given, "domain" | "repository">): Settings["repository"] {
    return { ...repository, url: repository.url ?? `http://git.${domain}/home/hearth.git` };
}

/** Settings derived from the stack's config. */
export function resolveSettings(given: Given): Settings {
    return {
        ...given,
        backup: given.backup && { ...given.backup, home: given.backup.home ?? given.domain },
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
