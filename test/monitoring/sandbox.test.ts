import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { freePorts } from "../../lib/ports";
import { ownProcesses } from "../../sandbox/own-processes";
import { sandboxPaths } from "../../sandbox/paths";
import { Home } from "../sandbox/home";
import { adaptedPrometheus } from "./adapted";
import { argocdPorts } from "./argocd-ports";
import { filesOf, writeFiles } from "./chart";
import { Daemon } from "./daemon";
import { eventually } from "./eventually";
import { readExporters } from "./metrics";
import { Receiver } from "./receiver";
import { runAlertmanager } from "./run-alertmanager";

/** Milliseconds; a fresh cluster takes minutes on two cores. */
const limit = 10 * 60_000;

/**
 * Milliseconds from Argo CD's detection until a notification arrives: five seconds of the alert's `for` period, one
 * each for the scrape, the rules and the group, and a reserve for a busy machine.
 */
const pageLimit = 30_000;

/** A target, as Prometheus' API lists it. */
interface ActiveTarget {
    readonly labels: Readonly<Record<string, string>>;
    readonly health: string;
    readonly lastError: string;
}

/** An alert, as Alertmanager's API lists it. */
interface AlertmanagerAlert {
    readonly labels: Readonly<Record<string, string>>;
    readonly status: { readonly inhibitedBy: readonly string[] };
}

let home: Home;
let gitea: { readonly server: string; readonly url: string };
let receiver: Receiver;
let directory: string;
let prometheus: string;
let alertmanager: string;
const daemons: Daemon[] = [];

/** One answer of Prometheus' API. */
async function ask<T>(path: string): Promise<T> {
    const response = await fetch(`${prometheus}/api/v1/${path}`);
    return ((await response.json()) as { data: T }).data;
}

/** The files of a ConfigMap in the cluster, as Argo CD rendered it. */
async function configMap(name: string): Promise<Record<string, string>> {
    return (await home.get<{ data: Record<string, string> }>("--namespace=monitoring", `configmap/${name}`)).data;
}

/** Access to the cluster with the token of a pod's account in charts/monitoring. */
async function account(name: string): Promise<{ kubeconfig: string; token: string }> {
    const { code, output } = await home.kubectl("create", "token", name, "--namespace=monitoring", "--duration=1h");
    if (code !== 0) {
        throw new Error(output);
    }
    const administrator = parse(readFileSync(home.kubeconfig, "utf8"));
    const user = { name, user: { token: output.trim() } };
    const context = { name, context: { cluster: administrator.clusters[0].name, user: name } };
    const kubeconfig = join(directory, `${name}.kubeconfig`);
    const token = join(directory, `${name}.token`);
    writeFileSync(
        kubeconfig,
        stringify({ ...administrator, "current-context": name, contexts: [context], users: [user] }),
    );
    writeFileSync(token, output.trim());
    return { kubeconfig, token };
}

/** The arguments that the chart gives to a program. */
async function argumentsOf(kind: string, name: string): Promise<string[]> {
    const { spec } = await home.get<{ spec: { template: { spec: { containers: { args: string[] }[] } } } }>(
        "--namespace=monitoring",
        `${kind}/${name}`,
    );
    return spec.template.spec.containers[0]?.args ?? [];
}

