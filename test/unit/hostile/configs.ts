import type { RawConfig } from "../../../config/settings";
import { privateKey, publicKey } from "../keys";
import type { Path } from "./values";

const disk = (serial: string) => ({ device: `/dev/disk/by-id/${serial}`, size: "4TB", serial, erase: serial });

const common = {
    domain: "home.example.com",
    cluster: "home",
    repository: { url: "https://git.example.com/home/hearth.git", revision: "main" },
    gitea: { administrator: "hearth", password: "of Gitea", webhook: "http://argocd.example.com/api/webhook" },
    charts: { repository: "https://charts.example.com" },
    loadBalancer: { addresses: ["192.168.1.240-192.168.1.250"], traefik: "192.168.1.240", adguard: "192.168.1.241" },
    nfs: { server: "nas", path: "/export/media" },
    backup: {
        target: "s3:https://s3.example.com/bucket/home",
        s3: { accessKey: "key", secretKey: "secret", region: "eu-central-1" },
        password: "of the repository",
        home: "home.example.com",
        second: { target: "sftp://me@nas.example.com//copies", sftp: { privateKey, hostKey: publicKey } },
        ...{ start: 1, hours: 4, keep: { daily: 7, weekly: 4, monthly: 12 }, uploadLimit: 1024, startEmpty: false },
    },
    profile: "small",
    tierTimeout: "10m",
    letsencrypt: { email: "home@example.com", provider: "cloudflare", staging: true },
    secrets: { vaultwarden: { "admin-token": "a token" }, "cert-manager": { "dns-token": "a token" } },
    rotations: { garage: { "admin-token": "2026-11-23" } },
};

/** Configs that together have every setting. */
export const configs = {
    "an existing cluster": { ...common, kubeconfig: "kubeconfig.yaml", context: "home" },
    "its own Gitea": {
        ...common,
        kubeconfig: "kubeconfig.yaml",
        repository: { revision: "main" },
        gitea: { address: "http://gitea.example.com:3000" },
        backup: {
            target: "rest:https://copies.example.com/home/",
            rest: {
                ...{ user: "me", password: "secret" },
                certificate: "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n",
            },
            password: "of the repository",
            second: {
                target: "rest:https://others.example.com/home/",
                rest: {
                    ...{ user: "me", password: "secret" },
                    certificate: "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n",
                },
            },
        },
    },
    "machines to build one from": {
        ...common,
        backup: {
            target: "sftp://me@nas.example.com//copies",
            sftp: { privateKey, hostKey: publicKey },
            password: "of the repository",
            second: {
                target: "s3:https://s3.example.com/bucket/home",
                s3: { accessKey: "key", secretKey: "secret", region: "eu-central-1" },
            },
        },
        nodes: [
            {
                name: "nas",
                address: "192.168.1.10",
                port: 22,
                user: "admin",
                hostKey: publicKey,
                role: "server",
                offline: false,
                labels: { disks: "many" },
                taints: ["gpu=true:NoSchedule"],
                disks: ["A", "B", "C", "D"].map(disk),
                raid: 6,
                unlock: {
                    address: "192.168.1.11/24",
                    gateway: "192.168.1.1",
                    interface: "enp1s0",
                    keys: [publicKey],
                    hostKey: publicKey,
                },
            },
        ],
        ssh: {
            privateKey,
            agent: false,
            jumpHost: { address: "jump.example.com", port: 22, user: "admin", hostKey: publicKey },
        },
        api: { address: "api.example.com", virtual: false },
        edge: {
            ...{ name: "edge", address: "edge.example.com", port: 22, user: "admin", hostKey: publicKey },
            ...{ tunnel: "10.199.99.1", tunnelPort: 51822 },
        },
        k3s: {
            source: "https://releases.example.com/k3s",
            clusterCidr: "10.52.0.0/16",
            serviceCidr: "10.53.0.0/16",
            embeddedRegistry: true,
            images: [{ file: "k3s-airgap-images-amd64.tar.zst", sha256: "a".repeat(64), architecture: "x86_64" }],
            snapshots: {
                schedule: "0 */6 * * *",
                retention: 28,
                s3: {
                    ...{ endpoint: "s3.example.com", bucket: "home", folder: "hearth", region: "eu-central-1" },
                    ...{ accessKey: "key", secretKey: "secret", insecure: false },
                },
            },
            server: { "kubelet-arg": ["max-pods=200"] },
            agent: { "kubelet-arg": ["max-pods=200"] },
        },
        registries: {
            "docker.io": {
                mirrors: ["https://mirror.example.com"],
                rewrite: { "^library/(.*)": "proxy/$1" },
                ...{ username: "home", password: "secret" },
                ca: "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n",
            },
        },
        discard: ["media/jellyfin"],
        identity: { cluster: "0123456789abcdef", serverToken: "token", agentToken: "token" },
        storage: {
            passphrase: "a passphrase of the data disks",
            mount: "/export/media",
        },
    },
} as const;

/** Names in a record of the configs represent all possible ones. */
export function namesOf(path: Path): string {
    const names: Readonly<Record<string, string>> = {
        secrets: "vaultwarden",
        "secrets.vaultwarden": "admin-token",
        rotations: "garage",
        "rotations.garage": "admin-token",
        "nodes.0.labels": "disks",
        "k3s.server": "kubelet-arg",
        "k3s.agent": "kubelet-arg",
        registries: "docker.io",
        "registries.docker.io.rewrite": "^library/(.*)",
    };
    return names[path.join(".")] ?? "?";
}

/** A config as Pulumi passes it to the program: strings, and JSON for structured values. */
export function rawConfig(config: object, secretKeys: Iterable<string> = []): RawConfig {
    const values = Object.entries(config).map(([key, value]) => [
        key,
        typeof value === "string" ? value : JSON.stringify(value),
    ]);
    return { stack: "home", values: Object.fromEntries(values), secretKeys: new Set(secretKeys) };
}
