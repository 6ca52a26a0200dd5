import { type LiveNode, MachineHome, versions } from "./home";

// Draining a node may take five minutes.
jest.setTimeout(900_000);

let home: MachineHome;

beforeAll(async () => {
    home = await MachineHome.create("s1", "a1");
});

afterAll(async () => {
    await home?.remove();
});

const versionOf = (node: LiveNode | undefined) => node?.status.nodeInfo.kubeletVersion;

test("a node whose pods cannot be evicted keeps running them, and is upgraded once they can", async () => {
    home.configure();
    expect(await home.stack.up()).toHaveEndedWith(0);
    // A pod on a1 with a controller, and a budget that does not allow its eviction.
    const overrides = {
        spec: { nodeName: "a1" },
        metadata: {
            ownerReferences: [
                { apiVersion: "apps/v1", kind: "ReplicaSet", name: "held", uid: "held", controller: true },
            ],
        },
    };
    for (const args of [
        ["create", "serviceaccount", "default"],
        ["run", "held", "--image=held", "--labels=app=held", `--overrides=${JSON.stringify(overrides)}`],
        ["patch", "pod", "held", "--subresource=status", "--type=merge", '--patch={"status":{"phase":"Running"}}'],
        ["create", "poddisruptionbudget", "held", "--selector=app=held", "--min-available=1"],
    ]) {
        expect(await home.kubectl(...args)).toHaveEndedWith(0);
    }
    home.configure(undefined, versions[1]);

    const held = await home.stack.up();

    expect(held.exitCode).not.toBe(0);
    expect(held.output).toContain("global timeout reached: 5m0s");
    expect(held.output).toContain(
        "[a1] a1 was not drained within 5 minutes and was not changed: see above for the pods that stay",
    );
    const live = await home.liveNodes();
    expect([versionOf(live.get("s1")), versionOf(live.get("a1"))]).toEqual([versions[1], versions[0]]);
    expect(live.get("a1")?.spec.unschedulable ?? false).toBe(false);

    await home.kubectl("delete", "poddisruptionbudget", "held");
    // No kubelet ends it here.
    await home.kubectl("delete", "pod", "held", "--force");
    expect(await home.stack.up()).toHaveEndedWith(0);
    expect(versionOf((await home.liveNodes()).get("a1"))).toBe(versions[1]);
});
