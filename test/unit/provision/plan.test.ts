import { firstServer, formatPlan, type PlannedNode, planSteps, stepKinds } from "../../../provision/plan";

const node = (name: string, role: "server" | "agent", more: Partial<PlannedNode> = {}): PlannedNode => ({
    ...{ name, role, disks: [], offline: false },
    ...more,
});

const one = [node("w1", "agent"), node("a", "server"), node("w2", "agent")];
const three = [node("a", "server"), node("b", "server"), node("c", "server"), node("w1", "agent")];

function plan(nodes: readonly PlannedNode[], virtual = false) {
    const first = firstServer(nodes);
    if (first === undefined) {
        throw new Error("no server");
    }
    return planSteps(nodes, first, { virtual });
}

/** All steps that end before the given one starts. */
function before(nodes: readonly PlannedNode[], name: string, virtual = false): string[] {
    const steps = new Map(plan(nodes, virtual).map((step) => [step.name, step.after]));
    const seen = new Set<string>();
    const visit = (each: string) => {
        for (const dependency of steps.get(each) ?? []) {
            if (!seen.has(dependency)) {
                seen.add(dependency);
                visit(dependency);
            }
        }
    };
    visit(name);
    return [...seen];
}

test("a plan of one server and one agent, as a reader sees it", () => {
    const nas = node("nas", "agent", { disks: ["A"], unlock: {} });
    expect(formatPlan(plan([node("a", "server"), nas]))).toBe(`a-k3s-binary
nas-k3s-binary
a-baseline <- a-k3s-binary, nas-k3s-binary
a-access <- a-baseline
a-access-confirmed <- a-access
nas-baseline <- a-k3s-binary, nas-k3s-binary
nas-access <- nas-baseline
nas-access-confirmed <- nas-access
nas-storage <- nas-access-confirmed
nas-unlock <- nas-storage
a-k3s-join <- a-access-confirmed, nas-unlock
a-k3s-converge <- a-k3s-join
a-credentials <- a-k3s-converge
a-api <- a-k3s-converge, a-credentials
nas-k3s-join <- a-api
nas-k3s-converge <- nas-k3s-join
a-leave <- a-api, a-k3s-converge
a-member <- a-leave
nas-leave <- a-leave, nas-k3s-converge
nas-member (on a) <- nas-leave`);
});

test.each([
    ["one server", one, false],
    ["three servers", three, false],
    ["three servers that hold the API's address", three, true],
])("a plan of %s names each step once, and each step depends on earlier steps", (_, nodes, virtual) => {
    const names: string[] = [];
    for (const { name, kind, after } of plan(nodes, virtual)) {
        expect(names).not.toContain(name);
        expect(names).toEqual(expect.arrayContaining([...after]));
        expect(stepKinds).toContain(kind);
        names.push(name);
    }
});

test("no host is changed before every host has the pinned k3s", () => {
    for (const name of ["w1", "a", "w2"]) {
        expect(before(one, `${name}-baseline`)).toEqual(["w1-k3s-binary", "a-k3s-binary", "w2-k3s-binary"]);
    }
});

test("hosts are prepared in parallel, and k3s starts after all of them", () => {
    for (const name of ["w1", "a", "w2"]) {
        const others = before(one, `${name}-access-confirmed`).filter((each) => !each.startsWith(`${name}-`));
        expect(others.filter((each) => !each.endsWith("-k3s-binary"))).toEqual([]);
        expect(before(one, "a-k3s-join")).toContain(`${name}-access-confirmed`);
    }
});

test("data disks without unlock are opened by a key file", () => {
    const nas = node("nas", "agent", { disks: ["A"] });
    expect(before([nas, node("a", "server")], "a-k3s-join")).toEqual(
        expect.arrayContaining(["nas-storage", "nas-unattended"]),
    );
});

test("data disks are ready before k3s starts anywhere", () => {
    const nas = node("nas", "agent", { disks: ["A"], unlock: {} });
    expect(before([nas, node("a", "server")], "a-k3s-join")).toEqual(
        expect.arrayContaining(["nas-storage", "nas-unlock"]),
    );
});

test("an existing server's certificate names the API's address before another node uses it", () => {
    expect(before(three, "a-credentials")).toContain("a-k3s-converge");
    expect(before(three, "w1-k3s-join")).toEqual(
        expect.arrayContaining(["a-k3s-converge", "b-k3s-converge", "c-k3s-converge", "a-api"]),
    );
    expect(before(three, "b-k3s-join")).not.toContain("a-api");
});

test("servers join and converge one after the other", () => {
    expect(before(three, "b-k3s-join")).toContain("a-k3s-converge");
    expect(before(three, "c-k3s-join")).toContain("b-k3s-converge");
});

test("agents join in parallel, after the servers run the pinned release, and converge in turn", () => {
    expect(before(one, "w2-k3s-join")).toContain("a-k3s-converge");
    expect(before(one, "w2-k3s-join")).not.toContain("w1-k3s-join");
    expect(before(one, "w1-k3s-converge")).toEqual(expect.arrayContaining(["w1-k3s-join", "w2-k3s-join"]));
    expect(before(one, "w2-k3s-converge")).toContain("w1-k3s-converge");
});

test("nodes leave one at a time, agents first and the first server last, before k3s is uninstalled", () => {
    // Pulumi deletes a resource after those that depend on it.
    expect(before(three, "w1-leave")).toEqual(expect.arrayContaining(["a-leave", "b-leave", "c-leave"]));
    expect(before(three, "c-leave")).toEqual(expect.arrayContaining(["a-leave", "b-leave", "c-k3s-join"]));
    expect(before(three, "b-leave")).not.toContain("c-leave");
});

test("the servers hold the API's address before the first of them starts", () => {
    const holders = plan(three, true).flatMap(({ kind, name }) => (kind === "api-address" ? [name] : []));
    expect(holders).toEqual(["a-api-address", "b-api-address", "c-api-address"]);
    expect(before(three, "a-k3s-join", true)).toEqual(expect.arrayContaining(holders));
    expect(plan(three).filter(({ kind }) => kind === "api-address")).toEqual([]);
});

test("no step depends on a server that is offline", () => {
    const nodes = [node("a", "server", { offline: true }), node("b", "server"), node("c", "server")];
    expect(firstServer(nodes)?.name).toBe("b");
    expect(
        plan(nodes)
            .filter(({ kind }) => kind === "member")
            .map(({ on }) => on.name),
    ).toEqual(["b", "b", "b"]);
    expect(firstServer([node("a", "server", { offline: true })])).toBeUndefined();
});