/** Starts the real programs of charts/monitoring, with the configuration in the cluster. */
async function startMonitoring(): Promise<void> {
    const ports = await freePorts("prometheus", "alertmanager", "state", "telemetry", "node");
    const local = (port: number) => `127.0.0.1:${port}`;
    const start = async (...parameters: Parameters<typeof Daemon.start>) =>
        daemons.push(await Daemon.start(...parameters));

    const file = (name: string, text: string) => {
        const path = join(directory, name);
        writeFileSync(path, text);
        return path;
    };
    const configs = new Map<string, Record<string, string>>();
    for (const name of ["alertmanager", "messages", "prometheus", "rules"]) {
        configs.set(name, await configMap(name));
    }
    alertmanager = `http://${local(ports.alertmanager)}`;
    daemons.push(await runAlertmanager(configs, directory, ports.alertmanager));
    await start(
        "kube-state-metrics",
        [
            ...(await argumentsOf("deployment", "kube-state-metrics")),
            `--kubeconfig=${(await account("kube-state-metrics")).kubeconfig}`,
            ...["--host=127.0.0.1", `--port=${ports.state}`],
            ...["--telemetry-host=127.0.0.1", `--telemetry-port=${ports.telemetry}`],
        ],
        directory,
        `http://${local(ports.state)}/livez`,
    );
    const nodeArguments = await argumentsOf("daemonset", "node-exporter");
    await start(
        "node_exporter",
        [...nodeArguments.filter((each) => !each.startsWith("--path.")), `--web.listen-address=${local(ports.node)}`],
        directory,
        `http://${local(ports.node)}/metrics`,
    );

    const cluster = parse(readFileSync(home.kubeconfig, "utf8")).clusters[0].cluster;
    const authority = file("ca.crt", Buffer.from(cluster["certificate-authority-data"], "base64").toString());
    const rules = join(directory, "rules");
    writeFiles(configs, "rules", rules);
    const { "prometheus.yaml": text = "" } = filesOf(configs, "prometheus");
    const adapted = adaptedPrometheus(text, {
        ...(await account("prometheus")),
        authority,
        rules,
        alertmanager: ports.alertmanager,
        places: {
            ...argocdPorts(home.root, "metrics-port"),
            alertmanager: ports.alertmanager,
            prometheus: ports.prometheus,
            "kube-state-metrics": ports.state,
            "node-exporter": ports.node,
            "kube-apiserver": Number(new URL(cluster.server).port),
            gitea: Number(new URL(gitea.server).port),
        },
    });
    prometheus = `http://${local(ports.prometheus)}`;
    await start(
        "prometheus",
        [
            `--config.file=${file("prometheus.yaml", adapted)}`,
            `--storage.tsdb.path=${join(directory, "prometheus")}`,
            `--web.listen-address=${local(ports.prometheus)}`,
        ],
        directory,
        `${prometheus}/-/ready`,
    );
}

/** Pushes the work tree to Gitea, which notifies Argo CD. */
async function push(message: string): Promise<void> {
    await home.commit(message);
    const { data } = await home.get<{ data: Record<string, string> }>("--namespace=gitops", "secret/gitops-secrets");
    const url = new URL(gitea.url);
    url.username = "hearth";
    url.password = encodeURIComponent(Buffer.from(data["gitea-admin-password"] ?? "", "base64").toString());
    expect(await home.pushTo(url.href, "main")).toHaveEndedWith(0);
}

async function health(application: string): Promise<string | undefined> {
    return (await home.applications()).get(application)?.status?.health?.status;
}

beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), "hearth-monitoring-"));
    receiver = await Receiver.start();
    home = await Home.create();
    gitea = await home.useOwnGitea();
    home.keepApplications("cert-manager", "database", "gitops", "qbittorrent", "monitoring", "glance");
    const hour = (hours: number) => new Date(Date.now() + hours * 3_600_000).toISOString().slice(11, 16);
    const values = {
        interval: "1s",
        alerts: {
            rules: { ApplicationNotHealthy: { for: "5s" }, NodeDown: { for: "1s" }, PodNotReady: { for: "5s" } },
        },
        // It is night in ten hours: a warning must not wait until the tests are over.
        notify: {
            ...{ wait: "1s", interval: "1s", ntfy: `${receiver.url}/alerts` },
            quiet: { from: hour(10), to: hour(11) },
        },
    };
    home.edit("clusters/home/apps/monitoring.yaml", (text) => {
        const manifest = parse(text);
        manifest.spec.sources[0].helm = { valuesObject: values };
        return stringify(manifest);
    });
    await home.commit("monitoring: quick for tests");
    expect(await home.start()).toEqual({ code: 0, output: expect.stringContaining("Healthy") });
    await eventually("the root Application is Healthy", async () => (await health("root")) === "Healthy", limit / 4);
    await startMonitoring();
}, limit);

