import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type BackupSettings, backupSchema } from "../../config/backup";
import { debianPackages } from "../../sandbox/images/debian";
import type { Entry } from "../../sandbox/images/layer";
import { makeImages } from "../../sandbox/images/make";
import { type Recipe, recipes } from "../../sandbox/images/recipes";
import { tool } from "../../toolchain/tools";
import { manifests } from "../backup/cluster";
import type { Result } from "../backup/volume";
import { MachineHome } from "../provision/home";
import { until } from "../sandbox/home";
import { address } from "./addresses";
import { kubectlOf, printed } from "./pods";
import { registries } from "./surroundings";

// Machines that start, and pods, on a host that may be busy.
jest.setTimeout(900_000);

/** A service with real pods, and its claim. */
const chart = "syncthing";
const claim = `${chart}-data`;
/** Port of the server with the copies, which is no node of the home. */
const port = 13_010;

const python = "docker.io/library/python";

/** An image of Debian's packages that has a shell, the common programs and these. */
const image = (repository: string, packages: readonly string[], ...more: readonly Entry[]): Recipe => ({
    repositories: [repository],
    source: "Debian's packages instead of Alpine's",
    config: {},
    contents: async () => {
        const shell = ["base-files", "coreutils", "dash", "findutils", "gawk", "grep", "libc-bin", "sed", "tzdata"];
        const merged = ["bin", "sbin", "lib", "lib64"].map((name) => ({ path: `/${name}`, target: `usr/${name}` }));
        const installed = await debianPackages([...shell, ...packages]);
        const rest = [{ path: "/bin/awk", target: "gawk" }, { path: "/tmp", mode: 0o1777 }, ...more];
        return { version: "of Debian", layers: [[...merged, ...installed, ...rest]] };
    },
});

let home: MachineHome;
const children: ChildProcess[] = [];

const kubectl = (...args: string[]) => kubectlOf(home)(...args);

/** Starts a program in the home's network that is not one of its nodes. */
async function serve(line: string, program: string, ...args: string[]): Promise<void> {
    const child = spawn(...home.network.command(program, ...args), { cwd: join(__dirname, "../..") });
    children.push(child);
    let output = "";
    await new Promise<void>((done, reject) => {
        for (const stream of [child.stdout, child.stderr]) {
            stream.on("data", (chunk: Buffer) => {
                output += chunk.toString();
                if (output.includes(line)) {
                    done();
                }
            });
        }
        child.once("close", () => reject(new Error(output)));
    });
}

const settings = {
    home: "home.example.com",
    ...backupSchema.parse({ target: `rest:http://${address}:${port}/home/`, password: "a password of the test" }),
} as BackupSettings;

/** Applies everything of the service that Argo CD and the program create. */
async function deploy(): Promise<void> {
    const secrets = { "api-key": "0123456789abcdef0123456789abcdef", "admin-password": "of-the-administrator" };
    const secret = { metadata: { name: `${chart}-secrets`, namespace: chart }, stringData: secrets };
    const objects = [...(await manifests([chart], settings)), { apiVersion: "v1", kind: "Secret", ...secret }];
    const file = join(home.folder, "objects.json");
    writeFileSync(file, JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }));
    await kubectl("apply", "--server-side", "--force-conflicts", "--filename", file);
}

const isRunning = () => kubectl("rollout", "status", `deployment/${chart}`, `--namespace=${chart}`, "--timeout=300s");

const nodeOf = () =>
    kubectl(
        "get",
        "pods",
        `--namespace=${chart}`,
        "--selector=app.kubernetes.io/name=syncthing",
        "--output=jsonpath={.items[0].spec.nodeName}",
    );

/** Runs the Job of a CronJob to its end, and reads the result that its last container reports. */
async function runNow(namespace: string, cronJob: string): Promise<Result> {
    const job = `${cronJob}-${Date.now()}`;
    await kubectl("create", "job", job, `--from=cronjob/${cronJob}`, `--namespace=${namespace}`);
    const path = "--output=jsonpath={.status.conditions[*].type}";
    await until(`${job} has ended`, 300_000, async () =>
        /Complete|Failed/.test(await kubectl("get", "job", job, `--namespace=${namespace}`, path)),
    );
    const last = "--output=jsonpath={.items[-1:].status.containerStatuses[0].state.terminated.message}";
    const message = await kubectl("get", "pods", `--selector=job-name=${job}`, `--namespace=${namespace}`, last);
    return JSON.parse(message || "{}") as Result;
}

