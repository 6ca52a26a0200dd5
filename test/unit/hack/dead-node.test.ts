import { urnsOfNode, withoutResources } from "../../../hack/dead-node";

const urn = (name: string, type = "hearth:provision:Nodes$command:remote:Command") =>
    `urn:pulumi:home::hearth::${type}::${name}`;

const state = {
    version: 3,
    deployment: {
        manifest: { version: "v3" },
        resources: [
            { urn: urn("nodes", "hearth:provision:Nodes") },
            { urn: urn("node-1-baseline"), dependencies: [] },
            { urn: urn("node-1-k3s-join"), dependencies: [urn("node-1-baseline"), urn("node-1-b-baseline")] },
            { urn: urn("node-1-b-baseline"), dependencies: [] },
            {
                urn: urn("node-1-storage", "hearth:provision:Nodes$hearth:provision:Storage$command:remote:Command"),
                parent: urn("node-1-storage", "hearth:provision:Nodes$hearth:provision:Storage"),
            },
            { urn: urn("node-1-storage", "hearth:provision:Nodes$hearth:provision:Storage") },
            {
                urn: urn("node-1-b-k3s-join"),
                dependencies: [urn("node-1-k3s-join"), urn("node-1-b-baseline")],
                propertyDependencies: { stdin: [urn("node-1-k3s-join")] },
            },
            // A service of that name does not belong to the node.
            { urn: urn("node-1-member", "kubernetes:core/v1:Secret") },
        ],
    },
};

test("all resources of a node are found, and none of a node with a longer name", () => {
    expect(urnsOfNode(state, "node-1").map((each) => each.split("::").at(-1))).toEqual([
        "node-1-baseline",
        "node-1-k3s-join",
        "node-1-storage",
        "node-1-storage",
    ]);
    expect(urnsOfNode(state, "node")).toEqual([]);
});

test("the remaining state depends on no removed resource", () => {
    const { version, deployment } = withoutResources(state, urnsOfNode(state, "node-1"));
    expect(version).toBe(3);
    expect(deployment.manifest).toEqual({ version: "v3" });
    expect(deployment.resources).toEqual([
        state.deployment.resources[0],
        state.deployment.resources[3],
        {
            urn: urn("node-1-b-k3s-join"),
            dependencies: [urn("node-1-b-baseline")],
            propertyDependencies: { stdin: [] },
        },
        state.deployment.resources[7],
    ]);
});