afterAll(async () => {
    await Promise.all(daemons.map((each) => each.stop()));
    await receiver.close();
    await home.remove();
    rmSync(directory, { recursive: true });
}, limit);

test(
    "Prometheus, with its own account's rights, discovers and scrapes the API server, Argo CD, Gitea and itself",
    async () => {
        const expected = [
            "alertmanager",
            "argocd-application-controller",
            "argocd-repo-server",
            "argocd-server",
            "gitea",
            "kube-apiserver",
            "kube-state-metrics",
            "node-exporter",
            "prometheus",
        ];
        const targets = await eventually("all targets that run here are up, and all others were scraped", async () => {
            const { activeTargets } = await ask<{ activeTargets: ActiveTarget[] }>("targets?state=active");
            const up = activeTargets.filter(({ health: state }) => state === "up").map(({ labels }) => labels["app"]);
            expect(up).toEqual(expect.arrayContaining(expected));
            // A newly discovered target has not been scraped yet.
            expect(activeTargets.filter(({ health: state }) => state === "unknown")).toEqual([]);
            return activeTargets;
        });
        const apps = new Set(targets.map(({ labels }) => labels["app"]));

        // Discovered too, though their programs do not run here.
        expect([...apps]).toEqual(
            expect.arrayContaining(["alloy", "events", "grafana", "loki", "cert-manager", "kubelet"]),
        );
        expect(targets.filter(({ labels }) => labels["job"] === "cadvisor").length).toBe(4);
        for (const { labels, health: state, lastError } of targets) {
            const { app = "" } = labels;
            const error = expected.includes(app) ? "" : expect.stringContaining("connection refused");
            expect({ app, state, error: lastError }).toEqual({
                app,
                state: expected.includes(app) ? "up" : "down",
                error,
            });
        }
    },
    limit,
);

test(
    "these programs expose every metric that rules and dashboards use",
    async () => {
        const exporters = readExporters();
        const names = new Set(await ask<string[]>("label/__name__/values"));
        // Some have no series yet, and are announced.
        const metadata = await ask<Record<string, unknown>>("metadata");
        const running = Object.entries(exporters).filter(([, { test: where }]) => where === "monitoring/sandbox");

        expect(running.length).toBeGreaterThan(4);
        for (const [exporter, { metrics }] of running) {
            const missing = metrics.filter((each) => !names.has(each) && !(each in metadata));
            expect({ exporter, missing }).toEqual({ exporter, missing: [] });
        }
    },
    limit,
);

test(
    "metrics of kube-state-metrics keep the pod's labels, and join with its node",
    async () => {
        const { result } = await eventually("the recorded nodes of pods", async () => {
            const query = encodeURIComponent('namespace_pod_node:kube_pod_info:max{namespace="glance"}');
            const answer = await ask<{ result: { metric: Record<string, string> }[] }>(`query?query=${query}`);
            return answer.result.length > 0 && answer;
        });

        expect(result[0]?.metric).toMatchObject({
            pod: expect.stringMatching(/^glance-/),
            node: expect.stringMatching(/^(server|agent-\d)$/),
        });
    },
    limit,
);

