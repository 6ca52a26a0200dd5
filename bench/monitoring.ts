import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { cpus, tmpdir, totalmem } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parse, stringify } from "yaml";
import { freePorts } from "../sandbox/ports";
import { filesOf, renderConfigs, writeFiles } from "../test/monitoring/chart";
import { Daemon } from "../test/monitoring/daemon";

/**
 * What watching a home costs: `npx tsx bench/monitoring.ts`. A real Prometheus, with the chart's rules, reads a synthetic
 * home of 27 Applications, and then one of 200, every two seconds for two minutes. Prints a table and writes
 * bench/results/monitoring.json. Memory follows the number of series, disk the number of samples; a home reads every 30 s.
 */
const results = resolve(__dirname, "results");

/** How often Prometheus reads here and by the chart's default, in seconds. */
const interval = { here: 2, home: 30 };
/** How many times it reads. */
const reads = 60;

/**
 * The series of one Application, by who tells them: what kube-state-metrics 2.20 says of its Deployment, ReplicaSet, pod,
 * claim, Service, Ingress and namespace (estimated), what is kept of cAdvisor's for its
 * container, Argo CD's of the Application, and a program's own metrics.
 */
const seriesOf = { state: 130, container: 5, application: 12, own: 250 };

/** What one home costs. */
interface Cost {
    readonly applications: number;
    readonly series: number;
    readonly memoryMiB: number;
    /** Of a day, at the home's interval. */
    readonly diskMiB: number;
    /** Of one core, at the home's interval. */
    readonly processorShare: number;
}

/** The metrics of a home, with values that change from read to read. */
function exposition(applications: number, read: number): string {
    const lines: string[] = [];
    for (let application = 0; application < applications; application++) {
        const labels = `namespace="app-${application}",pod="app-${application}-5d9c7b6f4-x${application}"`;
        for (const [source, count] of Object.entries(seriesOf)) {
            for (let index = 0; index < count; index++) {
                // Half of them are counters that go up, the others hardly change.
                const value = index % 2 === 0 ? read * (index + 1) : index;
                lines.push(`bench_${source}_${index}{${labels},container="app"} ${value}`);
            }
        }
    }
    return `${lines.join("\n")}\n`;
}

/** Bytes of every file under a folder. */
function sizeOf(directory: string): number {
    return readdirSync(directory, { withFileTypes: true, recursive: true })
        .filter((entry) => entry.isFile())
        .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}

/** The number in a metric of Prometheus itself, without labels. */
function numberIn(text: string, metric: string): number {
    return Number(new RegExp(`^${metric} (\\S+)$`, "m").exec(text)?.[1]);
}

async function measure(applications: number): Promise<Cost> {
    process.stderr.write(`${applications} Applications …\n`);
    const directory = mkdtempSync(join(tmpdir(), "hearth-bench-"));
    let read = 0;
    const exporter = createServer((_, response) => {
        response.setHeader("content-type", "text/plain; version=0.0.4");
        response.end(exposition(applications, read++));
    });
    await new Promise<void>((done) => exporter.listen(0, "127.0.0.1", done));
    const configs = await renderConfigs(`--set=interval=${interval.here}s`);
    writeFiles(configs, "rules", join(directory, "rules"));
    const { port } = await freePorts("port");
    const target = `127.0.0.1:${(exporter.address() as AddressInfo).port}`;
    const { global } = parse(filesOf(configs, "prometheus")["prometheus.yaml"] ?? "", { merge: true });
    const config = {
        global,
        rule_files: [join(directory, "rules/*.yaml")],
        scrape_configs: [{ job_name: "home", static_configs: [{ targets: [target] }] }],
    };
    const file = join(directory, "prometheus.yaml");
    writeFileSync(file, stringify(config));
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
        while (read < reads) {
            await delay(200);
        }
        const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
        const series = numberIn(text, "prometheus_tsdb_head_series");
        const told = applications * Object.values(seriesOf).reduce((sum, count) => sum + count);
        if (series < told) {
            throw new Error(`Prometheus has ${series} series, and was told ${told}`);
        }
        const samples = numberIn(text, 'prometheus_tsdb_head_samples_appended_total\\{type="float"\\}');
        const processor = numberIn(text, "process_cpu_seconds_total");
        // A snapshot is what the samples take once they are written out.
        await fetch(`http://127.0.0.1:${port}/api/v1/admin/tsdb/snapshot`, { method: "POST" });
        const bytesPerSample = sizeOf(join(data, "snapshots")) / samples;
        const samplesPerDay = (series * 24 * 3600) / interval.home;
        return {
            applications,
            series,
            memoryMiB: numberIn(text, "process_resident_memory_bytes") / 2 ** 20,
            diskMiB: (bytesPerSample * samplesPerDay) / 2 ** 20,
            processorShare: processor / (reads * interval.home),
        };
    } finally {
        await daemon.stop();
        exporter.close();
        rmSync(directory, { recursive: true });
    }
}

async function main(): Promise<void> {
    const measured = [await measure(27), await measure(200)];
    const [small, large] = measured;
    if (!small || !large) {
        throw new Error("nothing was measured");
    }
    const machine = `${cpus().length} × ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB`;
    const date = new Date().toISOString().slice(0, 10);
    const ratios = { series: large.series / small.series, memory: large.memoryMiB / small.memoryMiB };
    mkdirSync(results, { recursive: true });
    writeFileSync(
        join(results, "monitoring.json"),
        `${JSON.stringify({ date, machine, interval, measured, ratios }, null, 2)}\n`,
    );
    console.log(`${machine}, ${date}`);
    console.log("Applications   series  MiB of memory  MiB of disk a day  of a processor");
    for (const { applications, series, memoryMiB, diskMiB, processorShare } of measured) {
        const columns = [
            String(applications).padStart(12),
            String(series).padStart(8),
            memoryMiB.toFixed(0).padStart(14),
            diskMiB.toFixed(0).padStart(18),
            `${(processorShare * 100).toFixed(1)} %`.padStart(15),
        ];
        console.log(columns.join(" "));
    }
}

main().catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
});
