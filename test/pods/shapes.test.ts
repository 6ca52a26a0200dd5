import { MachineHome } from "../provision/home";
import { busybox, kubectlOf, printed } from "./pods";
import { registries, type Surroundings, serve } from "./surroundings";

// Milliseconds for a run over all machines and for starting pods, on a busy host.
jest.setTimeout(900_000);

describe.each([
    ["one machine alone", ["s1"]],
    ["three servers", ["s1", "s2", "s3"]],
])("%s", (_, names) => {
    let home: MachineHome;
    let surroundings: Surroundings | undefined;

    beforeAll(async () => {
        home = await MachineHome.withPods(...names);
        surroundings = await serve(home.network);
    });

    afterAll(async () => {
        surroundings?.close();
        await home?.remove();
    });

    test("runs pods on every node, and CoreDNS, the local-path provisioner and Traefik", async () => {
        home.configure(undefined, undefined, { registries });
        await printed(home.stack.up());
        const kubectl = kubectlOf(home);
        const everywhere = {
            apiVersion: "apps/v1",
            kind: "DaemonSet",
            metadata: { name: "everywhere", namespace: "default" },
            spec: {
                selector: { matchLabels: { app: "everywhere" } },
                template: {
                    metadata: { labels: { app: "everywhere" } },
                    spec: { containers: [{ name: "idle", image: busybox, command: ["sleep", "infinity"] }] },
                },
            },
        };
        await home.apply(everywhere);
        await kubectl("rollout", "status", "daemonset/everywhere", "--timeout=240s");
        const running = await kubectl(
            ...["get", "pods", "--selector=app=everywhere", "--output=jsonpath={.items[*].spec.nodeName}"],
        );
        expect(running.split(" ").sort()).toEqual(names);
        await kubectl(
            ...["--namespace=kube-system", "wait", "--for=condition=Available", "deployments", "--all"],
            "--timeout=240s",
        );
    });
});
