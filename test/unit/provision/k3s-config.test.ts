import { parse } from "yaml";
import { k3sSchema, nodeSchema } from "../../../config/nodes";
import { type K3sMembership, k3sConfig, registrationConfig } from "../../../provision/k3s-config";
import { publicKey } from "../keys";

const node = (role: "server" | "agent") =>
    nodeSchema.parse({ name: "a", address: "10.0.0.1", user: "root", hostKey: publicKey, role });

const membership = (settings: object = {}, more: Partial<K3sMembership> = {}): K3sMembership => ({
    ...{ api: "10.0.0.9", token: "own", agentToken: "agents", settings: k3sSchema.parse(settings) },
    ...more,
});

test("the certificate names the API's address, whatever the servers: adding a server restarts none", () => {
    const config = k3sConfig(node("server"), membership());
    expect(parse(config)).toMatchObject({ "tls-san": ["10.0.0.9"] });
    expect(k3sConfig(node("server"), membership({}, { joins: "10.0.0.2", token: "K10::server:own" }))).toBe(config);
});

test("the first server starts the cluster, others join it at its own address", () => {
    expect(parse(registrationConfig(node("server"), membership()))).toEqual({ token: "own", "cluster-init": true });
    expect(parse(registrationConfig(node("server"), membership({}, { joins: "10.0.0.2" })))).toEqual({
        token: "own",
        server: "https://10.0.0.2:6443",
    });
    expect(parse(k3sConfig(node("agent"), membership({}, { joins: "10.0.0.2" })))).toMatchObject({
        token: "own",
        server: "https://10.0.0.9:6443",
    });
});

test("the home's own arguments are appended to lists, and added to the program's", () => {
    const settings = {
        server: { "kubelet-arg": ["max-pods=200"], disable: "traefik", "flannel-backend": "host-gw" },
        agent: { "kubelet-arg": ["max-pods=50"] },
    };
    expect(parse(k3sConfig(node("server"), membership(settings)))).toMatchObject({
        "kubelet-arg": ["streaming-connection-idle-timeout=5m", "max-pods=200"],
        disable: ["servicelb", "traefik"],
        "flannel-backend": "host-gw",
        "node-name": "a",
    });
    expect(parse(k3sConfig(node("agent"), membership(settings)))).toMatchObject({ "kubelet-arg": ["max-pods=50"] });
});

test.each(["token", "server", "node-ip", "cluster-reset", "datastore-endpoint"])(
    "%s can only be set by the program",
    (key) => {
        const { error } = k3sSchema.safeParse({ server: { [key]: "x" } });
        expect(error?.issues).toHaveLength(1);
    },
);

test("snapshots are uploaded to a bucket, too", () => {
    const s3 = { endpoint: "s3.example.com", bucket: "home", accessKey: "id", secretKey: "key" };
    expect(parse(k3sConfig(node("server"), membership({ snapshots: { s3 } })))).toMatchObject({
        "etcd-snapshot-retention": 28,
        "etcd-s3": true,
        "etcd-s3-endpoint": "s3.example.com",
        "etcd-s3-folder": "hearth",
        "etcd-s3-secret-key": "key",
    });
});
