import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parse, stringify } from "yaml";
import { formatTable } from "../hack/table";
import { runMain } from "../lib/failure";
import { freePort, freePorts } from "../lib/ports";
import { sandboxPaths } from "../sandbox/paths";
import { argocdPorts } from "../test/monitoring/argocd-ports";
import { filesOf, renderConfigs, writeFiles } from "../test/monitoring/chart";
import { Daemon } from "../test/monitoring/daemon";
import { runAlertmanager } from "../test/monitoring/run-alertmanager";
import { machine, results } from "./record";
import { kubectl, succeed } from "./sandbox";

/**
 * Cost of monitoring a home: `npx tsx bench/monitoring.ts [numbers of Applications]`. It starts this checkout's sandbox
 * and scrapes its real programs with the 27 Applications: kube-state-metrics, Argo CD, the API server, node_exporter on
 * each node. Metrics of kubelets are generated from the same pods and claims, and every Application exposes as many
 * metrics as Alertmanager. A real Prometheus with the chart's rules then scrapes that home, and one of 200
 * Applications, copies of the 27: counters go up from scrape to scrape. The interval is two seconds here, and 30 s in a
 * home; 120 samples fill a series' chunk, and full ones leave the memory. Prints a table and writes
 * bench/results/monitoring.json; omitted numbers keep their results from an earlier run.
 */
const root = resolve(__dirname, "..");
const interval = { here: 2, home: 30 };
const reads = 120;
const nodes = ["server", "agent-1", "agent-2", "agent-3"];

/** A series of a container that cAdvisor exposes and Prometheus drops: about ten times those that are kept. */
const droppedOfContainer = 45;

/** Cost of one home. */
interface Cost {
    readonly applications: number;
    readonly series: number;
    /** Of one read of everything. */
    readonly samplesPerRead: number;
    readonly readMiB: number;
    /** Of one evaluation of all rules. */
    readonly ruleSeconds: number;
    readonly memoryMiB: number;
    /** Of a day, at the home's interval. */
    readonly diskMiB: number;
    /** Of one core, at the home's interval. */
    readonly processorShare: number;
}

/** An exposed series, with its value at the first scrape. */
interface Series {
    readonly name: string;
    readonly value: number;
    /** Its increase from scrape to scrape. */
    readonly step: number;
}

/** Series that one program exposes, and the labels that Prometheus adds. */
interface Target {
    readonly job: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly series: readonly Series[];
}

/** Parses series from Prometheus' text format. */
function seriesOf(text: string): Series[] {
    const rising = new Set<string>();
    for (const [, name = ""] of text.matchAll(/^# TYPE (\S+) (?:counter|histogram|summary)$/gm)) {
        for (const suffix of ["", "_bucket", "_count", "_sum"]) {
            rising.add(name + suffix);
        }
    }
    return [...text.matchAll(/^(([a-zA-Z_:][\w:]*)(?:\{.*\})?) (\S+)$/gm)].map(([, name = "", metric = "", value]) => ({
        name,
        value: Number(value),
        step: rising.has(metric) ? 1 + (name.length % 7) : 0,
    }));
}

/**
 * The same series for a copy of the Applications: other namespaces and volumes. Series of no Application are omitted.
 */
function copyOf(series: readonly Series[], applications: ReadonlySet<string>, copy: number): Series[] {
    return series.flatMap((each) => {
        let own = false;
        const name = each.name.replaceAll(/"([^"]*)"/g, (quoted, value: string) => {
            const replaced = applications.has(value) || value.startsWith("pvc-");
            own ||= applications.has(value);
            return replaced ? `"${value}-${copy}"` : quoted;
        });
        return own ? [{ ...each, name }] : [];
    });
}

