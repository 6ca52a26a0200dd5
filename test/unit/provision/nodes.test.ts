import { spawnSync } from "node:child_process";
import { type ApiSettings, k3sSchema, nodesSchema } from "../../../config/nodes";
import { Nodes, renewalPeriod } from "../../../provision/nodes";
import { planSteps } from "../../../provision/plan";
import { mockEngine, type Registered, settled } from "../components/mocks";
import { publicKey } from "../keys";

const privateKey = "-----BEGIN OPENSSH PRIVATE KEY-----\nthe-private-key\n";

const passphrase = "a passphrase of the data disks";

const machine = (name: string, role: "server" | "agent", last: number) => ({
    name,
    role,
    address: `10.0.0.${last}`,
    user: "admin",
    hostKey: publicKey,
});

const three = [machine("a", "server", 1), machine("b", "server", 2), machine("c", "server", 3)];
const mixed = [machine("w1", "agent", 4), machine("a", "server", 1), machine("w2", "agent", 5)];

const disks = ["A", "B", "C", "D"].map((serial) => ({ device: `/dev/disk/by-id/${serial}`, size: "4TB", serial }));
const unlock = { address: "10.0.0.4/24", gateway: "10.0.0.254", interface: "eth0", keys: [publicKey] };

async function register(nodes: object[], api?: ApiSettings): Promise<Registered[]> {
    const registered = await mockEngine();
    new Nodes("nodes", {
        nodes: nodesSchema.parse(nodes),
        ssh: { privateKey },
        ...(api === undefined ? {} : { api }),
        k3s: k3sSchema.parse({ source: "/srv/k3s" }),
        storage: { passphrase, mount: "/export/media" },
    });
    await settled();
    return registered;
}

/** The names of all direct and indirect dependencies of a resource. */
function waitsFor(registered: readonly Registered[], name: string): string[] {
    const byUrn = new Map(registered.map((each) => [each.urn, each]));
    const seen = new Set<string>();
    const visit = (urn: string) => {
        for (const dependency of byUrn.get(urn)?.dependencies ?? []) {
            if (!seen.has(dependency)) {
                seen.add(dependency);
                visit(dependency);
            }
        }
    };
    visit(registered.find((each) => each.name === name)?.urn ?? "");
    return [...seen].map((urn) => byUrn.get(urn)?.name ?? urn);
}

const scripts = (registered: readonly Registered[]) =>
    registered.filter(({ type }) => type === "command:remote:Command");

test("changes no host before it has inspected all of them", async () => {
    const registered = await register(mixed);
    expect(scripts(registered)).not.toHaveLength(0);
    for (const { name } of scripts(registered)) {
        expect(waitsFor(registered, name)).toContain("preflight");
    }
});

test("Pulumi gets the steps of the plan, in its order", async () => {
    const nodes = nodesSchema.parse([{ ...machine("w1", "agent", 4), disks, unlock }, machine("a", "server", 1)]);
    const registered = await register(nodes);
    const [, first] = nodes;
    const plan = first === undefined ? [] : planSteps(nodes, first, { virtual: false });

    const commands = scripts(registered);
    expect(commands.map(({ name }) => name).sort()).toEqual(plan.map(({ name }) => name).sort());
    for (const { name, after } of plan) {
        expect({ name, waitsFor: waitsFor(registered, name) }).toEqual({
            name,
            waitsFor: expect.arrayContaining([...after]),
        });
    }
    const { stdin: _, ...rest } = commands.find(({ name }) => name === "w1-unlock")?.inputs ?? {};
    expect(JSON.stringify(rest)).not.toContain(passphrase);
});

test("the first server looks up a member", async () => {
    const registered = await register(mixed);
    const member = registered.find(({ name }) => name === "w1-member");
    expect(JSON.stringify(member?.inputs["connection"])).toContain("10.0.0.1");
});

