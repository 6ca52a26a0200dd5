import { linesOf } from "../docs/pages";
import { until } from "../sandbox/home";
import { type LiveNode, MachineHome, printed } from "./home";

// Milliseconds for starting machines and a run over all of them on a busy host.
jest.setTimeout(600_000);

/** The address that the servers share. */
const address = "10.77.0.9";

let home: MachineHome;

beforeAll(async () => {
    home = await MachineHome.create("s1", "s2", "s3");
    home.api = { address, virtual: true };
});

afterAll(async () => {
    await home?.remove();
});

const up = () => printed(home.stack.up());

const conditionsOf = (node: LiveNode | undefined) => node?.status.conditions ?? [];

/** Names of the nodes in the API, all of which must be Ready. */
async function readyNodes(): Promise<string[]> {
    const live = [...(await home.liveNodes()).values()];
    for (const node of live) {
        expect(conditionsOf(node)).toContainEqual(expect.objectContaining({ type: "Ready", status: "True" }));
    }
    return live.map(({ metadata }) => metadata.name).sort();
}

/** Follows docs/nodes.md for a dead node; `prepare` replaces the machine, and its entry in the config. */
async function replace(name: string, prepare: () => Promise<void>): Promise<void> {
    const [forget = "", run = "", ...others] = linesOf("docs/nodes.md");
    expect(others).toEqual([]);
    expect(await printed(home.stack.type(forget.replace("node-2", name)))).toContain(
        `${name} is removed from the cluster and forgotten.`,
    );
    await prepare();
    await printed(home.stack.type(run));
}

/** Cuts a server's power, and waits until the API answers without it and reports it as not Ready. */
async function die(server: string): Promise<void> {
    await home.machine(server).powerOff();
    await until(`the API answers without ${server}, and knows of it`, 120_000, async () => {
        const { exitCode, output } = await home.kubectl("get", "nodes", "--request-timeout=5s");
        return exitCode === 0 && new RegExp(`^${server} +NotReady`, "m").test(output);
    });
}

/** The server that has the address. */
async function holders(): Promise<string[]> {
    const found = await Promise.all(
        home.machines.map(async (machine) => ({
            name: machine.name,
            output: (await machine.run(`ip -oneline address show to ${address}`)).output,
        })),
    );
    return found.filter(({ output }) => output.includes(address)).map(({ name }) => name);
}

test("an API address that another host uses is not taken from it", async () => {
    home.network.hold(address);
    home.configure();
    const { exitCode, output } = await home.stack.up();
    home.network.release(address);

    expect(exitCode).not.toBe(0);
    expect(output.replace(/\s+/g, " ")).toMatch(
        /s1 fatal another host has the address 10\.77\.0\.9 already choose a free one for hearth:api\.address/,
    );
    expect(home.machines.map((machine) => machine.has("/etc/hearth"))).toEqual([false, false, false]);
});

test("three servers form one cluster, joined one after the other by the full token", async () => {
    home.configure();
    const output = await up();

    const live = [...(await home.liveNodes()).values()];
    expect(live.map(({ metadata }) => metadata.name).sort()).toEqual(["s1", "s2", "s3"]);
    for (const node of live) {
        expect(node.metadata.labels).toHaveProperty(["node-role.kubernetes.io/control-plane"]);
        expect(conditionsOf(node)).toContainEqual(expect.objectContaining({ type: "Ready", status: "True" }));
    }
    const starts = output.match(/\[s\d\] changed: k3s\.service runs/g) ?? [];
    expect([...new Set(starts)].map((line) => line.slice(1, 3))).toEqual(["s1", "s2", "s3"]);
    for (const name of ["s2", "s3"]) {
        const config = home.machine(name).read("/etc/rancher/k3s/config.yaml");
        // A boolean: a failure must not print the token.
        expect([name, /^token: K10[0-9a-f]{64}::server:\S+$/m.test(config)]).toEqual([name, true]);
        expect(config).toContain(`server: https://${home.machine("s1").address}:6443`);
    }
});

test("one of them has the address of the API", async () => {
    expect(await home.stack.output("kubeconfig")).toContain(`server: https://${address}:6443`);
    expect(await holders()).toHaveLength(1);
});

test("a server with another token is not part of the cluster", async () => {
    const { exitCode, output } = await home
        .machine("s3")
        .run(
            "cd /etc/rancher/k3s && cp -p config.yaml kept && " +
                "sed -i 's/^token: .*/token: K10'$(printf 0%.0s {1..64})'::server:wrong/' config.yaml && k3s server; " +
                "code=$?; mv kept config.yaml; exit $code",
        );
    expect(exitCode).not.toBe(0);
    expect(output).toContain("token CA hash does not match");
});

describe("when the first server has died", () => {
    test("the API answers at the same address, and work that needs no node continues", async () => {
        await die("s1");
        expect(await holders()).toHaveLength(1);
        expect(await up()).not.toMatch(/\[s\d\]/);
    });

    test("a server that is alive is not forgotten", async () => {
        const { exitCode, output } = await home.stack.hack("forget-node", "s2");
        expect(exitCode).toBe(1);
        expect(output).toContain("s2 is Ready in the cluster, so it is not forgotten. To remove it, delete it from");
        expect((await home.liveNodes()).size).toBe(3);
    });

    test("another host replaces it, as docs/nodes.md describes", async () => {
        await replace("s1", async () => {
            await home.addMachines("s4");
            home.configure(home.nodes().filter(({ name }) => name !== "s1"));
        });
        expect(await readyNodes()).toEqual(["s2", "s3", "s4"]);
    });
});

describe("when the next one has died", () => {
    test("the API answers without it too", async () => {
        await die("s2");
    });

    test("the same host replaces it with a new Debian, as docs/nodes.md describes", async () => {
        await replace("s2", async () => {
            await home.machine("s2").reinstall();
            const [s2, ...others] = home.nodes().filter(({ name }) => name !== "s1");
            home.configure([...others, ...(s2 === undefined ? [] : [s2])]);
        });
        expect(await readyNodes()).toEqual(["s2", "s3", "s4"]);
    });
});
