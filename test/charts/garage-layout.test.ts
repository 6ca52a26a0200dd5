import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chartsDirectory } from "./workspace";

const script = join(chartsDirectory, "garage", "config", "layout.mjs");
const node = "ab".repeat(32);
const accessKey = `GK${"0123456789ab".repeat(2)}`;

/** A role in Garage's layout. */
interface Role {
    readonly id: string;
    readonly capacity: number;
}

/** The part of Garage's administration API that the script uses, as strict about versions as the real one. */
class Garage {
    version = 0;
    roles: Role[] = [];
    up = true;
    readonly calls: string[] = [];
    private staged: Role[] = [];
    private readonly buckets = new Map<string, string>();
    private readonly keys = new Set<string>();

    answer(operation: string, query: URLSearchParams, body: Record<string, unknown>): [status: number, body: unknown] {
        this.calls.push(operation);
        switch (operation) {
            case "GetClusterLayout":
                return [200, { version: this.version, roles: this.roles }];
            case "GetClusterStatus":
                return [200, { layoutVersion: this.version, nodes: [{ id: node, isUp: this.up }] }];
            case "UpdateClusterLayout":
                this.staged = body["roles"] as Role[];
                return [200, {}];
            case "ApplyClusterLayout":
                if (body["version"] !== this.version + 1) {
                    return [400, { message: "Invalid new layout version" }];
                }
                this.version += 1;
                this.roles = this.staged;
                return [200, {}];
            case "GetBucketInfo": {
                const id = this.buckets.get(query.get("globalAlias") ?? "");
                return id ? [200, { id }] : [404, { code: "NoSuchBucket" }];
            }
            case "CreateBucket":
                this.buckets.set(String(body["globalAlias"]), "b1");
                return [200, { id: "b1" }];
            case "GetKeyInfo":
                return this.keys.has(query.get("id") ?? "") ? [200, {}] : [404, { code: "NoSuchAccessKey" }];
            case "ImportKey":
                this.keys.add(String(body["accessKeyId"]));
                return [200, {}];
            case "AllowBucketKey":
                return this.keys.has(String(body["accessKeyId"])) ? [200, {}] : [404, { code: "NoSuchAccessKey" }];
            default:
                return [500, { message: `nobody expected ${operation}` }];
        }
    }
}

let garage: Garage;
let server: Server;
const secrets = mkdtempSync(join(tmpdir(), "hearth-garage-"));

beforeAll(() => {
    writeFileSync(join(secrets, "backups-key"), accessKey.slice(2));
    writeFileSync(join(secrets, "backups-secret"), "s".repeat(64));
});

afterAll(() => rmSync(secrets, { recursive: true }));

beforeEach(async () => {
    garage = new Garage();
    server = createServer(async (request, response) => {
        const url = new URL(request.url ?? "", "http://garage");
        const chunks: Buffer[] = [];
        for await (const chunk of request) {
            chunks.push(chunk);
        }
        const text = Buffer.concat(chunks).toString();
        const [status, body] =
            request.headers.authorization === "Bearer token"
                ? garage.answer(url.pathname.replace("/v2/", ""), url.searchParams, text ? JSON.parse(text) : {})
                : [403, { code: "AccessDenied" }];
        response.writeHead(status).end(JSON.stringify(body));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});

afterEach(() => server.close());

/** Runs the script like the Job. */
async function run(changes: Record<string, string> = {}): Promise<{ code: number; output: string }> {
    const env = {
        GARAGE_ADMIN_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
        GARAGE_ADMIN_TOKEN: "token",
        CAPACITY: "100Gi",
        BUCKETS: "backups",
        SECRETS: secrets,
        ...changes,
    };
    return new Promise((resolve) => {
        execFile(process.execPath, [script], { env }, (error, stdout, stderr) =>
            resolve({ code: error ? Number(error.code) : 0, output: stdout + stderr }),
        );
    });
}

test("assigns the node its role, applies the layout, and creates the bucket with its key", async () => {
    expect(await run()).toEqual({ code: 0, output: "layout: applied version 1\nbucket backups: created\n" });
    expect(garage.roles).toEqual([{ id: node, zone: "home", capacity: 100 * 2 ** 30, tags: [] }]);
    expect(garage.calls).toEqual(expect.arrayContaining(["CreateBucket", "ImportKey", "AllowBucketKey"]));
});

test("changes nothing on a second run", async () => {
    await run();
    garage.calls.length = 0;

    expect(await run()).toEqual({
        code: 0,
        output: "layout: version 1 is in place\nbucket backups: is in place\n",
    });
    expect(garage.calls).not.toEqual(expect.arrayContaining(["ApplyClusterLayout"]));
    expect(garage.calls).not.toEqual(expect.arrayContaining(["ImportKey"]));
});

test("applies the next version after the volume has grown", async () => {
    await run();

    expect((await run({ CAPACITY: "1Ti" })).output).toContain("layout: applied version 2");
    expect(garage.roles[0]?.capacity).toBe(2 ** 40);
});

test("fails with a message while the node is missing, so that the Job retries", async () => {
    garage.up = false;

    expect(await run()).toEqual({ code: 1, output: "garage: no node is up yet\n" });
});

test.each<[what: string, change: Record<string, string>, message: string]>([
    ["a wrong token", { GARAGE_ADMIN_TOKEN: "old" }, "garage: GetClusterLayout answered 403"],
    ["a Garage that is not there", { GARAGE_ADMIN_URL: "http://127.0.0.1:9" }, "http://127.0.0.1:9 cannot be reached"],
    ["a bucket without a key", { BUCKETS: "pictures" }, "pictures-key"],
])("fails with a message for %s", async (_what, change, message) => {
    const { code, output } = await run(change);

    expect(code).toBe(1);
    expect(output).toContain(message);
    expect(output).not.toContain("    at ");
});
