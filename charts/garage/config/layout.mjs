// Gives Garage's nodes their role in the cluster's layout, once, and creates the buckets with their keys. The layout's
// version goes up with each apply, so nothing is applied while every node has the role that it should have.
import { readFileSync } from "node:fs";
import { join } from "node:path";

const { GARAGE_ADMIN_URL, GARAGE_ADMIN_TOKEN, CAPACITY, BUCKETS, SECRETS } = process.env;
const units = { Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40 };

/** Calls an operation of the administration API, version 2; by POST when there is a body. */
async function call(operation, body) {
    const response = await fetch(`${GARAGE_ADMIN_URL}/v2/${operation}`, {
        method: body ? "POST" : "GET",
        headers: { authorization: `Bearer ${GARAGE_ADMIN_TOKEN}`, "content-type": "application/json" },
        body: body && JSON.stringify(body),
        signal: AbortSignal.timeout(30_000),
    }).catch((error) => {
        throw new Error(`${GARAGE_ADMIN_URL} cannot be reached: ${error.cause?.message ?? error.message}`);
    });
    if (response.ok) {
        return response.json();
    }
    if (response.status === 404 && !body) {
        return undefined;
    }
    throw new Error(`${operation} answered ${response.status}: ${await response.text()}`);
}

/** Assigns every node that is up the given capacity, in bytes, and applies the layout if that changes it. */
async function layOut(capacity) {
    const layout = await call("GetClusterLayout");
    const { nodes } = await call("GetClusterStatus");
    const up = nodes.filter(({ isUp }) => isUp);
    if (up.length === 0) {
        throw new Error("no node is up yet");
    }
    const current = new Map(layout.roles.map((role) => [role.id, role.capacity]));
    const changed = up.filter(({ id }) => current.get(id) !== capacity);
    if (changed.length === 0) {
        console.log(`layout: version ${layout.version} is in place`);
        return;
    }
    await call("UpdateClusterLayout", { roles: changed.map(({ id }) => ({ id, zone: "home", capacity, tags: [] })) });
    await call("ApplyClusterLayout", { version: layout.version + 1 });
    console.log(`layout: applied version ${layout.version + 1}`);
}

/** Creates a bucket, its key, and the key's right to read and write it. */
async function createBucket(name) {
    const secret = (key) => readFileSync(join(SECRETS, key), "utf8").trim();
    const found = await call(`GetBucketInfo?globalAlias=${encodeURIComponent(name)}`);
    const { id: bucketId } = found ?? (await call("CreateBucket", { globalAlias: name }));
    const accessKeyId = `GK${secret(`${name}-key`)}`;
    if (!(await call(`GetKeyInfo?id=${accessKeyId}`))) {
        await call("ImportKey", { name, accessKeyId, secretAccessKey: secret(`${name}-secret`) });
    }
    const permissions = { read: true, write: true, owner: false };
    await call("AllowBucketKey", { bucketId, accessKeyId, permissions });
    console.log(`bucket ${name}: ${found ? "is in place" : "created"}`);
}

try {
    await layOut(Number(CAPACITY.slice(0, -2)) * units[CAPACITY.slice(-2)]);
    for (const bucket of BUCKETS.split(" ").filter(Boolean)) {
        await createBucket(bucket);
    }
} catch (error) {
    console.error(`garage: ${error.message}`);
    process.exit(1);
}
