import { type Manifest, ofKind, workloads } from "./manifest";
import { charts, exampleOf, inParallel, Workspace } from "./workspace";

const workspace = new Workspace("helm4");
const onEdge = ({ template }: { template: { spec?: { nodeSelector?: Record<string, string> } } }) =>
    template.spec?.nodeSelector?.["hearth/edge"] === "true";

let withEdge: Manifest[];
let without: Manifest[];

beforeAll(async () => {
    const backup = { home: "home", targets: ["first"], egress: [], start: 1, hours: 4 };
    const render = async (edge: boolean) => {
        const all: Manifest[] = [];
        await inParallel(charts, async (chart) => {
            const values = ["--set-json", `global=${JSON.stringify({ edge, backup })}`];
            all.push(...(await workspace.render(chart, ...exampleOf(chart), ...values)));
        });
        return all;
    };
    withEdge = await render(true);
    without = await render(false);
}, 300_000);

afterAll(() => workspace.remove());

test("only Gerbil moves to the edge; Pangolin with the accounts, and everything else, stays at home", () => {
    expect(
        workloads(withEdge)
            .filter(onEdge)
            .map(({ name }) => name),
    ).toEqual(["gerbil"]);
    expect(workloads(without).filter(onEdge)).toEqual([]);
    const tolerating = workloads(withEdge).filter(({ template }) =>
        template.spec?.tolerations?.some(({ key }) => key === "hearth/edge"),
    );
    expect(tolerating.map(({ name }) => name)).toEqual(["gerbil"]);
});

test("a pod on the edge reads no Secret but its certificate, has no token, and no volume that could be lost", () => {
    for (const { template } of workloads(withEdge).filter(onEdge)) {
        const { spec } = template;
        const containers = [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])];
        const secrets = (spec?.volumes ?? []).flatMap(({ secret, projected }) => [
            ...(secret ? [secret.secretName] : []),
            ...(projected?.sources ?? []).flatMap((source) => (source.secret ? [source.secret.name] : [])),
        ]);

        expect(secrets).toEqual(["edge-tls"]);
        expect(
            containers.flatMap(({ env = [] }) => env.flatMap(({ valueFrom }) => valueFrom?.secretKeyRef ?? [])),
        ).toEqual([]);
        expect(spec?.imagePullSecrets).toBeUndefined();
        expect(spec?.automountServiceAccountToken).toBe(false);
        expect(spec?.volumes?.filter(({ persistentVolumeClaim }) => persistentVolumeClaim)).toEqual([]);
    }
});

test("no copy is made on the edge, which would need the home's credentials for copies", () => {
    const copied = (manifests: readonly Manifest[]) =>
        ofKind(manifests, "CronJob").filter(({ metadata }) => metadata.name.startsWith("gerbil-")).length;

    expect(copied(without)).toBeGreaterThan(0);
    expect(copied(withEdge)).toBe(0);
});

test("clients use the edge's own ports, instead of an address of the home's network", () => {
    const [gerbil] = workloads(withEdge).filter(onEdge);
    const ports = (gerbil?.template.spec?.containers ?? [])
        .flatMap(({ ports: all = [] }) => all)
        .flatMap(({ hostPort, protocol }) => (hostPort === undefined ? [] : `${protocol} ${hostPort}`));
    const balanced = (manifests: readonly Manifest[]) =>
        ofKind(manifests, "Service").filter(
            ({ metadata, spec }) => metadata.namespace === "pangolin" && spec?.type === "LoadBalancer",
        );

    expect(ports.sort()).toEqual(["TCP 443", "TCP 80", "UDP 21820", "UDP 51820"]);
    expect(balanced(withEdge)).toEqual([]);
    expect(balanced(without)).toHaveLength(1);
});

test("a lost edge leaves its Application Healthy, so that a run continues", () => {
    const [gerbil] = ofKind(withEdge, "StatefulSet").filter(({ metadata }) => metadata.name === "gerbil");

    expect(gerbil?.metadata.annotations).toEqual({ "argocd.argoproj.io/ignore-healthcheck": "true" });
});
