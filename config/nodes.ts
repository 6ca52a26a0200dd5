import { isIPv4 } from "node:net";
import { z } from "zod";
import { isLine, isText } from "../lib/characters";
import { dnsLabel } from "../lib/dns-label";
import { hostKeyForm, hostKeyMistake, isPublicKey, privateKeyMistake, publicKeyForm } from "./ssh-keys";
import { checked, httpUrl, isNoProperty, lineOf, matching, urlOrPath } from "./text";

/** A public host key, as in /etc/ssh/ssh_host_*_key.pub. */
export const hostKey = checked(hostKeyForm, hostKeyMistake);

/** Host name or IPv4 address. */
export const hostName = /^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/;

/** Name of a user on a host. */
export const userName = z.string().regex(/^[a-z_][a-z0-9_-]{0,31}$/, "the name of a user");

const ipv4Address = z.string().refine(isIPv4, "an IPv4 address");

const serialNumber = matching(
    /^\w[\w.-]{0,127}$/,
    "the disk's serial number, as `lsblk --nodeps --output NAME,SERIAL` shows it",
);

/** A data disk of a node. */
const diskSchema = z.strictObject({
    /** A path that stays the same after a reboot. */
    device: z
        .string()
        .regex(
            /^\/dev\/disk\/by-(id|path)\/\w[\w.:+-]{0,254}$/,
            "a path that outlives a reboot, under /dev/disk/by-id/ or /dev/disk/by-path/",
        ),
    /** Its size as the vendor states it, in decimal units; the disk that is found may differ by five per cent. */
    size: z.string().regex(/^[1-9]\d{0,5}(\.\d{1,3})?(MB|GB|TB)$/, 'a size as printed on the disk, for instance "4TB"'),
    /** Its serial number: a disk with another one is a different disk. */
    serial: serialNumber,
    /** Repeats the serial number to confirm that the contents of this disk may be destroyed. */
    erase: serialNumber.optional(),
});

/** Unlocking a node's disks over SSH before its system starts. */
const unlockSchema = z.strictObject({
    /** The address that the node has in its initramfs, with the length of its network's prefix. */
    address: z
        .string()
        .refine(
            (text) => isIPv4(text.split("/")[0] ?? "") && /^[^/]+\/([1-9]|[12]\d|3[0-2])$/.test(text),
            'an IPv4 address with a prefix length, for instance "192.168.1.10/24"',
        ),
    gateway: ipv4Address,
    /** Name of the network interface in the initramfs. */
    interface: z.string().regex(/^\w[\w.-]{0,14}$/, 'the name of a network interface, for instance "enp1s0"'),
    /** Public keys that may unlock, and do nothing else. */
    keys: z
        .array(z.string(publicKeyForm).refine(isPublicKey, publicKeyForm))
        .min(1, "at least one public key: without one nobody can unlock over SSH"),
    /** Public host key of Dropbear, which differs from sshd's; known once the node has been set up. */
    hostKey: hostKey.optional(),
});

