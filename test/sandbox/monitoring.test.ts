import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { freePorts } from "../../sandbox/ports";
import { adaptedPrometheus } from "../monitoring/adapted";
import { argocdPorts } from "../monitoring/argocd-ports";
import { filesOf, writeAlertmanager, writeFiles } from "../monitoring/chart";
import { Daemon } from "../monitoring/daemon";
import { eventually } from "../monitoring/eventually";
import { readExporters } from "../monitoring/metrics";
import { Receiver } from "../monitoring/receiver";
import { Home } from "./home";

/** Two cores and a fresh cluster: minutes, in milliseconds. */
const limit = 10 * 60_000;

/**
 * Milliseconds until a page arrives, from when Argo CD knows of it: five seconds that the alert waits by the values
 * below, one each for reading, for the rules and for the group, and what a busy machine adds.
 */
const pageLimit = 30_000;

/** A target, as Prometheus' API tells of it. */
interface ActiveTarget {
    readonly labels: Readonly<Record<string, string>>;
    readonly health: string;
    readonly lastError: string;
}

let home: Home;
let receiver: Receiver;
let directory: string;
let prometheus: string;
const daemons: Daemon[] = [];

/** One answer of Prometheus' API. */
async function ask<T>(path: string): Promise<T> {
    const response = await fetch(`${prometheus}/api/v1/${path}`);
    return ((await response.json()) as { data: T }).data;
}

/** The files of a ConfigMap in the cluster: what Argo CD made of the chart and the Application's values. */
async function configMap(name: string): Promise<Record<string, string>> {
    return (await home.get<{ data: Record<string, string> }>("--namespace=monitoring", `configmap/${name}`)).data;
}

/** Access to the cluster as a pod of charts/monitoring has it: with the token of its own account. */
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

/** Starts the real programs of charts/monitoring, with the configuration that is in the cluster. */
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
    await start(
        "alertmanager",
        [
            `--config.file=${writeAlertmanager(configs, directory)}`,
            `--storage.path=${join(directory, "alertmanager")}`,
            "--cluster.listen-address=",
            `--web.listen-address=${local(ports.alertmanager)}`,
        ],
        directory,
        `http://${local(ports.alertmanager)}/-/ready`,
    );
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
            ...argocdPorts(home.root),
            alertmanager: ports.alertmanager,
            prometheus: ports.prometheus,
            "kube-state-metrics": ports.state,
            "node-exporter": ports.node,
            "kube-apiserver": Number(new URL(cluster.server).port),
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

/** Pushes what is in the work tree, and lets Argo CD look at once. */
async function push(application: string, message: string): Promise<void> {
    await home.commit(message);
    await home.push();
    await home.kubectl(
        ...["annotate", "application", application, "--namespace=argocd", "--overwrite"],
        "argocd.argoproj.io/refresh=normal",
    );
}

async function health(application: string): Promise<string | undefined> {
    return (await home.applications()).get(application)?.status?.health?.status;
}

beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), "hearth-monitoring-"));
    receiver = await Receiver.start();
    home = await Home.create();
    home.keepApplications("cert-manager", "database", "gitops", "qbittorrent", "monitoring", "glance");
    const hour = (hours: number) => new Date(Date.now() + hours * 3_600_000).toISOString().slice(11, 16);
    const values = {
        interval: "1s",
        alerts: { rules: { ApplicationNotHealthy: { for: "5s" } } },
        // It is night in ten hours: a warning must not wait until the tests are over.
        notify: {
            ...{ wait: "1s", interval: "1s", ntfy: `${receiver.url}/alerts` },
            quiet: { from: hour(10), to: hour(11) },
        },
    };
    home.edit("clusters/home/apps/monitoring.yaml", (text) => {
        const manifest = parse(text);
        Object.assign(manifest.spec.sources[0].helm.valuesObject, values);
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
    "Prometheus, with the rights of its own account, finds and reads the API server, Argo CD and its own kind",
    async () => {
        const expected = [
            "alertmanager",
            "argocd-application-controller",
            "argocd-repo-server",
            "argocd-server",
            "kube-apiserver",
            "kube-state-metrics",
            "node-exporter",
            "prometheus",
        ];
        const targets = await eventually("all that run here are up, and all others were asked", async () => {
            const { activeTargets } = await ask<{ activeTargets: ActiveTarget[] }>("targets?state=active");
            const up = new Set(activeTargets.filter((each) => each.health === "up").map(({ labels }) => labels["app"]));
            // One that was just found has not been asked yet.
            const asked = activeTargets.every((each) => each.health !== "unknown");
            return asked && expected.every((app) => up.has(app)) && activeTargets;
        });
        const apps = new Set(targets.map(({ labels }) => labels["app"]));

        // Found too, though no program of theirs runs here.
        expect([...apps]).toEqual(expect.arrayContaining(["alloy", "events", "grafana", "loki", "gitea", "kubelet"]));
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
    "every metric that rules and dashboards ask of these programs is there",
    async () => {
        const exporters = readExporters();
        const names = new Set(await ask<string[]>("label/__name__/values"));
        // Some have no series yet, and are announced.
        const metadata = await ask<Record<string, unknown>>("metadata");
        const running = Object.entries(exporters).filter(([, { test: where }]) => where === "sandbox/monitoring");

        expect(running.length).toBeGreaterThan(4);
        for (const [exporter, { metrics }] of running) {
            const missing = metrics.filter((each) => !names.has(each) && !(each in metadata));
            expect({ exporter, missing }).toEqual({ exporter, missing: [] });
        }
    },
    limit,
);

test(
    "what kube-state-metrics says of a pod keeps that pod's names, and joins the node that it is on",
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
    "an Application that is broken pages, once its alert has waited; when it is healed, the page says so",
    async () => {
        expect(receiver.names("firing", "name")).not.toContain("ApplicationNotHealthy glance");
        // No node has this label.
        home.edit("charts/glance/values.yaml", (text) =>
            text.replace("\nworkloads:\n  glance:\n", "\nworkloads:\n  glance:\n    nodeSelector: { no-such: node }\n"),
        );
        await push("glance", "glance: for a node that there is not");
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
        await push("glance", "glance: for any node");
        await eventually("glance is Healthy", async () => (await health("glance")) === "Healthy", limit / 4);
        await eventually(
            "the message that it is over",
            () => receiver.names("resolved", "name").includes("ApplicationNotHealthy glance"),
            pageLimit,
        );
    },
    limit,
);

test("nothing else paged, and the Watchdog stayed off the phone", () => {
    const paged = new Set(receiver.names("firing", "name"));

    expect([...paged]).toEqual(["ApplicationNotHealthy glance"]);
});