test(
    "a broken Application sends an alert after the alert's delay, and a resolved message once it is Healthy",
    async () => {
        expect(receiver.names("firing", "name")).not.toContain("ApplicationNotHealthy glance");
        // No node has this label.
        home.edit("charts/glance/values.yaml", (text) =>
            text.replace("\nworkloads:\n  glance:\n", "\nworkloads:\n  glance:\n    nodeSelector: { no-such: node }\n"),
        );
        await push("glance: for a node that there is not");
        await eventually("glance is not Healthy", async () => (await health("glance")) === "Progressing", limit / 4);
        await eventually(
            "the page",
            () => receiver.names("firing", "name").includes("ApplicationNotHealthy glance"),
            pageLimit,
        );
        const message = receiver.messages.find(({ alerts }) =>
            alerts.some(({ labels }) => labels["name"] === "glance"),
        );

        expect(message?.path).toBe("/alerts");
        expect(message?.shown).toMatchObject({
            priority: "default",
            title: "Application glance is not Healthy",
            message: expect.stringContaining("kubectl -n argocd describe application glance"),
            click: expect.stringMatching(/\/docs\/runbooks\/ApplicationNotHealthy\.md$/),
        });

        home.edit("charts/glance/values.yaml", (text) => text.replace("    nodeSelector: { no-such: node }\n", ""));
        await push("glance: for any node");
        await eventually("glance is Healthy", async () => (await health("glance")) === "Healthy", limit / 4);
        await eventually(
            "the message that it is over",
            () => receiver.names("resolved", "name").includes("ApplicationNotHealthy glance"),
            pageLimit,
        );
    },
    limit,
);

test("only the unschedulable pod caused another alert, and the Watchdog did not reach the phone", () => {
    const paged = new Set(receiver.names("firing", "name"));

    expect([...paged].sort()).toEqual(["ApplicationNotHealthy glance", "PodNotReady"]);
});

interface Placed {
    readonly metadata: { readonly name: string };
    readonly spec: { readonly nodeName: string };
}

test(
    "a node that is down sends one alert instead of one for each pod, and a resolved message once it is up",
    async () => {
        const { items } = await home.get<{ items: Placed[] }>("pods", "--namespace=glance");
        const [pod = "", node = ""] = [items[0]?.metadata.name, items[0]?.spec.nodeName];
        const before = receiver.messages.length;
        const since = (name: string) =>
            receiver.messages
                .slice(before)
                .flatMap(({ alerts }) => alerts)
                .filter(({ status, labels }) => status === "firing" && labels["alertname"] === name);
        // While kwok is stopped, the node's lease is not renewed.
        const kwok =
            ownProcesses(sandboxPaths(home.root)).find(({ path }) => path.endsWith("/kwok-controller"))?.pid ?? 0;
        expect(kwok).toBeGreaterThan(0);
        process.kill(kwok, "SIGSTOP");
        try {
            // A node's own status, and its pods' state, which the controller manager derives from it.
            const conditions = [{ type: "Ready", status: "False", reason: "Planted", message: "planted" }];
            const patch = ["--subresource=status", `--patch=${JSON.stringify({ status: { conditions } })}`];
            expect(await home.kubectl("patch", "node", node, ...patch)).toHaveEndedWith(0);
            expect(await home.kubectl("patch", "pod", pod, "--namespace=glance", ...patch)).toHaveEndedWith(0);
            await eventually("the node's page", () => since("NodeDown").length > 0, pageLimit);
            await eventually(
                "the alert of its pod is silenced",
                async () => {
                    const answer = await fetch(`${alertmanager}/api/v2/alerts?filter=alertname=PodNotReady`);
                    const alerts = (await answer.json()) as AlertmanagerAlert[];
                    return alerts.some(
                        ({ labels, status }) => labels["namespace"] === "glance" && status.inhibitedBy.length > 0,
                    );
                },
                pageLimit,
            );

            expect(since("NodeDown").map(({ labels }) => labels["node"])).toContain(node);
            expect(since("PodNotReady")).toEqual([]);
        } finally {
            process.kill(kwok, "SIGCONT");
        }
        await eventually(
            "the message that the node is back",
            () => receiver.names("resolved", "node").includes(`NodeDown ${node}`),
            limit / 4,
        );
        await eventually("the page of its pod", () => since("PodNotReady").length > 0, pageLimit);
    },
    limit,
);
