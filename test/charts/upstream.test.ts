import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { containers } from "./manifest";
import { renderedCharts } from "./workspace";

const charts = renderedCharts();

/** Everything that a chart renders, as text. */
const textOf = (chart: string) => JSON.stringify(charts.get(chart));

/** Settings that override a program's default that would break the service. */
test.each<[what: string, chart: string, has: RegExp]>([
    [
        "a stream without a length, such as `git push`, passes the edge",
        "pangolin",
        /crowdsecAppsecUnreadableBodyBlock: false/,
    ],
    ["CrowdSec reads a log that appears after its start", "pangolin", /force_inotify: true/],
    ["a new pod of the edge replaces the key of the one before", "pangolin", /cscli bouncers delete traefik/],
    ["the edge's access log never fills its volume", "pangolin", /"name":"log-limit"/],
])("%s", (_, chart, has) => {
    expect(textOf(chart)).toMatch(has);
});

test("Home Assistant's location, units and language are set on its pages: its file sets none of them", () => {
    expect(textOf("home-assistant")).toContain("trusted_proxies");
    expect(textOf("home-assistant")).not.toMatch(/\\nhomeassistant:|external_url|internal_url/);
});

test("Prometheus reads the metrics of both of Immich's workers: the API, and queues and jobs", () => {
    const immich = containers(charts.get("immich") ?? []).find(({ container }) => container.name === "immich");
    const ports = immich?.container.ports?.filter(({ name }) => /metrics$/.test(name ?? ""));

    expect(ports?.map(({ containerPort }) => containerPort).sort()).toEqual([8081, 8082]);
});

test("a runner registers again after each job in the same container, so that Kubernetes does not delay the next", () => {
    const runner = containers(charts.get("gitops") ?? []).find(({ container }) => container.name === "runner-amd64");
    const [, , , shell = "", flag = "", script = ""] = runner?.container.command ?? [];
    const directory = mkdtempSync(join(tmpdir(), "hearth-runner-"));
    try {
        // The first job succeeds, the next registration fails once, and the test stops the runner at the third.
        const jobs = join(directory, "jobs");
        const registration = join(directory, ".runner");
        const program = [
            "#!/bin/sh",
            `if [ -e ${registration} ]; then echo registered before >> ${jobs}; exit; fi`,
            `touch ${registration}; echo job >> ${jobs}`,
            `case $(wc -l < ${jobs}) in 1) exit 0 ;; 2) exit 1 ;; *) kill $PPID ;; esac`,
        ];
        writeFileSync(join(directory, "run.sh"), program.join("\n"), { mode: 0o755 });
        writeFileSync(join(directory, "sleep"), "#!/bin/sh\n", { mode: 0o755 });
        const own = script.replaceAll("/data/", `${directory}/`);

        expect(() =>
            execFileSync(shell, [flag, own], { env: { PATH: `${directory}:${process.env["PATH"]}` }, stdio: "pipe" }),
        ).toThrow(expect.objectContaining({ signal: "SIGTERM" }));
        expect(readFileSync(jobs, "utf8")).toBe("job\n".repeat(3));
    } finally {
        rmSync(directory, { recursive: true });
    }
});