const labelKey = /^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?$/;
const labelValue = /^([A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?)?$/;

/** A host with Debian and SSH that becomes a node of the cluster. */
export const nodeSchema = z.strictObject({
    /** Its name in the cluster, and its host name. */
    name: z.string().regex(dnsLabel, 'a lower-case host name without dots, for instance "node-1"'),
    /** Its address in the home, at which the other nodes reach it too. */
    address: ipv4Address,
    /** Port of its sshd. */
    port: z.int("a port").min(1, "a port").max(65535, "a port").default(22),
    /** Login: root, or a user with passwordless sudo for everything. */
    user: userName,
    hostKey,
    /** A server runs the control plane and the datastore; servers and agents both run pods. */
    role: z.enum(["server", "agent"], { error: '"server" or "agent"' }),
    /** Labels of the node in the cluster. */
    labels: z
        .record(z.string().regex(labelKey, "a label's key"), z.string().regex(labelValue, "a label's value"))
        .default({}),
    /** Taints of the node in the cluster, each `key=value:effect` or `key:effect`. */
    taints: z
        .array(
            z
                .string()
                .regex(
                    /^[A-Za-z0-9][\w./-]{0,316}(=[\w.-]{0,63})?:(NoSchedule|PreferNoSchedule|NoExecute)$/,
                    'a taint, for instance "gpu=true:NoSchedule"',
                ),
        )
        .default([]),
    /** Data disks: LUKS on each, an array over all. */
    disks: z.array(diskSchema).default([]),
    /** RAID level of the array; by default 6 with four disks or more, and 1 with fewer: a mirror, or a single disk. */
    raid: z.literal([1, 5, 6], "1, 5 or 6").optional(),
    unlock: unlockSchema.optional(),
    /** True if the node is switched off: it is not changed, and the others do not wait for it. */
    offline: z.boolean().default(false),
});

/** A node's settings, validated. */
export type NodeSettings = z.output<typeof nodeSchema>;

/** RAID levels, with the fewest disks that each takes. */
const fewestDisks = { 1: 1, 5: 3, 6: 4 } as const;

/** RAID level of the array over a node's disks. */
export function raidLevel({ disks, raid }: Pick<NodeSettings, "disks" | "raid">): keyof typeof fewestDisks {
    return raid ?? (disks.length >= fewestDisks[6] ? 6 : 1);
}

/** Values that occur more than once. */
function repeated(values: readonly string[]): string[] {
    return [...new Set(values.filter((value, index) => values.indexOf(value) !== index))];
}

/** All nodes of the cluster. */
export const nodesSchema = z
    .array(nodeSchema)
    .min(1, "at least one node")
    .check(({ value: nodes, issues }) => {
        const refuse = (message: string) => issues.push({ code: "custom", input: undefined, message });
        const servers = nodes.filter(({ role }) => role === "server").length;
        if (nodes.length > 0 && servers % 2 === 0) {
            refuse(
                servers === 0
                    ? 'at least one node with the role "server"'
                    : `an odd number of servers, not ${servers}: etcd needs a majority, and an even number survives no ` +
                          `more failures than ${servers - 1}; make one an agent`,
            );
        }
        for (const name of repeated(nodes.map((node) => node.name))) {
            refuse(`a name for each node; "${name}" occurs more than once`);
        }
        for (const address of repeated(nodes.map((node) => node.address))) {
            refuse(`an address for each node; ${address} occurs more than once`);
        }
        for (const [index, { disks, raid = 1 }] of nodes.entries()) {
            const fewest = fewestDisks[raid];
            if (disks.length > 0 && disks.length < fewest) {
                const message = `${fewest} disks or more, which RAID${raid} takes, or another "raid"`;
                issues.push({ code: "custom", input: disks, path: [index, "disks"], message });
            }
        }
        for (const device of nodes.flatMap((node) => repeated(node.disks.map((disk) => disk.serial)))) {
            refuse(
                `each disk once; the serial number ${device} occurs more than once (disks whose enclosure reports one ` +
                    "number for all cannot be distinguished: connect them without it)",
            );
        }
    });

/** SSH access to the nodes. */
export const sshSchema = z.strictObject({
    /** The private key that every node accepts, in OpenSSH's format, without a passphrase (as a secret). */
    privateKey: checked("the private key that the nodes accept", privateKeyMistake).optional(),
    /** True to use the keys of the SSH agent at SSH_AUTH_SOCK instead. */
    agent: z.boolean().optional(),
    /** A jump host for every node, with the same key. */
    jumpHost: z
        .strictObject({
            address: z.string().regex(hostName, "a host name or an IPv4 address"),
            port: z.int("a port").min(1, "a port").max(65535, "a port").default(22),
            user: userName,
            hostKey,
        })
        .optional(),
});

/** SSH access to the nodes, validated. */
export type SshSettings = z.output<typeof sshSchema>;

/** Address of the API server. */
export const apiSchema = z.strictObject({
    /** An address that leads to any of the servers. */
    address: z.string().regex(hostName, "a host name or an IPv4 address"),
    /**
     * True if the servers share the address: one of them has it, and when that one dies, another takes it. Otherwise an
     * external load balancer, or a name with several addresses, leads to the servers.
     */
    virtual: z.boolean().default(false),
});

/** Address of the API server, validated. */
export type ApiSettings = z.output<typeof apiSchema>;

/** Arguments of k3s that the program sets itself. */
const ownArguments = new Set([
    ...["agent-token", "cluster-cidr", "cluster-init", "cluster-reset", "config", "data-dir", "datastore-endpoint"],
    "etcd-s3-secret-key",
    ...["embedded-registry", "node-ip", "node-label", "node-name", "node-taint", "protect-kernel-defaults"],
    ...["secrets-encryption", "server", "service-cidr", "token", "write-kubeconfig", "write-kubeconfig-mode"],
]);

const argumentValue = z.union([lineOf("a value"), z.number(), z.boolean()], { error: "a value on one line" });

/** Arguments of k3s without the two dashes, as in its config.yaml; lists are appended to the program's own. */
const k3sArguments = z
    .record(
        z
            .string()
            .regex(/^[a-z][a-z0-9-]{1,63}$/, 'an argument of k3s without its dashes, for instance "kubelet-arg"')
            .refine((key) => !ownArguments.has(key), "an argument that the program does not set itself")
            .refine(isNoProperty, "another name"),
        z.union([argumentValue, z.array(argumentValue)], { error: "a value, or a list of values" }),
    )
    .default({});

/** Copies of the datastore. */
const snapshotsSchema = z.strictObject({
    /** Time of each snapshot, as cron writes it. */
    schedule: z
        .string()
        .regex(/^[\d*,/-]+( [\d*,/a-zA-Z-]+){4}$/, 'five fields of cron, for instance "0 */6 * * *"')
        .default("0 */6 * * *"),
    /** Number of snapshots that are kept. */
    retention: z.int("a number").min(1, "at least 1").max(1000, "at most 1000").default(28),
    /** An external bucket to which each snapshot is uploaded, too. */
    s3: z
        .strictObject({
            /** Host name, with `:port` if it is not 443. */
            endpoint: z
                .string()
                .regex(/^[A-Za-z0-9][A-Za-z0-9.-]{0,252}(:\d{1,5})?$/, "a host name, with :port if it is not 443"),
            bucket: z.string().regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, "the name of a bucket"),
            folder: z
                .string()
                .regex(/^[\w-][\w.-]{0,63}(\/[\w-][\w.-]{0,63}){0,7}$/, "a folder in the bucket")
                .default("hearth"),
            region: z
                .string()
                .regex(/^[a-z0-9-]{1,40}$/, "the name of a region")
                .default("us-east-1"),
            accessKey: lineOf("the key's id"),
            /** The key (as a secret). */
            secretKey: lineOf("the key, as a secret"),
            /** True if the endpoint speaks HTTP. */
            insecure: z.boolean().default(false),
        })
        .optional(),
});

