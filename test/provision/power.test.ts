import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "../sandbox/home";
import { MachineHome } from "./home";
import { batteryRunsLow } from "./power-ups";

// Hosts that become a cluster, are shut down and start again.
jest.setTimeout(1_200_000);

let home: MachineHome;

beforeAll(async () => {
    home = await MachineHome.create("s1", "a2");
    home.configure();
    expect(await home.stack.up()).toHaveEndedWith(0);
});

afterAll(async () => {
    await home?.remove();
});

const isOff = async (name: string) => (await home.machine(name).run("true")).exitCode === -1;

/** Disconnects each machine that has shut down. Returns their order. */
async function untilAllAreOff(): Promise<string[]> {
    const order: string[] = [];
    await until("all machines are off", 600_000, async () => {
        for (const { name } of home.machines) {
            if (!order.includes(name) && (await isOff(name))) {
                home.network.detach(name);
                order.push(name);
            }
        }
        return order.length === home.machines.length;
    });
    return order;
}

const value = async (path: string, ...object: string[]) =>
    (await home.kubectl("get", ...object, "--output", `jsonpath={${path}}`)).output;

test("a UPS that runs low stops the services, then agents, then servers; they start again with the nodes, unchanged", async () => {
    const objects = [
        {
            apiVersion: "apiextensions.k8s.io/v1",
            kind: "CustomResourceDefinition",
            metadata: { name: "applications.argoproj.io" },
            spec: {
                group: "argoproj.io",
                scope: "Namespaced",
                names: { kind: "Application", plural: "applications", singular: "application" },
                versions: [
                    {
                        ...{ name: "v1alpha1", served: true, storage: true },
                        schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
                    },
                ],
            },
        },
        { apiVersion: "v1", kind: "Namespace", metadata: { name: "argocd" } },
        { apiVersion: "v1", kind: "Namespace", metadata: { name: "books" } },
        {
            apiVersion: "apps/v1",
            kind: "Deployment",
            metadata: { name: "kavita", namespace: "books" },
            spec: {
                replicas: 2,
                selector: { matchLabels: { app: "kavita" } },
                template: {
                    metadata: { labels: { app: "kavita" } },
                    spec: { containers: [{ name: "main", image: "example.com/kavita:1" }] },
                },
            },
        },
    ];
    const application = {
        apiVersion: "argoproj.io/v1alpha1",
        kind: "Application",
        metadata: { name: "kavita", namespace: "argocd", annotations: { "argocd.argoproj.io/sync-wave": "3" } },
        spec: { destination: { namespace: "books" } },
        status: { resources: [{ kind: "Deployment", namespace: "books", name: "kavita" }] },
    };
    for (const each of [...objects, application]) {
        const file = join(home.folder, "object.json");
        writeFileSync(file, JSON.stringify(each));
        await until(`${each.kind} is accepted`, 60_000, async () => {
            const { exitCode } = await home.kubectl("apply", "--filename", file);
            return exitCode === 0;
        });
    }
    const replicas = () => value(".spec.replicas", "deployment", "kavita", "--namespace=books");
    const annotations = () => value(".metadata.annotations", "application", "kavita", "--namespace=argocd");

    const order = untilAllAreOff();
    const off = await batteryRunsLow(home.stack);

    expect(off).toHaveEndedWith(0);
    expect(await order).toEqual(["a2", "s1"]);
    expect(off.output).toMatch(
        /stopping tier 3\n.*shutting down a2\nshutting down s1\n.*this computer is shut down\n/s,
    );

    await Promise.all(home.machines.map((machine) => machine.start()));
    const unit = "/etc/systemd/system/hearth-power-on.service";
    await until("the service is started", 300_000, async () => (await replicas()) === "2");
    // No controller creates its pods here, so the script would wait for them.
    await until("Argo CD no longer skips it", 60_000, async () => !(await annotations()).includes("skip-reconcile"));
    expect(await home.kubectl("delete", "deployment", "kavita", "--namespace=books")).toHaveEndedWith(0);
    await until("the unit has removed itself", 120_000, async () => !home.machine("s1").has(unit));
    expect((await home.kubectl("get", "configmaps", "--namespace=kube-system")).output).not.toContain("power-off");
    expect(home.machine("s1").has("/usr/local/sbin/hearth-power-on")).toBe(false);

    const on = await home.stack.hack("power", "on");
    expect(on.exitCode).toBe(1);
    expect(on.output).toContain("s1 has nothing to start");
});