/** The values of a label in the series of a metric, joined by the other requested ones. */
function labelsOf(series: readonly Series[], metric: string): Record<string, string>[] {
    return series
        .filter(({ name }) => name.startsWith(`${metric}{`))
        .map(({ name }) =>
            Object.fromEntries([...name.matchAll(/(\w+)="([^"]*)"/g)].map(([, key, value]) => [key, value])),
        );
}

/** Metrics of kubelets for the pods and claims that kube-state-metrics knows: the kept and the dropped ones. */
function kubelets(state: readonly Series[]): Target[] {
    const moving = (name: string) => ({ name, value: 1000, step: 3 });
    const containers = labelsOf(state, "kube_pod_container_info").flatMap(({ namespace, pod, container }) => {
        const labels = `container="${container}",id="/kubepods/${namespace}/${pod}/${container}",image="registry/${container}:1",namespace="${namespace}",pod="${pod}"`;
        const kept = ["cpu_usage_seconds_total", "memory_working_set_bytes", "oom_events_total"];
        const dropped = Array.from({ length: droppedOfContainer }, (_, index) => `dropped_${index}`);
        return [...kept, ...dropped].map((metric) => moving(`container_${metric}{${labels}}`));
    });
    const network = labelsOf(state, "kube_pod_info").flatMap(({ namespace, pod }) =>
        ["receive", "transmit"].map((way) =>
            moving(`container_network_${way}_bytes_total{interface="eth0",namespace="${namespace}",pod="${pod}"}`),
        ),
    );
    const volumes = labelsOf(state, "kube_persistentvolumeclaim_info").flatMap(({ namespace, persistentvolumeclaim }) =>
        ["available_bytes", "capacity_bytes", "used_bytes", "inodes", "inodes_free", "inodes_used"].map((metric) =>
            moving(
                `kubelet_volume_stats_${metric}{namespace="${namespace}",persistentvolumeclaim="${persistentvolumeclaim}"}`,
            ),
        ),
    );
    return nodes.flatMap((node, index) => {
        const share = <T>(all: T[]) => all.filter((_, each) => each % nodes.length === index);
        return [
            { job: "cadvisor", labels: { app: "kubelet", node }, series: share([...containers, ...network]) },
            { job: "kubelet", labels: { app: "kubelet", node }, series: share(volumes) },
        ];
    });
}

/** Metrics of the home's programs in the sandbox. */
interface HomeMetrics {
    readonly applications: readonly string[];
    readonly state: readonly Series[];
    readonly argocd: Readonly<Record<string, readonly Series[]>>;
    readonly apiserver: readonly Series[];
    readonly node: readonly Series[];
    readonly own: readonly Series[];
    /** Resident memory of the other programs, in MiB. */
    readonly memoryMiB: Readonly<Record<string, number>>;
}

const read = async (port: number) => (await fetch(`http://127.0.0.1:${port}/metrics`)).text();

/** The number that answers a query to Prometheus. */
async function ask(port: number, query: string): Promise<number> {
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(query)}`);
    const { data } = (await response.json()) as { data: { result: { value: [number, string] }[] } };
    return Number(data.result[0]?.value[1]);
}

/** The number in a metric without labels. */
function numberIn(text: string, metric: string): number {
    return Number(new RegExp(`^${metric} (\\S+)$`, "m").exec(text)?.[1]);
}

/** Scrapes the sandbox's programs, and those of the chart that it does not run. */
async function listen(directory: string): Promise<HomeMetrics> {
    const paths = sandboxPaths(root);
    const ports = await freePorts("state", "telemetry", "node", "alertmanager");
    const configs = await renderConfigs();
    const workload = JSON.parse(
        await kubectl(paths, "get", "deployment/kube-state-metrics", "-n=monitoring", "-o=json"),
    );
    const daemons: Daemon[] = [];
    const start = async (...parameters: Parameters<typeof Daemon.start>) =>
        daemons.push(await Daemon.start(...parameters));
    try {
        await start(
            "kube-state-metrics",
            [
                ...workload.spec.template.spec.containers[0].args,
                `--kubeconfig=${paths.kubeconfig}`,
                ...["--host=127.0.0.1", `--port=${ports.state}`],
                ...["--telemetry-host=127.0.0.1", `--telemetry-port=${ports.telemetry}`],
            ],
            directory,
            `http://127.0.0.1:${ports.state}/livez`,
        );
        await start(
            "node_exporter",
            [`--web.listen-address=127.0.0.1:${ports.node}`],
            directory,
            `http://127.0.0.1:${ports.node}/metrics`,
        );
        daemons.push(await runAlertmanager(configs, directory, ports.alertmanager));
        const [telemetry, node, alertmanager] = [
            await read(ports.telemetry),
            await read(ports.node),
            await read(ports.alertmanager),
        ];
        const argocd = Object.entries(argocdPorts(root, "metrics-port")).map(
            async ([app, port]) => [app, seriesOf(await read(port))] as const,
        );
        const names = (await kubectl(paths, "get", "applications.argoproj.io", "-n=argocd", "-o=name"))
            .trim()
            .split("\n");
        const memory = (text: string) => Math.round(numberIn(text, "process_resident_memory_bytes") / 2 ** 20);
        return {
            applications: names.map((name) => name.split("/")[1] ?? "").filter((name) => name !== "root"),
            state: seriesOf(await read(ports.state)),
            argocd: Object.fromEntries(await Promise.all(argocd)),
            apiserver: seriesOf(await kubectl(paths, "get", "--raw", "/metrics")),
            node: seriesOf(node),
            own: seriesOf(alertmanager),
            memoryMiB: {
                "kube-state-metrics": memory(telemetry),
                node_exporter: memory(node),
                alertmanager: memory(alertmanager),
            },
        };
    } finally {
        await Promise.all(daemons.map((each) => each.stop()));
    }
}