/** The k3s of all nodes. */
export const k3sSchema = z.strictObject({
    /**
     * A mirror of the release site, as a URL or an absolute path on the nodes, that has `<version>/k3s` and
     * `<version>/k3s-arm64`. The checksums are the repository's own either way.
     */
    source: urlOrPath.default("https://github.com/k3s-io/k3s/releases/download"),
    /** Network of the pods. It cannot change later. */
    clusterCidr: z.cidrv4('an IPv4 network, for instance "10.42.0.0/16"').default("10.42.0.0/16"),
    /** Network of the Services. It cannot change later. */
    serviceCidr: z.cidrv4('an IPv4 network, for instance "10.43.0.0/16"').default("10.43.0.0/16"),
    /**
     * True if nodes share images with each other. The registries that this covers are the keys of hearth:registries.
     */
    embeddedRegistry: z.boolean().default(false),
    /** Tar files with images, from `source` under `<version>/`, for nodes that reach no registry. */
    images: z
        .array(
            z.strictObject({
                file: z.string().regex(/^\w[\w.-]{0,127}\.tar(\.(gz|zst|lz4|bz2))?$/, "the name of a tar"),
                sha256: z.string().regex(/^[0-9a-f]{64}$/, "the file's SHA-256, 64 hexadecimal digits"),
                /** Nodes that get it; all by default. */
                architecture: z.enum(["x86_64", "aarch64"], { error: '"x86_64" or "aarch64"' }).optional(),
            }),
        )
        .default([]),
    snapshots: snapshotsSchema.prefault({}),
    /** Further arguments of servers. */
    server: k3sArguments,
    /** Further arguments of agents. */
    agent: k3sArguments,
});

