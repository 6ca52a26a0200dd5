import { containers, type Manifest, type Model, ofKind, workloads } from "./manifest";
import { charts, exampleOf, inParallel, Workspace } from "./workspace";

/** Pods, as policies see them. */
interface Pods {
    readonly namespace: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly ports: readonly number[];
}

/**
 * Pods of the system that charts talk to, with the ports that they listen on. k3s judges policies after DNAT, so these
 * count, and not the ports of their Services: https://github.com/cloudnativelabs/kube-router pkg/controllers/netpol
 */
const system: readonly Pods[] = [
    { namespace: "kube-system", labels: { "app.kubernetes.io/name": "traefik" }, ports: [2222, 8000, 8443] },
    { namespace: "kube-system", labels: { "k8s-app": "kube-dns" }, ports: [53] },
    { namespace: "argocd", labels: { "app.kubernetes.io/name": "argocd-server" }, ports: [8080] },
];

const traefik = "kube-system/traefik";

/** An egress policy of a chart's pods. */
interface Policy {
    readonly where: string;
    readonly namespace: string;
    readonly rules: readonly Model<"V1NetworkPolicyEgressRule">[];
}

let pods: Pods[];
let policies: Policy[];

beforeAll(async () => {
    const workspace = new Workspace("helm4");
    const objects: Manifest[] = [];
    try {
        await inParallel(charts, async (chart) => {
            objects.push(...(await workspace.render(chart, ...exampleOf(chart))));
        });
    } finally {
        workspace.remove();
    }
    const all = containers(objects);
    pods = [
        ...system,
        ...workloads(objects).map(({ name, namespace, template }) => ({
            namespace,
            labels: template.metadata?.labels ?? {},
            ports: all
                .filter(({ workload }) => workload.name === name && workload.namespace === namespace)
                .flatMap(({ container }) => container.ports ?? [])
                .map(({ containerPort }) => containerPort),
        })),
    ];
    policies = ofKind(objects, "NetworkPolicy").map(({ metadata, spec }) => ({
        where: `${metadata.namespace}/${metadata.name}`,
        namespace: metadata.namespace ?? "",
        rules: spec?.egress ?? [],
    }));
}, 120_000);

/** The pods that a peer selects; undefined for addresses, and for all pods of a namespace or of the cluster. */
function selected(peer: Model<"V1NetworkPolicyPeer">, own: string): Pods[] | undefined {
    const labels = peer.podSelector?.matchLabels;
    if (labels === undefined) {
        return undefined;
    }
    const namespace = peer.namespaceSelector?.matchLabels?.["kubernetes.io/metadata.name"] ?? own;
    return pods.filter(
        (each) =>
            each.namespace === namespace && Object.entries(labels).every(([key, value]) => each.labels[key] === value),
    );
}

test("policies name the port that a pod listens on, not the port of its Service", () => {
    const wrong = policies.flatMap(({ where, namespace, rules }) =>
        rules.flatMap(({ to = [], ports = [] }) =>
            to.flatMap((peer) => {
                const targets = selected(peer, namespace);
                return ports
                    .map(({ port }) => Number(port))
                    .filter((port) => targets && !targets.some((each) => each.ports.includes(port)))
                    .map((port) => `${where}: nobody listens on ${port} of ${JSON.stringify(peer)}`);
            }),
        ),
    );

    expect(wrong).toEqual([]);
});

test("a pod with access to web pages of the home network also reaches the home's own, behind Traefik's pod", () => {
    const wrong = policies.flatMap(({ where, namespace, rules }) => {
        const toLan = (port: number) =>
            rules.some(
                ({ to = [], ports = [] }) =>
                    to.some(({ ipBlock }) => ipBlock?.cidr === "192.168.0.0/16") &&
                    ports.some((each) => Number(each.port) === port),
            );
        const toTraefik = rules.some(
            ({ to = [], ports = [] }) =>
                to.some((peer) => peer.namespaceSelector && selected(peer, namespace)?.[0] === system[0]) &&
                ports.some(({ port }) => Number(port) === 8443),
        );
        return (toLan(443) || toLan(80)) && !toTraefik ? [`${where} does not reach ${traefik}`] : [];
    });

    expect(wrong).toEqual([]);
});

test("Gatus reaches the Ingresses that it checks, and Grafana reaches a login service in the home", () => {
    const reaching = policies
        .filter(({ namespace, rules }) =>
            rules.some(({ to = [] }) => to.some((peer) => selected(peer, namespace)?.[0] === system[0])),
        )
        .map(({ where }) => where);

    expect(reaching.sort()).toEqual(["gatus/gatus", "monitoring/grafana"]);
});
