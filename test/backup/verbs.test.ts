import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Manifest } from "../charts/manifest";
import { Home } from "../sandbox/home";
import { kubectlAt, startCluster } from "./cluster";
import type { ControlPlane } from "./control-plane";
import type { Kubelet } from "./kubelet";
import { RestServer } from "./servers";

/** Each step starts a pod, on a busy machine. */
const limit = 10 * 60_000;

jest.setTimeout(limit);

const chart = "vaultwarden";
const claim = "vaultwarden-data";
/** A chart with two claims. */
const books = "audiobookshelf";

const server = new RestServer();
const second = new RestServer();
let plane: ControlPlane;
let kubelet: Kubelet;
let home: Home;
let data: string;

const kubectl = (args: readonly string[], input?: string) => kubectlAt(plane)(args, input);
const hack = (verb: string, ...args: string[]) => home.hack(verb, ...args, "--stack", "sandbox");

/** The rows of the service's database, which its process has open. */
const sql = (text: string) => execFileSync("sqlite3", [join(data, "db.sqlite3"), text], { encoding: "utf8" }).trim();
const add = (row: string) => sql(`insert into notes values ('${row}')`);
const rows = () => sql("select x from notes order by rowid").split("\n");

const application = () =>
    JSON.parse(kubectl(["get", "applications.argoproj.io", chart, "--namespace=argocd", "--output=json"])) as Manifest;
const replicas = () =>
    kubectl(["get", "deployment", chart, `--namespace=${chart}`, "--output=jsonpath={.spec.replicas}"]);
const suspended = () =>
    kubectl(["get", "cronjob", `${claim}-backup`, `--namespace=${chart}`, "--output=jsonpath={.spec.suspend}"]);
const isRunning = async () =>
    kubectl(["get", "deployment", chart, `--namespace=${chart}`, "--output=jsonpath={.status.readyReplicas}"]) === "1";

beforeAll(async () => {
    await server.start();
    await second.start();
    const settings = server.backup({ second: { target: `rest:http://127.0.0.1:${second.port}/home/` } });
    ({ plane, kubelet } = await startCluster([chart, books], settings));
    home = await Home.create();
    mkdirSync(dirname(home.kubeconfig), { recursive: true });
    writeFileSync(home.kubeconfig, readFileSync(plane.kubeconfig));
    home.edit("Pulumi.sandbox.yaml", (text) =>
        text.replace(
            "  hearth:charts:",
            '  hearth:backup: { target: "rest:http://127.0.0.1/home/", password: { secure: "v1:AAAA" } }\n$&',
        ),
    );
    data = kubelet.claim(chart, claim);
    await plane.until("the service runs", isRunning);
});

afterAll(async () => {
    await kubelet?.remove();
    await plane?.remove();
    await server.remove();
    await second.remove();
    await home?.remove();
});

test("copies a running service on demand, and the first copy creates the repository", async () => {
    await plane.until("the service has its database", async () => existsSync(join(data, "db.sqlite3")));
    add("first");
    const { code, output } = await hack("backup", chart);

    expect({ code, output }).toEqual({
        code: 0,
        output: expect.stringMatching(/vaultwarden-data +copied to main, second/),
    });
});

test("lists copies with time, size and target", async () => {
    add("second");
    expect((await hack("backup", chart)).code).toBe(0);
    const { code, output } = await hack("backup", "list", chart, "--json");

    const copies = JSON.parse(output.slice(output.indexOf("["))) as object[];
    expect({ code, copies }).toEqual({
        code: 0,
        copies: ["second", "main", "second", "main"].map((target) => ({
            claim: `${chart}/${claim}`,
            copy: expect.stringMatching(/^[0-9a-f]{8}$/),
            time: expect.stringMatching(/^20/),
            bytes: expect.any(Number),
            files: expect.any(Number),
            target,
        })),
    });
});

test("a restore swaps in the copy and starts the service, and undo swaps the data back", async () => {
    add("lost by the restore");
    const restored = await hack("restore", chart, "--yes");

    expect({ ...restored, rows: rows() }).toEqual({
        code: 0,
        output: expect.stringContaining("runs with the restored data"),
        rows: ["first", "second"],
    });
    expect([replicas(), suspended(), application().metadata.annotations ?? {}]).toEqual(["1", "false", {}]);
    expect(await isRunning()).toBe(true);

    const again = await hack("restore", chart, "--yes");
    expect(again).toMatchObject({ code: 1, output: expect.stringContaining("--drop") });

    const undone = await hack("restore", chart, "--undo", "--yes");
    expect({ ...undone, rows: rows() }).toMatchObject({ code: 0, rows: ["first", "second", "lost by the restore"] });
    expect(await isRunning()).toBe(true);

    expect((await hack("restore", chart, "--drop", "--yes")).code).toBe(0);
    expect(existsSync(join(data, ".hearth-restore"))).toBe(false);
});

