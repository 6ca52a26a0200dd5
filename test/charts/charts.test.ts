import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { expectGolden, goldenTest } from "./golden";
import { containers, type Manifest, type Model, ofKind, workloads } from "./manifest";
import { charts, chartsDirectory, exampleOf, helms, inParallel, parseManifests, Workspace } from "./workspace";

/** Charts with a complete rendering among the golden files: two Deployments, a database with its Jobs, and sidecars. */
const examples = ["jellyfin", "database", "qbittorrent"].filter((chart) => charts.includes(chart));

/** Declarations of a chart's secrets.yaml. */
interface Declarations {
    readonly secrets: Readonly<
        Record<
            string,
            {
                readonly optional?: true;
                readonly form?: string;
                readonly from?: { readonly chart: string; readonly key: string };
            }
        >
    >;
}

function declaredSecrets(chart: string): Declarations["secrets"] {
    const path = join(chartsDirectory, chart, "secrets.yaml");
    return existsSync(path) ? (parse(readFileSync(path, "utf8")) as Declarations).secrets : {};
}

/** Names of a pod's containers that have a token for the API server. */
const tokenHolders = ({ spec }: Model<"V1PodTemplateSpec">): string[] =>
    [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])]
        .filter(({ volumeMounts }) =>
            volumeMounts?.some(({ mountPath }) => mountPath === "/var/run/secrets/kubernetes.io/serviceaccount"),
        )
        .map(({ name }) => name);

/** Rendered text by Helm and chart. */
const texts = new Map<string, string>();

/** Objects that Argo CD would apply. */
function rendered(chart: string): Manifest[] {
    return parseManifests(texts.get(`helm4 ${chart}`) ?? "");
}

beforeAll(async () => {
    const workspaces = helms.map((helm) => ({ helm, workspace: new Workspace(helm) }));
    try {
        const all = workspaces.flatMap((each) => charts.map((chart) => ({ ...each, chart })));
        await inParallel(all, async ({ helm, workspace, chart }) => {
            texts.set(`${helm} ${chart}`, await workspace.template(chart));
            if (helm === "helm4") {
                texts.set(`example ${chart}`, await workspace.template(chart, ...exampleOf(chart)));
            }
        });
    } finally {
        for (const { workspace } of workspaces) {
            workspace.remove();
        }
    }
}, 120_000);

