import { MachineHome } from "./home";

// Machines that start, and a run over all of them, on a host that may be busy.
jest.setTimeout(300_000);

let home: MachineHome;

beforeAll(async () => {
    home = await MachineHome.create("s1", "s2", "s3");
});

afterAll(async () => {
    await home?.remove();
});

test("three servers become one cluster, joined one after the other by the full token", async () => {
    home.configure();
    const { exitCode, output } = await home.stack.up();
    expect({ exitCode, output }).toMatchObject({ exitCode: 0 });

    const live = [...(await home.liveNodes()).values()];
    expect(live.map(({ metadata }) => metadata.name).sort()).toEqual(["s1", "s2", "s3"]);
    for (const { metadata, status } of live) {
        expect(metadata.labels).toHaveProperty(["node-role.kubernetes.io/control-plane"]);
        expect(status.conditions).toContainEqual(expect.objectContaining({ type: "Ready", status: "True" }));
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

test("a server with another token is no part of it", async () => {
    const { exitCode, output } = await home
        .machine("s3")
        .run(
            "sed -i 's/^token: .*/token: K10'$(printf 0%.0s {1..64})'::server:wrong/' /etc/rancher/k3s/config.yaml && " +
                "k3s server",
        );
    expect(exitCode).not.toBe(0);
    expect(output).toContain("token CA hash does not match");
});
