import { setTimeout as pause } from "node:timers/promises";
import { MachineHome, type NodeConfig, printed } from "./home";

// Milliseconds for runs over several machines on a busy host.
jest.setTimeout(600_000);

let home: MachineHome;

beforeAll(async () => {
    home = await MachineHome.create("s1", "s2", "s3");
});

afterAll(async () => {
    await home?.remove();
});

const up = () => printed(home.stack.up());

/** The nodes with these names, from the config. */
const nodesNamed = (...names: string[]): NodeConfig[] =>
    names.flatMap((name) => home.nodes().filter((node) => node.name === name));

/** Objects that something keeps writing into the cluster, at a server's own address, until it is stopped. */
class Writer {
    private readonly acknowledged: string[] = [];
    private stopped = false;
    private readonly ended: Promise<void>;

    constructor() {
        this.ended = this.write();
    }

    private async write(): Promise<void> {
        for (let number = 0; !this.stopped; number++) {
            const name = `write-${number}`;
            const { exitCode } = await home
                .machine("s1")
                .run(`k3s kubectl --request-timeout=5s create configmap ${name}`);
            if (exitCode === 0) {
                this.acknowledged.push(name);
            }
            await pause(200);
        }
    }

    /** Ends it, and returns the acknowledged writes and those that the cluster has lost. */
    async stop(): Promise<{ readonly acknowledged: number; readonly lost: string[] }> {
        this.stopped = true;
        await this.ended;
        const { output } = await home.machine("s1").run("k3s kubectl get configmaps -o name");
        const kept = new Set(output.split("\n"));
        const lost = this.acknowledged.filter((name) => !kept.has(`configmap/${name}`));
        return { acknowledged: this.acknowledged.length, lost };
    }
}

describe("a home with one server", () => {
    let writer: Writer;

    test("is a cluster", async () => {
        home.configure(nodesNamed("s1"));
        await up();
        writer = new Writer();
    });

    test("gets two more servers, and an API address that its certificate did not have", async () => {
        home.api = { address: "10.77.0.9", virtual: true };
        home.configure(nodesNamed("s1", "s2", "s3"));
        await up();
        expect([...(await home.liveNodes()).keys()].sort()).toEqual(["s1", "s2", "s3"]);
    });

    test("does not change when its entries are reordered", async () => {
        home.configure(nodesNamed("s3", "s1", "s2"));
        expect(await up()).not.toMatch(/changed:|cordoned/);
    });

    test("moves to another API address, one server at a time", async () => {
        home.api = { address: "10.77.0.8", virtual: true };
        home.configure(nodesNamed("s1", "s2", "s3"));
        const output = await up();
        const turns = output.match(/\[\w+\] node\/\w+ uncordoned/g) ?? [];
        expect([...new Set(turns)]).toEqual(["s1", "s2", "s3"].map((name) => `[${name}] node/${name} uncordoned`));
        expect(await home.stack.output("kubeconfig")).toContain("https://10.77.0.8:6443");
    });

    test("shrinks to one server: each leaves etcd before it stops, and no acknowledged write is lost", async () => {
        home.configure(nodesNamed("s1"));
        const output = await up();
        for (const name of ["s2", "s3"]) {
            const [left, uninstalled] = [
                `[${name}] changed: ${name} was removed from etcd`,
                `[${name}] changed: k3s is uninstalled`,
            ];
            expect(output).toContain(uninstalled);
            expect(output.indexOf(left)).toBeLessThan(output.indexOf(uninstalled));
        }
        expect([...(await home.liveNodes()).keys()]).toEqual(["s1"]);
        const { acknowledged, lost } = await writer.stop();
        expect(lost).toEqual([]);
        expect(acknowledged).toBeGreaterThan(20);
    });
});

