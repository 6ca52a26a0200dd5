import { parseCluster } from "../../../hack/recovery/nodes";

const hash = "a".repeat(64);

test("a server's answer has the cluster's id, tokens in their short form, and the kubeconfig", () => {
    const answer = `0123456789abcdef\nK10${hash}::server:one\nK10${hash}::node:two\napiVersion: v1\nkind: Config`;
    expect(parseCluster(answer)).toEqual({
        identity: { cluster: "0123456789abcdef", serverToken: "one", agentToken: "two" },
        kubeconfig: "apiVersion: v1\nkind: Config\n",
    });
});

test("a host without a cluster's marker is in no cluster", () => {
    expect(parseCluster("")).toBeUndefined();
    expect(parseCluster(`K10${hash}::server:one\nK10${hash}::node:two\n`)).toBeUndefined();
});