test("the next call resumes a restore that was killed while the service was stopped", async () => {
    const child = spawn("./hack/restore", [chart, "--yes", "--stack", "sandbox"], { cwd: home.root, detached: true });
    const ended = new Promise((resolve) => child.once("close", resolve));
    await plane.until("the service is being stopped", async () => replicas() === "0");
    process.kill(-(child.pid ?? 0), "SIGKILL");
    await ended;

    // Argo CD must not start it meanwhile.
    expect(application().metadata.annotations).toEqual({ "argocd.argoproj.io/skip-reconcile": "true" });
    expect(await hack("restore", chart, "--at", "2026-01-01")).toMatchObject({
        code: 1,
        output: expect.stringContaining("is incomplete"),
    });

    const resumed = await hack("restore", chart);
    expect({ ...resumed, rows: rows() }).toEqual({
        code: 0,
        output: expect.stringContaining("continuing the restore of vaultwarden-data"),
        rows: ["first", "second"],
    });
    expect([replicas(), await isRunning()]).toEqual(["1", true]);
    expect((await hack("restore", chart, "--undo", "--yes")).code).toBe(0);
    expect((await hack("restore", chart, "--drop", "--yes")).code).toBe(0);
});

test("rejects a restore while a writer cannot be stopped; the service keeps running", async () => {
    const volumes = [{ name: "data", persistentVolumeClaim: { claimName: claim } }];
    const containers = [{ name: "debug", image: "debug", command: ["sleep", "600"] }];
    const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "debug" }, spec: { containers, volumes } };
    kubectl(["create", `--namespace=${chart}`, "--filename=-"], JSON.stringify(pod));
    const before = rows();
    const refused = await hack("restore", chart, "--yes");

    expect({ ...refused, rows: rows() }).toEqual({
        code: 1,
        output: expect.stringContaining("debug may write to the volume"),
        rows: before,
    });
    expect([replicas(), await isRunning()]).toEqual(["1", true]);
    kubectl(["delete", "pod", "debug", `--namespace=${chart}`, "--grace-period=0", "--force"]);
    expect((await hack("restore", chart, "--undo", "--yes")).code).toBe(0);
});

test("restores one file into a folder of the volume while the service runs", async () => {
    writeFileSync(join(data, "config.json"), "{}");
    expect((await hack("backup", chart)).code).toBe(0);
    writeFileSync(join(data, "config.json"), "broken");
    const { code, output } = await hack("restore", chart, "--file", "config.json", "--to", "found");

    expect({ code, output }).toMatchObject({ code: 0 });
    expect(readFileSync(join(data, "found/config.json"), "utf8")).toBe("{}");
    expect(readFileSync(join(data, "config.json"), "utf8")).toBe("broken");
});

test("restores all volumes of a chart in one stop, and one of them alone", async () => {
    const [config, metadata] = ["config", "metadata"].map((name) =>
        join(kubelet.claim(books, `${books}-${name}`), "book"),
    );
    const write = (text: string) => [config, metadata].forEach((path) => void writeFileSync(path ?? "", text));
    const read = () => [config, metadata].map((path) => readFileSync(path ?? "", "utf8"));
    write("whole");
    expect((await hack("backup", books)).code).toBe(0);
    write("torn");

    const restored = await hack("restore", books, "--yes");
    expect({ ...restored, read: read() }).toMatchObject({ code: 0, read: ["whole", "whole"] });
    expect(restored.output.match(/stopping/g)).toHaveLength(1);
    expect((await hack("restore", books, "--undo", "--yes")).code).toBe(0);
    expect(read()).toEqual(["torn", "torn"]);
    expect((await hack("restore", books, "--drop", "--yes")).code).toBe(0);

    expect((await hack("restore", books, `${books}-metadata`, "--yes")).code).toBe(0);
    expect(read()).toEqual(["torn", "whole"]);
    expect((await hack("restore", books, "--drop", "--yes")).code).toBe(0);
});

test("reports an unreachable target in one sentence, stops no service, and uses the other target", async () => {
    add("kept by the second target");
    await server.stop();
    const copied = await hack("backup", chart);
    const refused = await hack("restore", chart, "--yes");
    add("lost by the restore");
    const restored = await hack("restore", chart, "--target", "second", "--yes");
    await server.start();

    expect(copied).toEqual({ code: 1, output: expect.stringContaining("the main target cannot be reached") });
    expect(refused).toEqual({ code: 1, output: expect.stringContaining("add --target second") });
    expect(restored).toMatchObject({ code: 0 });
    expect(rows().at(-1)).toBe("kept by the second target");
    expect(await isRunning()).toBe(true);
});