describe.each(charts)("chart %s", (chart) => {
    test("renders the same with Helm 3 and Helm 4", () => {
        const byName = (manifests: Manifest[]) =>
            Object.fromEntries(manifests.map((each) => [`${each.kind} ${each.metadata.name}`, each]));

        expect(byName(parseManifests(texts.get(`helm3 ${chart}`) ?? ""))).toEqual(byName(rendered(chart)));
    });

    test("gives every object a unique name, a namespace, and the standard labels", () => {
        const clusterWide = ["ClusterRole", "ClusterRoleBinding", "ClusterIssuer"];
        const objects = rendered(chart);

        expect(
            new Set(objects.map(({ kind, metadata }) => `${kind} ${metadata.namespace} ${metadata.name}`)).size,
        ).toBe(objects.length);
        for (const { kind, metadata } of objects) {
            expect(metadata.name).toMatch(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);
            // Argo CD's Ingress is in Argo CD's namespace.
            const namespace = metadata.name === "argocd-server" ? "argocd" : chart;
            expect(metadata.namespace).toBe(clusterWide.includes(kind) ? undefined : namespace);
            expect(metadata.labels).toMatchObject({
                "app.kubernetes.io/name": expect.any(String),
                "app.kubernetes.io/instance": chart,
                "app.kubernetes.io/part-of": chart,
                "app.kubernetes.io/managed-by": "Helm",
            });
        }
    });

    test("pins every image to a release, with its registry", () => {
        for (const { container } of containers(rendered(chart))) {
            expect(container.image).toMatch(
                /^[a-z0-9.-]+\.[a-z]+\/[a-z0-9/._-]+:[\w.-]*\d[\w.-]*(@sha256:[0-9a-f]{64})?$/,
            );
            expect(container.image).not.toMatch(/:(latest|stable|nightly|develop)/);
        }
    });

    test("gives every container memory requests and limits, in Kubernetes quantities", () => {
        for (const { container } of containers(rendered(chart))) {
            const { requests, limits } = container.resources ?? {};
            expect(requests?.["cpu"]?.toString()).toMatch(/^\d+m?$/);
            expect(requests?.["memory"]).toMatch(/^\d+[MGT]i$/);
            expect(limits?.["memory"]).toMatch(/^\d+[MGT]i$/);
            for (const quantity of [...Object.values(requests ?? {}), ...Object.values(limits ?? {})]) {
                // The API server normalizes 1024Mi to 1Gi and 1000m to 1, which would make the Application OutOfSync.
                const [, number = "", unit = ""] = /^(\d+)(\D*)$/.exec(String(quantity)) ?? [];
                expect(Number(number) % (unit === "m" ? 1000 : 1024)).not.toBe(unit === "" ? -1 : 0);
            }
        }
    });

    test("gives every long-running container health probes", () => {
        for (const { container, stays } of containers(rendered(chart))) {
            // gatus-sidecar has neither a port nor a command for a probe.
            if (stays && container.name !== "discovery") {
                expect([
                    container.name,
                    container.startupProbe,
                    container.livenessProbe,
                    container.readinessProbe,
                ]).toEqual([container.name, expect.anything(), expect.anything(), expect.anything()]);
            }
        }
    });

    test("meets the restricted Pod Security level, except for exceptions in its values", () => {
        for (const { template, name } of workloads(rendered(chart))) {
            const binds = ofKind(rendered(chart), "ClusterRoleBinding").some(({ subjects }) =>
                subjects?.some((subject) => subject.name === template.spec?.serviceAccountName),
            );
            expect({ name, token: template.spec?.automountServiceAccountToken }).toEqual({ name, token: false });
            expect({ name, token: tokenHolders(template).length }).toEqual({ name, token: binds ? 1 : 0 });
            expect(template.spec?.enableServiceLinks).toBe(false);
            expect(template.spec?.securityContext?.seccompProfile).toEqual({ type: "RuntimeDefault" });
            expect(template.spec?.priorityClassName).toMatch(/^(infrastructure|platform|apps)$/);
        }
        for (const { container } of containers(rendered(chart))) {
            if (!container.securityContext?.privileged) {
                expect(container.securityContext).toMatchObject({
                    allowPrivilegeEscalation: false,
                    capabilities: { drop: ["ALL"] },
                });
            }
        }
    });

    test("declares the architectures that its images exist for", () => {
        for (const { template } of workloads(rendered(chart))) {
            const terms =
                template.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
                    ?.nodeSelectorTerms;
            expect(terms).toEqual([
                {
                    matchExpressions: [
                        {
                            key: "kubernetes.io/arch",
                            operator: "In",
                            values: expect.arrayContaining([expect.any(String)]),
                        },
                    ],
                },
            ]);
        }
    });

    test("has no secret in plain text; it declares every secret that it uses, and uses every one that it declares", () => {
        const objects = rendered(chart);
        const used = new Set<string>();
        let all = false;
        expect(objects.filter(({ kind }) => kind === "Secret")).toEqual([]);
        for (const { container } of containers(objects)) {
            for (const { name, value, valueFrom } of container.env ?? []) {
                if (valueFrom?.secretKeyRef) {
                    expect(valueFrom.secretKeyRef.name).toBe(`${chart}-secrets`);
                    used.add(valueFrom.secretKeyRef.key);
                } else if (/(password|secret|token|_key|apikey)$/i.test(name)) {
                    // $(OTHER) expands to another variable, which comes from the Secret.
                    expect(value ?? "").toMatch(/\$\(|^$/);
                }
            }
        }
        for (const { template } of workloads(objects)) {
            for (const { secret } of template.spec?.volumes ?? []) {
                if (secret?.secretName === `${chart}-secrets`) {
                    all ||= secret.items === undefined;
                    for (const { key } of secret.items ?? []) {
                        used.add(key);
                    }
                }
            }
        }
        const declared = declaredSecrets(chart);

        expect([...used].filter((key) => !(key in declared))).toEqual([]);
        // Values that enable an optional feature use the optional secrets.
        const needed = Object.keys(declared).filter((key) => !declared[key]?.optional);
        const example = texts.get(`example ${chart}`) ?? "";
        expect(needed.filter((key) => !all && !used.has(key) && !example.includes(`key: ${key}\n`))).toEqual([]);
    });

    test("embeds a secret in a longer string only if its allowed characters are declared", () => {
        for (const { container } of containers(rendered(chart))) {
            const secrets = new Map(
                (container.env ?? []).flatMap(({ name, valueFrom }) =>
                    valueFrom?.secretKeyRef ? [[name, valueFrom.secretKeyRef.key] as const] : [],
                ),
            );
            const texts = [
                ...(container.env ?? []).map(({ value = "" }) => value),
                ...(container.command ?? []),
                ...(container.args ?? []),
            ];
            for (const [, name = ""] of texts.flatMap((text) => [...text.matchAll(/\$\((\w+)\)/g)])) {
                const key = secrets.get(name);
                expect({ key, form: key && declaredSecrets(chart)[key]?.form }).toEqual({ key, form: key && "word" });
            }
        }
    });

    test("references only secrets that exist in other charts", () => {
        for (const { from } of Object.values(declaredSecrets(chart))) {
            if (from) {
                expect(Object.keys(declaredSecrets(from.chart))).toContain(from.key);
            }
        }
    });

    test("has Services with one port per name, which lead to ports of one workload's pods", () => {
        const objects = rendered(chart);
        for (const service of ofKind(objects, "Service")) {
            const ports = service.spec?.ports ?? [];
            expect(new Set(ports.map(({ name }) => name)).size).toBe(ports.length);
            expect(new Set(ports.map(({ port, protocol }) => `${port}/${protocol}`)).size).toBe(ports.length);
            const selected = workloads(objects).filter(({ template }) =>
                Object.entries(service.spec?.selector ?? { none: "" }).every(
                    ([key, value]) => template.metadata?.labels?.[key] === value,
                ),
            );
            expect(selected).toHaveLength(1);
            const named = containers(objects)
                .filter(({ workload }) => workload.name === selected[0]?.name)
                .flatMap(({ container }) => container.ports ?? []);
            for (const { targetPort, protocol } of ports) {
                expect(named).toContainEqual(expect.objectContaining({ name: targetPort, protocol }));
            }
        }
    });

    test("has Ingresses with a certificate that lead to a Service's port, except for the page that serves the CA", () => {
        const objects = rendered(chart);
        for (const ingress of ofKind(objects, "Ingress")) {
            expect(ingress.spec?.ingressClassName).toBe("traefik");
            const isPlain = ingress.metadata.name === "ca";
            expect(ingress.metadata.annotations?.["cert-manager.io/cluster-issuer"]).toBe(
                isPlain ? undefined : "internal-ca",
            );
            for (const { host, http } of ingress.spec?.rules ?? []) {
                expect(host).toMatch(/^[a-z0-9-]+\.home\.arpa$/);
                expect(ingress.spec?.tls?.flatMap(({ hosts }) => hosts)).toEqual(isPlain ? undefined : [host]);
                for (const { backend } of http?.paths ?? []) {
                    if (backend.service?.name !== "argocd-server") {
                        const service = ofKind(objects, "Service").find(
                            ({ metadata }) => metadata.name === backend.service?.name,
                        );
                        expect(service?.spec?.ports?.map(({ name }) => name)).toContain(backend.service?.port?.name);
                    }
                }
            }
        }
    });

    test("has claims that a pod mounts, and that survive the chart's removal unless their data can be recreated", () => {
        const objects = rendered(chart);
        const mounted = workloads(objects).flatMap(({ template, ends }) =>
            (template.spec?.volumes ?? []).map((volume) => ({
                claim: volume.persistentVolumeClaim?.claimName,
                ends,
            })),
        );
        const claims = ofKind(objects, "PersistentVolumeClaim");
        for (const { metadata, spec } of claims) {
            // local-path waits for the first pod, and Argo CD with it.
            const waits = spec?.storageClassName === "local-path";
            expect(mounted).toContainEqual({ claim: metadata.name, ends: waits ? false : expect.any(Boolean) });
            expect(spec?.accessModes).toEqual([waits ? "ReadWriteOnce" : "ReadWriteMany"]);
        }
        for (const { claim } of mounted) {
            expect([undefined, ...claims.map(({ metadata }) => metadata.name)]).toContain(claim);
        }
    });

    test("restarts a pod when a ConfigMap that it mounts changes", () => {
        for (const { template } of workloads(rendered(chart))) {
            for (const { configMap, projected } of template.spec?.volumes ?? []) {
                for (const source of [configMap, ...(projected?.sources ?? []).map((each) => each.configMap)]) {
                    // Kubernetes' own ConfigMap, which clients reread by themselves.
                    if (source && source.name !== "kube-root-ca.crt") {
                        expect(template.metadata?.annotations).toHaveProperty([`checksum/${source.name}`]);
                    }
                }
            }
        }
    });
});

test.each(examples)(goldenTest("%s renders its golden file, whatever the versions of its images"), (chart) => {
    const text = texts.get(`helm4 ${chart}`) ?? "";
    const withoutVersions = text
        .replace(/^( *(?:- )?image: "?[^\s:"]+:)[^\s"]+/gm, "$1<tag>")
        .replace(/^( *app\.kubernetes\.io\/version: ).*/gm, "$1<tag>")
        // The hash of everything that a Job runs is part of its name.
        .replace(/^( {2}name: [a-z-]+-)[0-9a-f]{8,10}$/gm, "$1<hash>")
        .replace(/\n+---\n/g, "\n---\n");
    expectGolden(`${chart}.yaml`, withoutVersions.trim().split("\n"));
});

test("mounts no token in a web page's container: another container has one", () => {
    const holders = (chart: string) => workloads(rendered(chart)).flatMap(({ template }) => tokenHolders(template));

    expect(holders("glance")).toEqual(["api"]);
    expect(holders("gatus")).toEqual(["discovery"]);
});

test("a Deployment owns its strategy, so that it can get its first volume", () => {
    for (const chart of charts) {
        for (const { metadata, spec } of ofKind(rendered(chart), "Deployment")) {
            const rolls = spec?.strategy?.type === "RollingUpdate";
            expect([metadata.name, spec?.strategy?.rollingUpdate]).toEqual([
                metadata.name,
                rolls ? { maxSurge: "25%", maxUnavailable: "25%" } : undefined,
            ]);
        }
    }
});

test("two versions of a service never write the same data: the old pod ends first", () => {
    const rolling = charts.flatMap((chart) => {
        const objects = rendered(chart);
        return ofKind(objects, "Deployment").filter(({ spec }) => {
            const { volumes = [], containers: all = [] } = spec?.template.spec ?? {};
            const claims = volumes.flatMap(({ persistentVolumeClaim }) => persistentVolumeClaim?.claimName ?? []);
            const env = all.flatMap(({ env = [] }) => env.map(({ value }) => value ?? ""));
            // The shared claim media holds plain files, which no service migrates.
            const keepsData =
                claims.some((name) => name !== "media") || env.some((value) => value.includes("postgres.database"));
            return keepsData && spec?.strategy?.type !== "Recreate";
        });
    });
    expect(rolling.map(({ metadata }) => metadata.name)).toEqual([]);
});

test("node-exporter sees disks that are mounted after its start", () => {
    const mounts = containers(rendered("monitoring"))
        .filter(({ container }) => container.name === "node-exporter")
        .flatMap(({ container }) => container.volumeMounts ?? []);

    expect(mounts).toContainEqual(expect.objectContaining({ name: "host", mountPropagation: "HostToContainer" }));
});

test("every Ingress of the home has a unique host", () => {
    const hosts = charts
        .flatMap((chart) => ofKind(rendered(chart), "Ingress"))
        .flatMap(({ spec }) => spec?.rules?.map(({ host }) => host));

    expect(hosts.length).toBeGreaterThan(20);
    expect(new Set(hosts).size).toBe(hosts.length);
});

test("every database has a password, and every app that uses one has a database", () => {
    const values = parse(readFileSync(join(chartsDirectory, "database", "values.yaml"), "utf8")) as {
        databases: Record<string, unknown>;
    };
    const passwords = Object.keys(values.databases).map((name) => `${name}-password`);
    const used = charts.flatMap((chart) =>
        Object.values(declaredSecrets(chart)).flatMap(({ from }) => (from?.chart === "database" ? [from.key] : [])),
    );

    expect(Object.keys(declaredSecrets("database"))).toEqual(expect.arrayContaining(passwords));
    expect(used.sort()).toEqual(passwords.sort());
});