describe("a node", () => {
    test("rejects a renamed node, and continues once the old name is restored", async () => {
        const before = await home.machine("s1").fingerprint();
        home.configure(nodesNamed("s1").map((node) => ({ ...node, name: "box" })));
        const renamed = await home.stack.up();
        expect(renamed.exitCode).not.toBe(0);
        expect(renamed.output.replace(/\s+/g, " ")).toMatch(/box fatal this host is the node s1 name it s1/);

        home.configure(nodesNamed("s1"));
        await up();
        expect(await home.machine("s1").fingerprint()).toBe(before);
    });

    test("rejects another address for a server, which etcd knows by its address", async () => {
        await home.machine("s1").run("ip address add 10.77.0.99/24 dev eth0");
        home.configure(nodesNamed("s1").map((node) => ({ ...node, address: "10.77.0.99" })));
        const { exitCode, output } = await home.stack.up();
        await home.machine("s1").run("ip address delete 10.77.0.99/24 dev eth0");
        home.configure(nodesNamed("s1"));

        expect(exitCode).not.toBe(0);
        expect(output.replace(/\s+/g, " ")).toMatch(
            /s1 fatal its address was 10\.77\.0\.11, .* assign it 10\.77\.0\.11 again/,
        );
    });

    test("keeps a node with a claim's data, and removes it once the claim is given up", async () => {
        home.configure(nodesNamed("s1").concat(nodesNamed("s2").map((node) => ({ ...node, role: "agent" }))));
        await up();
        const folder = "/var/lib/rancher/k3s/storage/pvc-1-2_media_jellyfin-config";
        await home.machine("s2").run(`mkdir -p ${folder} && echo films > ${folder}/library.db`);
        home.configure(nodesNamed("s1"));
        const { exitCode, output } = await home.stack.up();
        expect(exitCode).not.toBe(0);
        expect(output).toMatch(/it has the only copy of the data of these claims:[\s\S]*- media\/jellyfin-config/);
        expect(home.machine("s2").has(`${folder}/library.db`)).toBe(true);
        expect((await home.liveNodes()).get("s2")?.spec.unschedulable ?? false).toBe(false);

        const both = nodesNamed("s1").concat(nodesNamed("s2").map((node) => ({ ...node, role: "agent" })));
        home.configure(both, undefined, { discard: ["media/jellyfin-config"] });
        await up();
        home.configure(nodesNamed("s1"), undefined, { discard: ["media/jellyfin-config"] });
        expect(await up()).toContain("deleted with s2: the data of media/jellyfin-config");
        expect([...(await home.liveNodes()).keys()]).toEqual(["s1"]);
    });

    test("keeps a node whose claim has changed since its copy, and removes it after the next copy", async () => {
        home.configure(nodesNamed("s1").concat(nodesNamed("s2").map((node) => ({ ...node, role: "agent" }))));
        await up();
        const metadata = { name: "photos-data", namespace: "photos" };
        await home.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: "photos" } });
        await home.apply({ apiVersion: "v1", kind: "ServiceAccount", metadata: { ...metadata, name: "default" } });
        await home.apply({
            ...{ apiVersion: "v1", kind: "PersistentVolumeClaim", metadata },
            spec: {
                ...{ accessModes: ["ReadWriteOnce"], volumeName: "pvc-3-4", storageClassName: "local-path" },
                resources: { requests: { storage: "1Gi" } },
            },
        });
        /** A pod that copied the claim, some seconds ago. */
        const copied = async (name: string, seconds: number) => {
            const labels = { "hearth/backup": "backup", "hearth/claim": "photos-data" };
            await home.apply({
                ...{ apiVersion: "v1", kind: "Pod", metadata: { ...metadata, name, labels } },
                spec: { nodeName: "s2", containers: [{ name: "copy", image: "copy" }] },
            });
            const startTime = new Date(Date.now() - seconds * 1_000).toISOString();
            const status = JSON.stringify({ status: { phase: "Succeeded", startTime } });
            const patch = ["patch", "pod", name, "--subresource=status", "--type=merge", `--patch=${status}`];
            await printed(home.kubectl("--namespace=photos", ...patch));
        };
        const folder = "/var/lib/rancher/k3s/storage/pvc-3-4_photos_photos-data";
        const hostname = { key: "kubernetes.io/hostname", operator: "In", values: ["s2"] };
        await home.apply({
            ...{ apiVersion: "v1", kind: "PersistentVolume", metadata: { name: "pvc-3-4" } },
            spec: {
                ...{ accessModes: ["ReadWriteOnce"], capacity: { storage: "1Gi" }, storageClassName: "local-path" },
                ...{ hostPath: { path: folder }, claimRef: { ...metadata, kind: "PersistentVolumeClaim" } },
                nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [hostname] }] } },
            },
        });
        await home.machine("s2").run(`mkdir -p ${folder} && echo 1 > ${folder}/album`);
        await copied("night", 60);
        home.configure(nodesNamed("s1"));
        const preview = await printed(home.stack.pulumi("preview"));
        const { exitCode, output } = await home.stack.up();
        expect(exitCode).not.toBe(0);
        expect(output).toMatch(/- photos\/photos-data \(changed since its last copy, of \S+: album\)/);
        expect(preview).toMatch(/not in its last copy[\s\S]*photos\/photos-data on s2, copied at \d/);
        expect((await home.liveNodes()).get("s2")?.spec.unschedulable ?? false).toBe(false);

        await copied("today", -2);
        expect(await up()).toContain("deleted with s2: the data of photos/photos-data");
        expect([...(await home.liveNodes()).keys()]).toEqual(["s1"]);
    });

    test("does not wait for a node that is offline, even a new one, and sets it up once it is online", async () => {
        const agents = nodesNamed("s2").map((node): NodeConfig => ({ ...node, role: "agent" }));
        const off = agents.map((node): NodeConfig => ({ ...node, address: "10.77.0.98", offline: true }));
        const labeled = nodesNamed("s1").map((node): NodeConfig => ({ ...node, labels: { room: "attic" } }));
        home.configure([...labeled, ...off]);
        expect(await up()).toContain("label of s1: room=attic");
        expect([...(await home.liveNodes()).keys()]).toEqual(["s1"]);

        home.configure([...labeled, ...agents]);
        await up();
        expect([...(await home.liveNodes()).keys()].sort()).toEqual(["s1", "s2"]);

        home.configure([...nodesNamed("s1"), ...off]);
        await up();
        expect([...(await home.liveNodes()).keys()].sort()).toEqual(["s1", "s2"]);
        home.configure([...nodesNamed("s1"), ...agents]);
        await up();
        home.configure(nodesNamed("s1"));
        await up();
        expect([...(await home.liveNodes()).keys()]).toEqual(["s1"]);
    });

    test("keeps its cluster when the state is lost, by hack/recover", async () => {
        const before = await home.machine("s1").fingerprint();
        await home.stack.loseState();
        home.configure(nodesNamed("s1"));
        const refused = await home.stack.up();
        expect(refused.exitCode).not.toBe(0);
        expect(refused.output.replace(/\s+/g, " ")).toMatch(/this host runs k3s of another cluster .*hack\/recover/);

        expect(await printed(home.stack.hack("recover"))).toContain("keeps its id and tokens, encrypted");
        expect(await up()).not.toContain("changed:");
        expect(await home.machine("s1").fingerprint()).toBe(before);
        expect([...(await home.liveNodes()).keys()]).toEqual(["s1"]);
    });
});