/** Runs a program in Python in a pod beside the service, which has its volume and its user. */
async function beside(name: string, program: string): Promise<string> {
    const pod = {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name, namespace: chart },
        spec: {
            restartPolicy: "Never",
            securityContext: { runAsUser: 1000, runAsGroup: 1000, fsGroup: 1000 },
            containers: [
                {
                    name,
                    image: `${python}:3`,
                    command: ["python3", "-c", program],
                    volumeMounts: [{ name: "data", mountPath: "/data" }],
                },
            ],
            volumes: [{ name: "data", persistentVolumeClaim: { claimName: claim } }],
        },
    };
    await home.apply(pod);
    await kubectl(
        "wait",
        `pod/${name}`,
        `--namespace=${chart}`,
        "--for=jsonpath={.status.phase}=Succeeded",
        "--timeout=180s",
    );
    return (await kubectl("logs", name, `--namespace=${chart}`)).trim();
}

/** A thousand rows in a database that has a write-ahead log, and the checksum of the identity that Syncthing made. */
const write = `
import sqlite3
database = sqlite3.connect("/data/notes.db", isolation_level=None)
database.execute("PRAGMA journal_mode = WAL")
database.execute("CREATE TABLE notes (text)")
database.executemany("INSERT INTO notes VALUES (?)", [(f"note {number}",) for number in range(1000)])
`;
const read = `
import hashlib, pathlib, sqlite3
print(sqlite3.connect("/data/notes.db").execute("SELECT count(*), max(rowid) FROM notes").fetchone())
print(hashlib.sha256(pathlib.Path("/data/config/cert.pem").read_bytes()).hexdigest())
`;

let content = "";

beforeAll(async () => {
    home = await MachineHome.withPods("s1", "a1");
    const wanted = recipes.filter(({ repositories }) =>
        repositories.some((each) => each.startsWith("docker.io/rancher/") || each.endsWith(`/${chart}`)),
    );
    const program = { path: "/usr/bin/restic", from: tool("restic") };
    const images = await makeImages([
        ...wanted,
        image("docker.io/restic/restic", ["jq"], program),
        image(python, ["python3"]),
    ]);
    const file = join(home.folder, "manifests.json");
    writeFileSync(file, JSON.stringify([...images]));
    await serve("serving", process.execPath, "--import", "tsx", join(__dirname, "serve.ts"), file);
    const copies = join(home.folder, "copies");
    mkdirSync(copies);
    await serve(
        "start server on",
        tool("rest-server"),
        "--path",
        copies,
        "--listen",
        `${address}:${port}`,
        "--no-auth",
    );
    home.configure(undefined, undefined, { registries });
    await printed(home.stack.up());
    await kubectl("wait", "--for=condition=Ready", "nodes", "--all", "--timeout=180s");
});

afterAll(async () => {
    for (const child of children) {
        child.kill();
    }
    await home?.remove();
});

test("a service on one node is copied off the home while it runs, its database at a commit", async () => {
    await kubectl("cordon", "s1");
    await deploy();
    await isRunning();
    expect(await nodeOf()).toBe("a1");
    await beside("writer", write);
    content = await beside("before", read);
    expect(content).toMatch(/^\(1000, 1000\)\n[0-9a-f]{64}$/);

    expect(await runNow("backup", "repository")).toMatchObject({ hearth: "repository", ok: true });
    expect(await runNow(chart, `${claim}-backup`)).toMatchObject({
        hearth: "backup",
        ok: true,
        claim: `${chart}/${claim}`,
    });
});

test("a drill restores the copy to a volume of its own, checks it, and leaves no volume behind", async () => {
    const claims = () =>
        kubectl("get", "persistentvolumeclaims", `--namespace=${chart}`, "--output=jsonpath={.items[*].metadata.name}");
    expect(await runNow(chart, `${claim}-drill`)).toMatchObject({
        hearth: "drill",
        ok: true,
        claim: `${chart}/${claim}`,
    });
    await kubectl("delete", "jobs", "--all", `--namespace=${chart}`);
    await until("its volume is gone", 120_000, async () => (await claims()) === claim);
});

test("the node is lost for good: on the other one, the service starts with its data, and the drill passes there", async () => {
    await kubectl("uncordon", "s1");
    await home.machine("a1").powerOff();
    await kubectl("wait", "--for=condition=Ready=Unknown", "node/a1", "--timeout=180s");
    await printed(home.stack.hack("forget-node", "a1"));
    // Its claim waits for the node: docs/restore.md.
    await kubectl(
        "delete",
        "pods,persistentvolumeclaims",
        "--all",
        `--namespace=${chart}`,
        "--force",
        "--timeout=180s",
    );
    await deploy();
    await isRunning();

    expect(await nodeOf()).toBe("s1");
    expect(await beside("after", read)).toBe(content);
    const started = await kubectl("logs", `deployment/${chart}`, `--namespace=${chart}`, "--container=restore-data");
    expect(started).toContain("restored from the copy");
    expect(await runNow(chart, `${claim}-drill`)).toMatchObject({ hearth: "drill", ok: true });
});