/** Every target of a home with the given number of Applications. */
function home(exposed: HomeMetrics, count: number): Target[] {
    const copies = Array.from({ length: Math.ceil(count / exposed.applications.length) - 1 }, (_, index) => {
        const left = count - (index + 1) * exposed.applications.length;
        return new Set(exposed.applications.slice(0, left));
    });
    const grown = (series: readonly Series[]) => [
        ...series,
        ...copies.flatMap((applications, index) => copyOf(series, applications, index + 1)),
    ];
    const state = grown(exposed.state);
    const pod = (app: string, namespace: string) => ({ app, namespace, pod: `${app}-0`, node: "server" });
    return [
        { job: "objects", labels: { app: "kube-state-metrics" }, series: state },
        { job: "apiserver", labels: { app: "kube-apiserver" }, series: exposed.apiserver },
        ...kubelets(state),
        ...Object.entries(exposed.argocd).map(([app, series]) => ({
            job: "pods",
            labels: pod(app, "argocd"),
            series: grown(series),
        })),
        ...nodes.map((node) => ({
            job: "pods",
            labels: { ...pod("node-exporter", "monitoring"), pod: `node-exporter-${node}`, node },
            series: exposed.node,
        })),
        ...Array.from({ length: count }, (_, index) => ({
            job: "pods",
            labels: pod(`service-${index}`, `service-${index}`),
            series: exposed.own,
        })),
    ];
}

/** Bytes of every file under a folder. */
function sizeOf(directory: string): number {
    return readdirSync(directory, { withFileTypes: true, recursive: true })
        .filter((entry) => entry.isFile())
        .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}

/** The chart's configuration of Prometheus, with targets that are already found. */
function configuration(text: string, rules: string, targets: readonly Target[], address: string): string {
    const { global, scrape_configs: jobs } = parse(text, { merge: true }) as {
        global: object;
        scrape_configs: { job_name: string; honor_labels?: boolean; metric_relabel_configs?: object[] }[];
    };
    return stringify(
        {
            global,
            rule_files: [join(rules, "*.yaml")],
            scrape_configs: jobs.map(({ job_name: job, honor_labels, metric_relabel_configs }) => ({
                job_name: job,
                ...(honor_labels && { honor_labels }),
                ...(metric_relabel_configs && { metric_relabel_configs }),
                static_configs: targets.flatMap((target, index) =>
                    target.job === job
                        ? [{ targets: [address], labels: { ...target.labels, __metrics_path__: `/${index}` } }]
                        : [],
                ),
            })),
        },
        { aliasDuplicateObjects: false },
    );
}