test("a delete has the machine id of the provisioned host", async () => {
    const registered = await register(three, { address: "10.0.0.9", virtual: true });
    const deletes = scripts(registered).filter(({ inputs }) => inputs["delete"] !== undefined);
    expect(deletes.map(({ name }) => name).sort()).toEqual(
        ["a", "b", "c"].flatMap((name) => [`${name}-api-address`, `${name}-k3s-join`, `${name}-leave`]),
    );
    for (const { name, inputs } of deletes) {
        const node = name.slice(0, 1);
        expect([name, JSON.stringify(inputs["stdin"])]).toEqual([
            name,
            expect.stringContaining(`machine='generated-${node}-baseline'`),
        ]);
    }
});

test("nothing runs on a node that is offline", async () => {
    const registered = await register([machine("a", "server", 1), { ...machine("w1", "agent", 4), offline: true }]);
    const ignored = scripts(registered).map(({ name, ignoreChanges }) => [name, ignoreChanges]);
    for (const [name, changes] of ignored) {
        expect([name, changes]).toEqual([name, String(name).startsWith("w1-") ? ["*"] : []]);
    }
    // New steps, for instance of a later version, are recorded without contacting it.
    for (const { name, inputs } of scripts(registered).filter(({ name: each }) => String(each).startsWith("w1-"))) {
        expect([name, inputs]).toEqual([
            name,
            expect.objectContaining({ create: "true", stdin: "", connection: expect.anything() }),
        ]);
        expect(inputs["delete"]).toBeUndefined();
        expect(JSON.stringify(inputs["connection"])).toContain('"host":"10.0.0.1"');
    }
    const preflight = registered.find(({ name }) => name === "preflight");
    expect(JSON.stringify(preflight?.inputs["stdin"])).not.toContain('\\"name\\":\\"w1\\"');
});

test("the kubeconfig is read again each month", () => {
    expect(renewalPeriod(new Date("2026-11-30T23:59:59Z"))).toBe("2026-11");
    expect(renewalPeriod(new Date("2026-12-01T00:00:00Z"))).toBe("2026-12");
});

test("the key, the tokens and the kubeconfig are secrets in every resource", async () => {
    const registered = await register(three, { address: "10.0.0.9", virtual: false });
    /** The value without its secret marker. */
    const plain = (value: unknown): unknown => {
        if (Array.isArray(value)) {
            return value.map(plain);
        }
        if (typeof value !== "object" || value === null) {
            return value;
        }
        return "4dabf18193072939515e22adb298388d" in value
            ? "secret"
            : Object.fromEntries(Object.entries(value).map(([key, each]) => [key, plain(each)]));
    };
    const shown = JSON.stringify(registered.map(({ inputs }) => plain(inputs)));
    // Booleans, since a failure would print all inputs of every node.
    for (const secret of [
        "the-private-key",
        passphrase,
        "generated-server-token",
        "generated-agent-token",
        "generated-a-cred",
    ]) {
        expect([secret, shown.includes(secret)]).toEqual([secret, false]);
    }
    const all = JSON.stringify(registered.map(({ inputs }) => inputs));
    expect(all.includes("generated-server-token")).toBe(true);
});

test("a connection checks the node's host key", async () => {
    const registered = scripts(await register(mixed));
    expect(registered.length).toBeGreaterThan(0);
    for (const { inputs } of registered) {
        expect(JSON.stringify(inputs["connection"])).toContain(publicKey);
    }
});

test("the host ends a script that hangs, since Pulumi's timeouts do not", async () => {
    const registered = scripts(await register(mixed));
    expect(registered.length).toBeGreaterThan(0);
    for (const { name, inputs } of registered) {
        const { create } = inputs;
        expect([name, create]).toEqual([
            name,
            expect.stringMatching(/timeout --kill-after=30 (900|1800) bash -s create/),
        ]);
        const hangs = `${create}`.replace(/timeout --kill-after=30 \d+ bash -s create/g, "timeout 0.01 sleep 60");
        expect(spawnSync("sh", ["-c", hangs.replace("sudo -n ", "")], { encoding: "utf8" })).toMatchObject({
            status: 124,
            stderr: expect.stringMatching(/^not done within (15|30) minutes, and stopped: .*rerun "pulumi up"\n$/),
        });
    }
});