/** The k3s of all nodes, validated. */
export type K3sSettings = z.output<typeof k3sSchema>;

/** Host name of a registry, with `:port` if it has one; "*" stands for all others. */
const registryHost = z
    .string()
    .refine(isNoProperty, "another name")
    .regex(/^(\*|[A-Za-z0-9][A-Za-z0-9.-]{0,252}(:\d{1,5})?)$/, 'a registry, for instance "docker.io"');

/** Registries as the nodes reach them, by host name: mirrors, login and certificate authority. */
export const registriesSchema = z.record(
    registryHost,
    z.strictObject({
        /** URLs that are tried first, in this order. */
        mirrors: z.array(httpUrl).default([]),
        /** Regular expressions for names of images, and their names on the mirrors. */
        rewrite: z
            .record(lineOf("a regular expression").refine(isNoProperty, "another name"), lineOf("a name"))
            .default({}),
        username: lineOf("the name of an account").optional(),
        /** Password or token of the account (as a secret). */
        password: lineOf("the account's password, as a secret").optional(),
        /** Certificate authority of the registry, in PEM. */
        ca: z
            .string()
            .refine(
                (text) => isText(text) && /^-----BEGIN CERTIFICATE-----\n/.test(text),
                "certificates in PEM, with their BEGIN and END lines",
            )
            .optional(),
    }),
);

/** Registries as the nodes reach them, validated. */
export type RegistrySettings = z.output<typeof registriesSchema>;

/** Names of claims whose data may be deleted with the node that has it. */
export const discardSchema = z.array(
    z
        .string()
        .regex(
            /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\/[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/,
            'a claim as "namespace/name"',
        ),
);

/** The cluster that the nodes are in already, if the state does not know it; hack/recover writes it. */
export const identitySchema = z.strictObject({
    /** First line of /etc/rancher/hearth-cluster on each node. */
    cluster: z.string().regex(/^[0-9a-f]{16}$/, "16 hexadecimal digits"),
    /** Token of servers, in its short form (as a secret). */
    serverToken: lineOf("the token of servers, as a secret"),
    /** Token of agents, in its short form (as a secret). */
    agentToken: lineOf("the token of agents, as a secret"),
});

/** The cluster that the nodes are in already, validated. */
export type Identity = z.output<typeof identitySchema>;

/** Settings that all data disks share. */
export const storageSchema = z.strictObject({
    /** Passphrase of the data disks (as a secret). */
    passphrase: z
        .string()
        // hack/unlock, and the keyboard of a waiting node, pass a single line.
        .refine(
            (text) => isLine(text) && text.length >= 20 && text === text.trim(),
            "a passphrase of at least 20 characters, on one line and without spaces at its ends",
        ),
    /** Mount point of the filesystem; it is exported by NFS. */
    mount: z
        .string()
        .regex(/^(?!.*\/\.\.?(\/|$))(\/[\w.-]{1,255}){1,32}$/, 'an absolute path, for instance "/export/media"')
        .default("/export/media"),
});