async function measure(exposed: HomeMetrics, applications: number): Promise<Cost> {
    process.stderr.write(`${applications} Applications …\n`);
    const directory = mkdtempSync(join(tmpdir(), "hearth-bench-"));
    const targets = home(exposed, applications);
    const asked = targets.map(() => 0);
    let bytes = 0;
    const exporter = createServer((request, response) => {
        const index = Number(request.url?.slice(1));
        const count = asked[index] ?? 0;
        asked[index] = count + 1;
        const lines = targets[index]?.series.map(({ name, value, step }) => `${name} ${value + step * count}\n`) ?? [];
        const body = Buffer.from(lines.join(""));
        bytes += body.length;
        response.setHeader("content-type", "text/plain; version=0.0.4");
        response.end(body);
    });
    await new Promise<void>((done) => exporter.listen(0, "127.0.0.1", done));
    const configs = await renderConfigs(`--set=interval=${interval.here}s`);
    const rules = join(directory, "rules");
    writeFiles(configs, "rules", rules);
    const port = await freePort();
    const file = join(directory, "prometheus.yaml");
    const text = filesOf(configs, "prometheus")["prometheus.yaml"] ?? "";
    const address = `127.0.0.1:${(exporter.address() as AddressInfo).port}`;
    writeFileSync(file, configuration(text, rules, targets, address));
    const data = join(directory, "data");
    const daemon = await Daemon.start(
        "prometheus",
        [
            `--config.file=${file}`,
            `--storage.tsdb.path=${data}`,
            `--web.listen-address=127.0.0.1:${port}`,
            "--web.enable-admin-api",
        ],
        directory,
        `http://127.0.0.1:${port}/-/ready`,
    );
    try {
        while (Math.min(...asked) < reads) {
            await delay(200);
        }
        const inTime = await ask(port, "avg(avg_over_time(up[1h]))");
        if (!(inTime > 0.99)) {
            throw new Error(`of all reads, ${inTime} finished in time: this machine is too busy to measure`);
        }
        const metrics = await read(port);
        const series = numberIn(metrics, "prometheus_tsdb_head_series");
        const samples = numberIn(metrics, 'prometheus_tsdb_head_samples_appended_total\\{type="float"\\}');
        const groups = (metrics.match(/^prometheus_rule_group_rules\{/gm) ?? []).length;
        const failed = [...metrics.matchAll(/^prometheus_rule_evaluation_failures_total\{.*\} (\d+)$/gm)];
        if (failed.some(([, count]) => count !== "0")) {
            throw new Error("a rule failed");
        }
        const evaluation = (part: string) => numberIn(metrics, `prometheus_rule_group_duration_seconds_${part}`);
        const done = asked.reduce((sum, count) => sum + count, 0) / asked.length;
        // A snapshot measures the samples as they are written out.
        await fetch(`http://127.0.0.1:${port}/api/v1/admin/tsdb/snapshot`, { method: "POST" });
        const bytesPerSample = sizeOf(join(data, "snapshots")) / samples;
        const readsPerDay = (24 * 3600) / interval.home;
        return {
            applications,
            series,
            samplesPerRead: Math.round(samples / done),
            readMiB: bytes / done / 2 ** 20,
            ruleSeconds: (evaluation("sum") / evaluation("count")) * groups,
            memoryMiB: numberIn(metrics, "process_resident_memory_bytes") / 2 ** 20,
            diskMiB: (bytesPerSample * (samples / done) * readsPerDay) / 2 ** 20,
            processorShare: numberIn(metrics, "process_cpu_seconds_total") / (done * interval.home),
        };
    } finally {
        await daemon.stop();
        exporter.close();
        rmSync(directory, { recursive: true });
    }
}

async function main(): Promise<number> {
    await succeed("npm", ["run", "--silent", "--ignore-scripts", "start"], root);
    const directory = mkdtempSync(join(tmpdir(), "hearth-bench-"));
    const exposed = await listen(directory).finally(async () => {
        rmSync(directory, { recursive: true });
        await succeed("npm", ["run", "--silent", "stop"], root);
    });
    const counts = process.argv.length > 2 ? process.argv.slice(2).map(Number) : [exposed.applications.length, 200];
    const file = join(results, "monitoring.json");
    let measured: Cost[] = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")).measured : [];
    const others = exposed.memoryMiB;
    for (const count of counts) {
        const cost = await measure(exposed, count);
        measured = [...measured.filter(({ applications }) => applications !== count), cost];
        measured.sort((a, b) => a.applications - b.applications);
        writeFileSync(file, `${JSON.stringify({ ...machine(), interval, reads, measured, others }, null, 4)}\n`);
    }
    console.log(`${machine().machine}, ${machine().date}; every ${interval.home} s`);
    const header = [
        ...["Applications", "series", "samples a read", "MiB a read", "s for all rules"],
        ...["MiB of memory", "MiB of disk a day", "of a processor"],
    ];
    const rows = measured.map((each) => [
        ...[each.applications, each.series, each.samplesPerRead].map(String),
        ...[each.readMiB.toFixed(1), each.ruleSeconds.toFixed(3), each.memoryMiB.toFixed(0), each.diskMiB.toFixed(0)],
        `${(each.processorShare * 100).toFixed(1)} %`,
    ]);
    console.log(formatTable(header, rows));
    console.log("MiB of memory of the others, with 27 Applications:", others);
    return 0;
}

runMain("bench/monitoring.ts", main);
